//! The tests of the host and of the component in it.

mod cli;
mod command;
mod conformance;
mod http;
mod lifecycle;
mod mcp;
mod readme;
mod server;
mod sqlite;
