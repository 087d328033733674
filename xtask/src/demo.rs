//! A key's life in a real database, for people to see.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::setup::say;

pub fn run(shell: &Shell) -> Result<()> {
    say("Building keycell: the first build takes ten to fifteen minutes on two cores, later ones seconds");
    cmd!(shell, "cargo build --package keycell").quiet().run()?;
    let dir = tempfile::tempdir()?;
    let demo = Demo { shell, database: dir.path().join("demo.db") };

    demo.keycell(&["project", "create", "web"])?;
    let own = demo.keycell(&["create", "--name", "laptop"])?;
    let deploy = demo.keycell(&["create", "--name", "deploy", "--project", "web", "--expires-at", "2031-01-31"])?;
    for created in [&own, &deploy] {
        demo.keycell(&["get", text(created, "id")?])?;
    }
    demo.look_for_secrets(dir.path(), &[text(&own, "key")?, text(&deploy, "key")?])?;
    println!("The component that decided all of this, and what it can reach:\n");
    demo.keycell(&["component"])?;
    Ok(())
}

struct Demo<'a> {
    shell: &'a Shell,
    database: std::path::PathBuf,
}

impl Demo<'_> {
    /// Shows a command and what it prints, and gives that as JSON.
    fn keycell(&self, args: &[&str]) -> Result<Value> {
        println!("$ keycell {}", args.join(" "));
        let database = &self.database;
        let output = cmd!(self.shell, "cargo run --quiet --package keycell -- {args...}")
            .env("KEYCELL_DATABASE", database)
            .quiet()
            .read()?;
        println!("{output}\n");
        Ok(serde_json::from_str(&output)?)
    }

    /// Searches the database's files for the keys, and for the names that must be there.
    fn look_for_secrets(&self, dir: &Path, keys: &[&str]) -> Result<()> {
        let (mut bytes, mut files) = (Vec::new(), 0);
        for file in fs::read_dir(dir)? {
            bytes.extend(fs::read(file?.path())?);
            files += 1;
        }
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        ensure!(holds("laptop") && holds("deploy"), "the names of the keys are in the files");
        for key in keys {
            let (prefix, secret) = key.rsplit_once('_').context("a key has three parts")?;
            ensure!(holds(prefix.rsplit('_').next().unwrap_or_default()), "the lookup of each key is in the files");
            ensure!(!holds(secret) && !holds(&secret[..16]), "no secret is in the files");
        }
        println!(
            "Searched {} bytes in {files} file(s) of the database: both names and lookups are there, no secret is.\n",
            bytes.len()
        );
        Ok(())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("the output has {field}"))
}
