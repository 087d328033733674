//! The adapter from `wasi:keyvalue` to keycell's storage, caller and policy.
//!
//! [`keys`] is what it does: how a key is kept in entries of a bucket so that no change is lost and
//! nothing half-done is seen. [`names`] and [`entries`] are how entries are called and what is in
//! them, [`claim`] is the one thing that is atomic, [`projects`] and [`context`] are what the
//! bucket's owner has written. On `wasm32` the module `guest` exports them as the world `keyvalue`.

#![deny(missing_docs, unsafe_code)]

pub mod bucket;
pub mod claim;
pub mod context;
pub mod entries;
pub mod incident;
pub mod keys;
pub mod names;
pub mod projects;

#[cfg(target_arch = "wasm32")]
mod guest;

/// The types of the world `keyvalue`.
#[allow(missing_docs, unsafe_code, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        world: "keycell:keyvalue/keyvalue",
        path: ["../../wit", "wit"],
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
    });
}

pub use bindings::exports::keycell::api_keys::{context as context_types, storage};
