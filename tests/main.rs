//! The tests of the host and of the component in it.

mod cli;
mod command;
mod conformance;
mod hostile_components;
mod http;
mod lifecycle;
mod mcp;
mod mutants;
mod readme;
mod schemas;
mod server;
mod storage;
mod wrong_components;
