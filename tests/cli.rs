//! The command as a process, for the tests that run it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use keycell::tools::TOOLS;
use serde_json::Value;

/// A database of its own, and nothing of the environment.
pub struct Cli {
    pub dir: tempfile::TempDir,
}

impl Cli {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keycell"));
        command
            .env_clear()
            .env("KEYCELL_DATABASE", self.dir.path().join("keycell.db"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// The command with something on its standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Output {
        feed(self.command().args(args), input)
    }

    /// What `keycell verify` says of a key, and its exit code.
    pub fn verify(&self, key: &str, args: &[&str]) -> (String, i32) {
        let output = self.run_with_input(&[&["verify"], args].concat(), &format!("{key}\n"));
        assert!(output.stderr.is_empty(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    }

    /// Standard output as JSON, with nothing else on it and nothing on standard error.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Standard error of a command that must fail with this code and say nothing else.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// What a person sees: the command on a terminal of its own.
    #[cfg(target_os = "linux")]
    pub fn on_terminal(&self, args: &[&str], no_color: bool) -> String {
        let mut line = format!("'{}'", env!("CARGO_BIN_EXE_keycell"));
        for arg in args {
            line.push_str(&format!(" '{arg}'"));
        }
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.env("KEYCELL_DATABASE", self.dir.path().join("keycell.db")).env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Runs a command with this on its standard input.
pub fn feed(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It need not read at all, or to the end of what is too long.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub fn assert_is_output_of(tool: &str, value: &Value) {
    let tool = TOOLS.iter().find(|candidate| candidate.name == tool).unwrap();
    let schema = serde_json::from_str(tool.output_schema).unwrap();
    assert!(jsonschema::is_valid(&schema, value), "{value}");
}
