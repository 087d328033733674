//! Tests on a PostgreSQL server, in one binary, because each links wasmtime.

mod cached;
mod changes;
mod documented;
mod errors;
mod failover;
mod hosts;
mod migrations;
mod partitions;
mod proxy;
mod revocations;
mod server;
mod sizes;
mod suite;
mod tls;
