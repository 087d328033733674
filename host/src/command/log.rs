//! The log: what the library, the server and their dependencies tell, on standard error.

use std::io::{self, Write};

use keycell::holds_form_of_key;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

const LEFT_OUT: &[u8] = b"(a line with an API key in it was left out)\n";

/// All that keycell tells, and what is wrong elsewhere. The SDK would warn of each mistake of a client.
const DEFAULT: &str = "warn,rmcp=error,keycell=info";

/// How the log is written.
pub enum Form {
    /// Lines for people, from this level on.
    Text(LevelFilter),
    /// One JSON object a line, with all that keycell itself tells.
    Json,
}

/// Begins to log. `RUST_LOG` says how much, if it is set.
pub fn to_stderr(form: &Form) {
    match form {
        Form::Text(level) => {
            let filter = EnvFilter::builder().with_default_directive((*level).into()).from_env_lossy();
            let writer = || WithoutKeys(anstream::stderr());
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).without_time().init();
        }
        Form::Json => {
            let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
            let writer = || WithoutKeys(io::stderr());
            tracing_subscriber::fmt().json().with_span_list(false).with_env_filter(filter).with_writer(writer).init();
        }
    }
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
