//! A demonstration of a key's life in a real database.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::setup::{binary, say};

pub fn run(shell: &Shell) -> Result<()> {
    say("Building keycell: the first build takes about seven minutes on two cores, later ones seconds");
    cmd!(shell, "cargo build --workspace --bin keycell").quiet().run()?;
    let dir = tempfile::tempdir()?;
    let demo = Demo { shell, program: binary("keycell")?, database: dir.path().join("demo.db") };

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
    program: PathBuf,
    database: PathBuf,
}

impl Demo<'_> {
    /// Runs a command, prints it with its output, and returns the output as JSON.
    fn keycell(&self, args: &[&str]) -> Result<Value> {
        println!("$ keycell {}", args.join(" "));
        let Self { program, database, .. } = self;
        let output = cmd!(self.shell, "{program} {args...}").env("KEYCELL_DATABASE", database).quiet().read()?;
        println!("{output}\n");
        Ok(serde_json::from_str(&output)?)
    }

    /// Checks that the database's files contain the names of the keys but not the keys.
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
