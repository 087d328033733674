//! The adapter from `wasi:keyvalue` to keycell's storage, rate limits, caller and policy.
//!
//! [`keys`] keeps keys, events and requests in entries of a bucket so that no change is lost and no
//! half of a change is visible. `names` and `entries` define the entries, `claim` is the one atomic
//! step, [`limits`] counts, and [`projects`] and [`context`] read what the owner of the bucket has
//! written. On `wasm32`, the module `guest` exports them as the world `keyvalue`.

#![deny(missing_docs, unsafe_code)]

pub mod bucket;
mod claim;
pub mod context;
mod entries;
pub mod keys;
pub mod limits;
mod names;
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
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        pub_export_macro: true,
    });
}

pub use bindings::exports::keycell::api_keys::{context as context_types, limits as limits_types, storage};

/// The result of each function.
pub type Result<T> = std::result::Result<T, storage::Error>;
