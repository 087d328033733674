//! The tests in other languages. Their dependencies are installed in the repository, in pinned
//! versions.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::setup::{binary, say};

enum Language {
    Python,
    Node,
}

struct Suite {
    dir: &'static str,
    language: Language,
    needs_browser: bool,
}

/// The hosts for Node.js and for browsers. The tests of the Python host also run the host for
/// Node.js, on the same database.
const JAVASCRIPT_HOSTS: &str = "examples/javascript";

const SUITES: &[Suite] = &[
    Suite { dir: "tests/clients/python", language: Language::Python, needs_browser: false },
    Suite { dir: "tests/clients/openapi", language: Language::Python, needs_browser: false },
    Suite { dir: "tests/clients/typescript", language: Language::Node, needs_browser: false },
    Suite { dir: "tests/clients/conformance", language: Language::Node, needs_browser: false },
    Suite { dir: JAVASCRIPT_HOSTS, language: Language::Node, needs_browser: false },
    Suite { dir: JAVASCRIPT_HOSTS, language: Language::Node, needs_browser: true },
    Suite { dir: "tests/pages", language: Language::Node, needs_browser: true },
    Suite { dir: "examples/python", language: Language::Python, needs_browser: false },
    Suite { dir: "host/keycell-postgres/tests/sql", language: Language::Python, needs_browser: false },
];

/// Runs the tests. If a language is not installed, its suite is skipped with a message, or fails
/// with `no_skip`.
pub fn test(shell: &Shell, no_skip: bool) -> Result<()> {
    let root = shell.current_dir();
    shell.set_var("KEYCELL", binary("keycell")?);
    shell.set_var("KEYCELL_COMPONENT", root.join("dist/keycell.wasm"));
    let mut skipped = Vec::new();
    for suite in SUITES {
        match missing(shell, suite) {
            Some(program) if no_skip => bail!("{}: there is no {program}", suite.dir),
            Some(program) => skipped.push(format!("SKIPPED {}: there is no {program}", suite.dir)),
            None => {
                say(&format!("Testing {}", suite.dir));
                let _dir = shell.push_dir(suite.dir);
                match suite.language {
                    Language::Python => python(shell, &root, suite.dir)?,
                    Language::Node => node(shell, if suite.needs_browser { "test:browser" } else { "test" })?,
                }
                if suite.dir == JAVASCRIPT_HOSTS {
                    shell.set_var("KEYCELL_NODE_HOST", root.join(JAVASCRIPT_HOSTS).join("dist/main.js"));
                }
            }
        }
    }
    skipped.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Returns a program that a suite needs and that is not installed.
fn missing(shell: &Shell, suite: &Suite) -> Option<&'static str> {
    let language = match suite.language {
        Language::Python => "python3",
        Language::Node => "npm",
    };
    if !is_here(shell, language) {
        return Some(language);
    }
    if suite.needs_browser {
        let path = |name| cmd!(shell, "which {name}").quiet().ignore_stderr().read().ok();
        match ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(path) {
            Some(path) => shell.set_var("CHROMIUM", path),
            None => return Some("chromium"),
        }
    }
    None
}

fn is_here(shell: &Shell, program: &str) -> bool {
    cmd!(shell, "{program} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

fn python(shell: &Shell, root: &Path, dir: &str) -> Result<()> {
    let environment = root.join("target/python").join(dir.replace('/', "-"));
    if !environment.exists() {
        cmd!(shell, "python3 -m venv {environment}").quiet().run()?;
    }
    let python = environment.join("bin/python");
    cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check --requirement requirements.txt")
        .quiet()
        .run()?;
    Ok(cmd!(shell, "{python} -m pytest --quiet").quiet().run()?)
}

/// Runs this script of the package in the current directory.
fn node(shell: &Shell, script: &str) -> Result<()> {
    let dir = shell.current_dir();
    let changed = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    let wanted = changed(dir.join("package-lock.json")).context("the versions are pinned")?;
    let installed = changed(dir.join("node_modules/.package-lock.json")).unwrap_or(SystemTime::UNIX_EPOCH);
    if installed < wanted {
        cmd!(shell, "npm ci --no-audit --no-fund").quiet().run()?;
    }
    Ok(cmd!(shell, "npm run {script}").quiet().run()?)
}
