//! The tests of the whole program.

mod cli;
mod command;
mod conformance;
mod http;
mod lifecycle;
mod mcp;
mod readme;
mod server;
