//! The tests of the whole program.

mod cli;
mod command;
mod gateways;
mod hostile_clients;
mod http;
mod mcp;
mod readme;
mod server;
