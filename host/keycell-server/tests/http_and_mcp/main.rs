//! The server in this process, on storage in memory.

mod authentication;
mod connections;
mod errors;
mod gateways;
mod limits;
mod mcp;
mod projects;
mod rest;
mod stdio;
mod storage;
mod support;
