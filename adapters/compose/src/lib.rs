//! Composes keycell's component with the adapter from `wasi:keyvalue`.

#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use wac_graph::{CompositionGraph, EncodeOptions, plug, types::Package};

/// The adapter, as a component.
pub static KEYVALUE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keyvalue.wasm"));

/// Composes `keycell` with the adapter, which implements its storage, limits and context.
///
/// # Errors
///
/// `keycell` is not a component, or imports nothing that the adapter exports.
pub fn compose(keycell: &[u8]) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut register = |name: &str, component: &[u8]| {
        let package = Package::from_bytes(name, None, component.to_vec(), graph.types_mut())?;
        anyhow::Ok(graph.register_package(package)?)
    };
    let socket = register("keycell", keycell).context("not a component that can be composed")?;
    let adapter = register("keyvalue", KEYVALUE)?;
    plug(&mut graph, vec![adapter], socket)?;
    Ok(graph.encode(EncodeOptions::default())?)
}
