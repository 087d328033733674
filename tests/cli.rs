//! The command as a process, for the tests that run it.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use keycell::tools::TOOLS;
use serde_json::Value;

/// The command with a directory and an environment of its own.
pub struct Cli {
    pub dir: tempfile::TempDir,
    /// The URL of the database; `None`: it is a file in the directory.
    url: Option<String>,
}

impl Cli {
    /// The command with an empty database.
    pub fn new() -> Self {
        let cli = Self::without_database();
        let output = cli.run(&["init"]);
        assert!(output.status.success(), "{output:?}");
        cli
    }

    /// The command with a path at which there is no database.
    pub fn without_database() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), url: None }
    }

    /// The command with the database of this URL, which may have no tables.
    pub fn on(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::without_database() }
    }

    /// The path of the database file.
    pub fn database(&self) -> PathBuf {
        self.dir.path().join("keycell.db")
    }

    /// Writes a file into the directory, and returns its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keycell"));
        command
            .env_clear()
            .env("KEYCELL_DATABASE", self.url.as_ref().map_or_else(|| self.database(), PathBuf::from))
            .env("HOME", self.dir.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Runs the command with this standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Output {
        feed(self.command().args(args), input)
    }

    /// The standard output of `keycell verify` for a key, and its exit code.
    pub fn verify(&self, key: &str, args: &[&str]) -> (String, i32) {
        let output = self.run_with_input(&[&["verify"], args].concat(), &format!("{key}\n"));
        assert!(output.stderr.is_empty(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    }

    /// Standard output as JSON, of a command that succeeds and logs nothing.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Standard error of a command that fails with this code and has no standard output.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The output of the command on a terminal of its own.
    #[cfg(target_os = "linux")]
    pub fn on_terminal(&self, args: &[&str], no_color: bool) -> String {
        let mut line = format!("'{}'", env!("CARGO_BIN_EXE_keycell"));
        for arg in args {
            line.push_str(&format!(" '{arg}'"));
        }
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.env("KEYCELL_DATABASE", self.database()).env("HOME", self.dir.path()).env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR").env_remove("XDG_CONFIG_HOME");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Runs a command with this standard input.
pub fn feed(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The command need not read its input, or all of it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Asserts that a value matches the output schema of a tool.
pub fn assert_is_output_of(tool: &str, value: &Value) {
    let tool = TOOLS.iter().find(|candidate| candidate.name == tool).unwrap();
    let schema = serde_json::from_str(tool.output_schema).unwrap();
    assert!(jsonschema::is_valid(&schema, value), "{value}");
}

/// The id of a key in JSON.
pub fn id(key: &Value) -> &str {
    key["id"].as_str().unwrap()
}

/// The secret text of a key in JSON.
pub fn secret(key: &Value) -> &str {
    key["key"].as_str().unwrap()
}
