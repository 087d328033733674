//! What the composed component exports, and the key-value store that it imports.

pub mod exports {
    wasmtime::component::bindgen!({
        inline: "package keycell:composed; world composed { export keycell:api-keys/api-keys@0.1.0; }",
        path: "../../wit",
        additional_derives: [PartialEq],
    });
}

pub mod keyvalue {
    wasmtime::component::bindgen!({
        world: "wasi:keyvalue/imports",
        path: "../keyvalue/wit/deps/keyvalue",
        with: { "wasi:keyvalue/store.bucket": crate::shared_bucket::Bucket },
        imports: { default: trappable },
    });
}

pub use exports::{
    Composed,
    exports::keycell::api_keys::api_keys::{Error, Guest as ApiKeys, KeyStatus, Refusal, Subject, Verification},
};
