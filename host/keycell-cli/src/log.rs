//! The log on standard error.

use std::{
    env,
    io::{self, Write},
};

use keycell_component::key::holds_part_of_key;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// The line in place of one that holds an API key.
const REDACTED: &[u8] = b"(a line that held an API key was left out)\n";

/// The filter of commands: warnings, and lines of the storage such as the creation of a database.
const COMMANDS: &str = "warn,keycell=info,keycell_server=warn";
/// The filter of `keycell serve`: every line of keycell, and warnings of its dependencies. The MCP SDK
/// would warn of each mistake of a client.
const SERVER: &str = "warn,rmcp=error,keycell=info";

/// The maximum number of lines that wait for the log consumer. The queue is allocated at the start.
const MAX_WAITING_LINES: usize = 4096;

/// The form of the log.
pub enum Form {
    /// Nothing.
    Off,
    /// Lines for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Starts the log. `RUST_LOG` overrides the filter.
///
/// A thread of its own writes the lines, so that the log delays no call. If the log consumer is too
/// slow, lines are dropped. The remaining lines are written when the guard is dropped.
pub fn to_stderr(form: &Form) -> WorkerGuard {
    let configured = env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let default = match form {
        Form::Off => "off",
        Form::Text => COMMANDS,
        Form::Json => SERVER,
    };
    let filter = EnvFilter::builder().parse_lossy(configured.as_deref().unwrap_or(default));
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(MAX_WAITING_LINES).finish(WithoutKeys(anstream::stderr()));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match form {
        Form::Off | Form::Text => log.without_time().init(),
        Form::Json => log.json().with_span_list(false).init(),
    }
    guard
}

/// A writer that leaves out lines that hold a key or a part of one. Dependencies log whole messages
/// at their most verbose level.
struct WithoutKeys<W>(W);

impl<W: Write> Write for WithoutKeys<W> {
    /// Writes one line. The subscriber passes a whole line in each call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let holds_key = holds_part_of_key(&String::from_utf8_lossy(line));
        self.0.write_all(if holds_key { REDACTED } else { line })?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
