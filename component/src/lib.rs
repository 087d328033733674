//! The rules of keycell: one module a rule, each a pure function of its arguments.
//!
//! [`key`] is the format, [`name`], [`expiry`], [`project`], [`scopes`] and [`id`] parse what
//! callers say into types that can't be wrong, [`access`] decides who may do what, and [`fault`]
//! names what can be wrong with an argument. On `wasm32` the module `guest` exports them as the
//! world `keycell`; elsewhere this is a library with no imports at all.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(missing_docs, unsafe_code)]

extern crate alloc;

pub mod access;
pub mod base62;
pub mod expiry;
pub mod fault;
pub mod id;
pub mod key;
pub mod name;
pub mod nfc;
pub mod project;
pub mod scopes;
pub mod status;
pub mod time;

#[cfg(target_arch = "wasm32")]
mod guest;
