//! The composed component, on hosts without any code of keycell.

mod bindings;
mod imports;
mod shared_bucket;
mod stock_host;

use std::sync::LazyLock;

use wasmtime::{Engine, component::Component};

/// The composed component, compiled once.
static COMPOSED: LazyLock<(Engine, Component)> = LazyLock::new(|| {
    let keycell = keycell::Component::built_in().unwrap();
    let composed = keycell_compose::compose(keycell.bytes()).unwrap();
    let engine = Engine::default();
    let component = Component::new(&engine, composed).unwrap();
    (engine, component)
});
