//! The component: the built-in one, or another one of the same world.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmparser::Payload;
use wasmtime::{Engine, component};

use crate::{hex::hex, pool::Pool};

static BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keycell.wasm"));
static BUILT_IN_COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keycell.cwasm"));

/// The reason why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is not a component of the world `keycell:api-keys/keycell@0.2.0`.
    #[error("not a component of the world keycell:api-keys/keycell@0.2.0: {0}")]
    World(String),
    /// The sandbox cannot be set up on this machine.
    #[error("the sandbox cannot be set up: {0}; it needs 1 GiB of address space (ulimit -v)")]
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

/// A compiled component.
#[derive(Clone)]
pub struct Component {
    pub(crate) pool: &'static Pool,
    pub(crate) compiled: component::Component,
    bytes: std::borrow::Cow<'static, [u8]>,
}

impl Component {
    /// The component that is part of this library, compiled ahead of time.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Engine`] if the system refuses the memory of the pool.
    pub fn built_in() -> Result<Self, ComponentError> {
        let pool = Pool::get()?;
        let compiled = match deserialize_built_in(&pool.engine) {
            Ok(compiled) => compiled,
            Err(reason) => {
                tracing::warn!(
                    "the component is compiled at run time, because its machine code cannot be loaded: {reason:#}"
                );
                component::Component::new(&pool.engine, BUILT_IN).map_err(|error| ComponentError::engine(&error))?
            }
        };
        Ok(Self { pool, compiled, bytes: BUILT_IN.into() })
    }

    /// Compiles a component from its WebAssembly.
    ///
    /// # Errors
    ///
    /// [`ComponentError::World`] if the bytes are not a component. The world is checked when a
    /// [`Keycell`](crate::Keycell) is built.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ComponentError> {
        let pool = Pool::get()?;
        let compiled =
            component::Component::new(&pool.engine, &bytes).map_err(|error| ComponentError::world(&error))?;
        Ok(Self { pool, compiled, bytes: bytes.into() })
    }

    /// Compiles a component from a `.wasm` file.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Read`], and those of [`Component::from_bytes`].
    pub fn from_file(path: &Path) -> Result<Self, ComponentError> {
        let bytes = std::fs::read(path).map_err(|source| ComponentError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(bytes)
    }

    /// The machine code of the component, for [`Component::from_machine_code`].
    ///
    /// # Errors
    ///
    /// [`ComponentError::Engine`] if the engine cannot write it.
    #[doc(hidden)]
    pub fn machine_code(&self) -> Result<Vec<u8>, ComponentError> {
        self.compiled.serialize().map_err(|error| ComponentError::engine(&error))
    }

    /// Loads a component without compiling it. The tests make components of one compilation that
    /// differ in their data.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Engine`] if the machine code is of another engine.
    ///
    /// # Safety
    ///
    /// `machine_code` must be the result of [`Component::machine_code`] of this component, apart
    /// from the initial content of its memory.
    #[doc(hidden)]
    #[allow(unsafe_code)]
    pub unsafe fn from_machine_code(bytes: Vec<u8>, machine_code: &[u8]) -> Result<Self, ComponentError> {
        let pool = Pool::get()?;
        // SAFETY: the caller guarantees that wasmtime's compiler made it.
        let compiled = unsafe { component::Component::deserialize(&pool.engine, machine_code) };
        Ok(Self { pool, compiled: compiled.map_err(|error| ComponentError::engine(&error))?, bytes: bytes.into() })
    }

    /// The WebAssembly of the component.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the WebAssembly, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.bytes()))
    }

    /// The version of the component, from its custom section `version`. A component made by others
    /// may have none.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        wasmparser::Parser::new(0).parse_all(self.bytes()).find_map(|payload| match payload {
            Ok(Payload::CustomSection(section)) if section.name() == "version" => str::from_utf8(section.data()).ok(),
            _ => None,
        })
    }

    /// The interfaces that the component imports: all that it can reach.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        self.compiled.component_type().imports(&self.pool.engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// The interfaces that the component exports.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        self.compiled.component_type().exports(&self.pool.engine).map(|(name, _)| name.to_owned()).collect()
    }
}

#[allow(unsafe_code)]
fn deserialize_built_in(engine: &Engine) -> wasmtime::Result<component::Component> {
    // SAFETY: the bytes are the output of wasmtime's compiler in this crate's build script, and part
    // of this binary. wasmtime refuses code of another version, other settings or another processor.
    unsafe { component::Component::deserialize(engine, BUILT_IN_COMPILED) }
}
