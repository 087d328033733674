//! Tests on a PostgreSQL server, in one binary, because each links wasmtime.

mod changes;
mod errors;
mod failover;
mod migrations;
mod server;
mod suite;
