//! The server in this process, on storage in memory.

mod authentication;
mod connections;
mod errors;
mod gateways;
mod limits;
mod mcp;
#[cfg(not(feature = "pages"))]
mod no_pages;
#[cfg(feature = "pages")]
mod pages;
mod projects;
mod rest;
mod stdio;
mod storage;
mod support;
