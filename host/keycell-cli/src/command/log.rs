//! The log: what the library, the server and their dependencies tell, on standard error.

use std::{
    env,
    io::{self, Write},
};

use keycell::holds_form_of_key;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{self, WorkerGuard};
use tracing_subscriber::EnvFilter;

const LEFT_OUT: &[u8] = b"(a line with an API key in it was left out)\n";

/// What a server tells: all of its own, and what is wrong elsewhere. The SDK would warn of each mistake
/// of a client.
const SERVERS: &str = "warn,rmcp=error,keycell=info";

/// How the log is written.
pub enum Form {
    /// Lines for people, from this level on.
    Text(LevelFilter),
    /// One JSON object a line, for machines.
    Json,
}

/// Begins to log. `RUST_LOG` says how much, if it is set.
///
/// The lines are written by a thread of their own, which loses some where nobody takes them: the log
/// holds up no call. It writes what it has when the guard is dropped.
pub fn to_stderr(form: &Form) -> WorkerGuard {
    let asked = env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let default = match form {
        Form::Text(level) => level.to_string(),
        Form::Json => SERVERS.to_owned(),
    };
    let filter = EnvFilter::builder().parse_lossy(asked.unwrap_or(default));
    let (writer, guard) = non_blocking::NonBlocking::new(WithoutKeys(anstream::stderr()));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match form {
        Form::Text(_) => log.without_time().init(),
        Form::Json => log.json().with_span_list(false).init(),
    }
    guard
}

/// Writes no line with a key in it. Dependencies log whole messages where they are told to log all.
struct WithoutKeys<W>(W);

impl<W: Write> Write for WithoutKeys<W> {
    /// Takes a whole line at once, as the subscriber hands it over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_told = !holds_form_of_key(&String::from_utf8_lossy(line));
        self.0.write_all(if is_told { line } else { LEFT_OUT })?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
