//! The engine, and the pool from which each call gets its instance.

use std::{sync::LazyLock, thread, time::Duration};

use tokio::sync::Semaphore;
use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{component::ComponentError, engine_config};

/// How many instances live at a time; further calls wait for one.
const INSTANCES: u32 = 64;
/// How many of them may be calls that write, so that those that wait for the disk or for a lock
/// leave places for those that only read.
const WRITING_INSTANCES: usize = 48;
/// What the memory of one instance may grow to, in bytes.
pub const MOST_MEMORY: usize = 1 << 20;
/// How much of a memory or table is cleared by hand when its instance is dropped, in bytes. What
/// lies beyond goes back to the system and must be faulted in again.
const KEPT: usize = 128 << 10;
/// The component's own module and the two that wrap it.
const CORE_INSTANCES: u32 = 4;
/// How often a running instance is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// One engine and its pool for the whole process: the pool is address space that need not be had
/// twice.
pub struct Pool {
    pub engine: Engine,
    /// One permit for each instance of the pool.
    pub instances: Semaphore,
    /// One permit for each instance that may be of a call that writes.
    pub writing_instances: Semaphore,
}

impl Pool {
    /// The process's pool, made at the first call.
    pub fn get() -> Result<&'static Self, ComponentError> {
        static POOL: LazyLock<Result<Pool, String>> =
            LazyLock::new(|| Pool::new().map_err(|error| format!("{error:#}")));
        POOL.as_ref().map_err(|error| ComponentError::Engine(error.clone()))
    }

    fn new() -> wasmtime::Result<Self> {
        let mut pooling = PoolingAllocationConfig::new();
        pooling
            .total_component_instances(INSTANCES)
            .total_core_instances(INSTANCES * CORE_INSTANCES)
            .total_memories(INSTANCES)
            .total_tables(INSTANCES * 2)
            .total_stacks(INSTANCES)
            .max_memories_per_component(1)
            .max_tables_per_component(2)
            .max_core_instances_per_component(CORE_INSTANCES)
            .max_memory_size(MOST_MEMORY)
            .linear_memory_keep_resident(KEPT)
            .table_keep_resident(KEPT)
            .pagemap_scan(Enabled::Auto);
        let mut config = engine_config::config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
        let engine = Engine::new(&config)?;

        let ticking = engine.clone();
        thread::Builder::new().name("keycell-epoch".into()).spawn(move || {
            loop {
                thread::sleep(TICK);
                ticking.increment_epoch();
            }
        })?;
        Ok(Self {
            engine,
            instances: Semaphore::new(INSTANCES as usize),
            writing_instances: Semaphore::new(WRITING_INSTANCES),
        })
    }
}
