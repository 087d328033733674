//! The tests of the whole program.

mod cli;
mod command;
mod gateways;
mod hostile_clients;
mod http;
mod mcp;
#[allow(dead_code, reason = "the tests of the storage need the rest")]
#[path = "../host/keycell-postgres/tests/postgres/server.rs"]
mod postgres_server;
mod readme;
mod server;
