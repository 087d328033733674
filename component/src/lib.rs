//! The rules of keycell. Each module is about one rule, and its functions depend on their arguments
//! only.
//!
//! [`key`] is the format of keys. [`name`], [`expiry`], [`project`], [`scopes`], [`metadata`],
//! [`rate_limit`], [`idempotency`], [`user`] and [`id`] parse arguments into types whose values are
//! valid, and [`argument`] bounds their length. [`access`] decides what a caller may do, and
//! [`fault`] has the faults of arguments. On `wasm32` the module `guest` exports them as the world
//! `keycell`; on other targets this is a library without imports.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(missing_docs, unsafe_code)]

extern crate alloc;

pub mod access;
#[cfg(any(target_arch = "wasm32", test))]
mod arena;
pub mod argument;
pub mod base62;
pub mod event;
pub mod expiry;
pub mod fault;
pub mod id;
pub mod idempotency;
pub mod key;
pub mod metadata;
pub mod name;
pub mod nfc;
pub mod page;
pub mod policy;
pub mod project;
pub mod rate_limit;
pub mod scopes;
mod sorted_set;
pub mod status;
pub mod time;
pub mod user;

#[cfg(target_arch = "wasm32")]
mod guest;
