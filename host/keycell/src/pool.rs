//! The engine, and the pool of instances that all calls of a process share.

use std::{sync::LazyLock, thread, time::Duration};

use tokio::sync::Semaphore;
use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{component::ComponentError, engine_config};

/// The maximum number of instances at the same time; further calls wait.
const MAX_INSTANCES: u32 = 64;
/// The maximum number of instances that are made ahead, for later calls.
const MAX_AHEAD: u32 = 8;
/// The maximum number of calls that write at the same time, so that calls that wait for the disk or
/// for a lock leave slots for reads.
const MAX_WRITES: usize = 32;
/// The maximum number of calls that list at the same time, so that long scans leave slots for
/// reads.
const MAX_LISTS: usize = 16;
/// The maximum size of an instance's memory, in bytes.
pub const MAX_MEMORY: usize = 2 << 20;
/// The number of bytes of a memory or table that are cleared in place when its instance is dropped.
/// Bytes beyond go back to the system and must be faulted in again.
const KEEP_RESIDENT: usize = 128 << 10;
/// The maximum number of core instances in a component: its own module and those that wrap it.
const MAX_CORE_INSTANCES: u32 = 4;
/// The interval of the epoch, which bounds how long an instance computes.
pub const TICK: Duration = Duration::from_millis(10);

/// The engine and its pool. A process has one, because the pool reserves address space.
pub struct Pool {
    pub engine: Engine,
    /// One permit for each instance.
    pub instances: Semaphore,
    /// One permit for each instance that is made ahead.
    pub ahead: Semaphore,
    /// One permit for each call that lists.
    pub lists: Semaphore,
    /// One permit for each call that writes.
    pub writes: Semaphore,
}

impl Pool {
    /// The number of instances that calls hold now.
    pub fn in_use(&self) -> usize {
        (MAX_INSTANCES as usize).saturating_sub(self.instances.available_permits())
    }

    /// The pool of the process, which is created by the first call.
    pub fn get() -> Result<&'static Self, ComponentError> {
        static POOL: LazyLock<Result<Pool, String>> =
            LazyLock::new(|| Pool::new().map_err(|error| format!("{error:#}")));
        POOL.as_ref().map_err(|error| ComponentError::Engine(error.clone()))
    }

    fn new() -> wasmtime::Result<Self> {
        let total = MAX_INSTANCES + MAX_AHEAD;
        let mut pooling = PoolingAllocationConfig::new();
        pooling
            .total_component_instances(total)
            .total_core_instances(total * MAX_CORE_INSTANCES)
            .total_memories(total)
            .total_tables(total * 2)
            .total_stacks(total)
            .max_memories_per_component(1)
            .max_tables_per_component(2)
            .max_core_instances_per_component(MAX_CORE_INSTANCES)
            .max_memory_size(MAX_MEMORY)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
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
            instances: Semaphore::new(MAX_INSTANCES as usize),
            ahead: Semaphore::new(MAX_AHEAD as usize),
            lists: Semaphore::new(MAX_LISTS),
            writes: Semaphore::new(MAX_WRITES),
        })
    }
}
