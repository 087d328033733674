//! The storage matrix on `MemoryStorage`, and storages with one fault each that it catches.

use keycell::MemoryStorage;

keycell_conformance::storage_tests!(async || ((), MemoryStorage::default()));
