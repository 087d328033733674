//! The server in this process, on storage in memory.

mod authentication;
mod connections;
mod errors;
mod limits;
mod mcp;
mod stdio;
mod storage;
mod support;
