//! HTTP and MCP server for keycell, over any storage.
//!
//! ```no_run
//! use keycell::{AnyStorage, Keycell, MemoryStorage};
//! use keycell_server::Server;
//! use tokio::net::TcpListener;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let keycell = Keycell::new(AnyStorage::new(MemoryStorage::default()))?;
//! let listener = TcpListener::bind("127.0.0.1:8787").await?;
//! let stop = std::future::pending();
//! Server::new(keycell).allowed_hosts(["keys.example.com"]).serve(listener, stop).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Server`] passes each presented key to the component, which authenticates it and does the work
//! in one call. [`serve_stdio`] serves one caller that the embedding program has authenticated.
//!
//! # Routes
//!
//! | route | purpose |
//! | --- | --- |
//! | `/mcp` | the tools over MCP |
//! | `/v1/keys`, `/v1/events` | the tools as REST |
//! | `/v1/caller` | the owner and the rights of the presented key |
//! | `/v1/projects` | projects and their members |
//! | `/v1/authorize` | authorization requests of gateways |
//! | `/v1/introspect`, `/v1/revoke` | RFC 7662 and RFC 7009 |
//! | `/openapi.json` | the description of these routes |
//! | `/healthz`, `/readyz`, `/metrics` | operation |
//! | `/console`, `/tools` | the pages for people |
//!
//! # Features
//!
//! - `pages` (default): the pages for people.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![allow(clippy::result_large_err, reason = "the error of a handler is its response, which is returned once")]

mod http;
mod json;
mod mcp;
mod message;
mod outcome;
mod server;
#[cfg(feature = "pages")]
mod sign_in;
mod stdio;

pub use http::is_host;
pub use ipnet::IpNet;
pub use mcp::{McpOptions, SchemaError};
pub use server::{Server, ServerError};
#[cfg(feature = "pages")]
pub use sign_in::SignIn;
pub use stdio::{StdioError, serve_lines, serve_stdio};
