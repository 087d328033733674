//! MCP on standard input and output, one message a line.

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use keycell::{AnyStorage, Caller, Keycell};
use rmcp::{
    RoleServer, ServiceExt,
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    service::ServerInitializeError,
    transport::{Transport, stdio_pipes},
};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::Mutex,
    task::JoinSet,
    time::timeout,
};
use zeroize::Zeroizing;

use crate::{
    mcp::{Callers, McpOptions, McpServer, SchemaError},
    message::{self, MessageError},
};

/// The time for running calls to complete when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum length of a line in bytes.
const MAX_LINE: usize = 1 << 20;
/// The maximum number of error answers that wait to be written.
const MAX_WAITING: usize = 16;

/// The reason why MCP on standard input and output ended with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StdioError {
    /// The server cannot be set up.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The client did not begin with a request of MCP. What it sent is not repeated: it may hold a
    /// key.
    #[error("the client did not begin with a request of MCP: start it from an MCP client")]
    Handshake,
}

/// Serves the tools for one caller on standard input and output, until the input ends or `stop` is
/// ready.
///
/// # Errors
///
/// [`StdioError::Handshake`] if the client does not speak MCP.
pub async fn serve_stdio(
    keycell: Arc<Keycell<AnyStorage>>,
    caller: Caller,
    options: McpOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), StdioError> {
    serve_lines(keycell, caller, options, stdio_pipes(), stop).await
}

/// Serves the tools for one caller on any pair of input and output, as [`serve_stdio`] does.
///
/// # Errors
///
/// [`StdioError::Handshake`] if the client does not speak MCP.
pub async fn serve_lines<R, W>(
    keycell: Arc<Keycell<AnyStorage>>,
    caller: Caller,
    options: McpOptions,
    (input, output): (R, W),
    stop: impl Future<Output = ()>,
) -> Result<(), StdioError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let server = McpServer::new(keycell, Callers::One(caller), options)?;
    let mut stop = pin!(stop);
    let begun = tokio::select! {
        begun = server.serve(Lines::new(input, output)) => begun,
        () = &mut stop => return Ok(()),
    };
    let running = match begun {
        Ok(running) => running,
        // The client left before it sent a message.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(_) => return Err(StdioError::Handshake),
    };
    let cancel = running.cancellation_token();
    let mut ended = pin!(running.waiting());
    tokio::select! {
        _ = &mut ended => {}
        () = stop => {
            cancel.cancel();
            // The server does not wait for a client that does not read its responses.
            let _ = timeout(SHUTDOWN_TIMEOUT, ended).await;
        }
    }
    Ok(())
}

/// The transport: messages as lines of JSON. A line that is not a message is answered with an
/// error.
struct Lines<R, W> {
    input: BufReader<R>,
    line: Zeroizing<Vec<u8>>,
    /// Whether the rest of a line that is too long is being skipped.
    is_skipping: bool,
    output: Arc<Mutex<W>>,
    errors: JoinSet<()>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Send + Unpin + 'static> Lines<R, W> {
    fn new(input: R, output: W) -> Self {
        Self {
            input: BufReader::new(input),
            line: Zeroizing::default(),
            is_skipping: false,
            output: Arc::new(Mutex::new(output)),
            errors: JoinSet::new(),
        }
    }

    /// Reads a line; `None` at the end of the input. A call that is dropped loses nothing.
    async fn next_line(&mut self) -> Option<Result<Zeroizing<Vec<u8>>, MessageError>> {
        loop {
            let available = match self.input.fill_buf().await {
                Ok(available) => available,
                Err(error) => {
                    tracing::error!("standard input cannot be read: {error}");
                    return None;
                }
            };
            let newline = available.iter().position(|&byte| byte == b'\n');
            let is_end = newline.is_some() || available.is_empty();
            let taken = newline.map_or(available.len(), |at| at + 1);
            if available.is_empty() && self.line.is_empty() {
                return None;
            }
            let is_too_long = !self.is_skipping && self.line.len() + taken > MAX_LINE;
            if !self.is_skipping && !is_too_long {
                self.line.extend(available.iter().take(taken));
            }
            self.input.consume(taken);
            if is_too_long {
                self.line = Zeroizing::default();
                self.is_skipping = !is_end;
                return Some(Err(MessageError::TooLong(MAX_LINE)));
            }
            if is_end && !std::mem::take(&mut self.is_skipping) {
                return Some(Ok(std::mem::take(&mut self.line)));
            }
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(&mut self, message: ServerJsonRpcMessage) -> impl Future<Output = io::Result<()>> + Send + 'static {
        write(Arc::clone(&self.output), message)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            while self.errors.len() >= MAX_WAITING {
                self.errors.join_next().await;
            }
            let line = self.next_line().await?;
            let message = match &line {
                Ok(line) if line.trim_ascii().is_empty() => continue,
                Ok(line) => message::parse(line),
                Err(error) => Err(error.clone()),
            };
            match message {
                Ok(message) => return Some(message),
                Err(error) => {
                    let answer = write(Arc::clone(&self.output), error.to_message());
                    self.errors.spawn(async {
                        if let Err(error) = answer.await {
                            tracing::debug!("an error could not be sent: {error}");
                        }
                    });
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        while self.errors.join_next().await.is_some() {}
        Ok(())
    }
}

/// Writes a message as one line.
async fn write<W: AsyncWrite + Unpin>(output: Arc<Mutex<W>>, message: impl Serialize) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(&message)?);
    line.push(b'\n');
    let mut output = output.lock().await;
    output.write_all(&line).await?;
    output.flush().await
}
