//! The component: the built-in one, or any other that satisfies the world.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component};

use crate::{hex::hex, pool::Pool};

static BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keycell.wasm"));
static BUILT_IN_COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keycell.cwasm"));

/// Why a component can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// There is no file to read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no component, or not of the world `keycell:api-keys/keycell@0.1.0`.
    #[error("not a component of the world keycell:api-keys/keycell@0.1.0: {0}")]
    World(String),
    /// The sandbox can't be set up on this machine.
    #[error("the sandbox can't be set up: {0}")]
    Engine(String),
}

impl ComponentError {
    pub(crate) fn world(error: &wasmtime::Error) -> Self {
        Self::World(format!("{error:#}"))
    }

    pub(crate) fn engine(error: &wasmtime::Error) -> Self {
        Self::Engine(format!("{error:#}"))
    }
}

/// A component that is ready to be instantiated.
#[derive(Clone)]
pub struct Component {
    pub(crate) pool: &'static Pool,
    pub(crate) compiled: component::Component,
    bytes: std::borrow::Cow<'static, [u8]>,
}

impl Component {
    /// The component that is part of this library. It was compiled when the library was.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Engine`] where the system gives no memory for the pool of instances.
    pub fn built_in() -> Result<Self, ComponentError> {
        let pool = Pool::get()?;
        let compiled = match deserialize_built_in(&pool.engine) {
            Some(compiled) => compiled,
            // Built for another processor than this one.
            None => {
                component::Component::new(&pool.engine, BUILT_IN).map_err(|error| ComponentError::engine(&error))?
            }
        };
        Ok(Self { pool, compiled, bytes: BUILT_IN.into() })
    }

    /// Somebody's component, from its WebAssembly.
    ///
    /// # Errors
    ///
    /// [`ComponentError::World`] if it is no component. Whether it is one of the world `keycell`
    /// is known when a [`Keycell`](crate::Keycell) is built with it.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ComponentError> {
        let pool = Pool::get()?;
        let compiled =
            component::Component::new(&pool.engine, &bytes).map_err(|error| ComponentError::world(&error))?;
        Ok(Self { pool, compiled, bytes: bytes.into() })
    }

    /// Somebody's component, from a `.wasm` file.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Read`], and those of [`Component::from_bytes`].
    pub fn from_file(path: &Path) -> Result<Self, ComponentError> {
        let bytes = std::fs::read(path).map_err(|source| ComponentError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(bytes)
    }

    /// Its WebAssembly.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of its WebAssembly, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.bytes()))
    }

    /// The interfaces that it imports: all that it can reach.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        self.compiled.component_type().imports(&self.pool.engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// The interfaces that it exports.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        self.compiled.component_type().exports(&self.pool.engine).map(|(name, _)| name.to_owned()).collect()
    }
}

#[allow(unsafe_code)]
fn deserialize_built_in(engine: &Engine) -> Option<component::Component> {
    // SAFETY: the bytes are what this crate's build script had wasmtime compile, are part of this
    // binary, and can't be changed by anybody who can't change the binary. wasmtime itself
    // refuses code of another version, with other settings or for another processor.
    unsafe { component::Component::deserialize(engine, BUILT_IN_COMPILED) }.ok()
}
