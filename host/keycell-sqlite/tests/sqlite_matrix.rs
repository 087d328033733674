//! The storage matrix on `SqliteStorage`.

use keycell_sqlite::SqliteStorage;

keycell_conformance::storage_tests!(async || {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open(directory.path().join("keycell.db")).unwrap();
    (directory, storage)
});
