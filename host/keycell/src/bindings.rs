//! The generated bindings of the world `keycell`.

#![allow(missing_docs, reason = "generated from wit/, which is documented")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "keycell",
    imports: {
        "keycell:api-keys/storage": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
