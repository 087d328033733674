"""What the storage must guarantee, as `tests/storage.rs` and `tests/sqlite.rs` ask it of keycell's own."""

import multiprocessing
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keycell_host.database import MIGRATIONS, open_database
from keycell_host.storage import sqlite_storage
from keycell_host.wit import KeyFilter, KeyRecord, Storage, StorageError

from .world import insert_project

KEY = KeyRecord(
    id="id-1",
    prefix="keycell",
    lookup="lookup-1",
    hash=bytes(range(32)),
    user_id="ann",
    project_id=None,
    name='Zoë\'s "key" \U0001f511',
    scopes=["a:b", "c"],
    created_at=1_900_000_000_123,
    updated_at=1_900_000_000_124,
    expires_at=253_402_300_799_999,
    last_used_at=None,
    revoked_at=None,
    revocation_reason=None,
    rotated_from=None,
    rotated_to=None,
    revision=0,
)
OTHER = replace(KEY, id="id-2", lookup="lookup-2")
PROJECT = "0192a000-0000-7000-8000-00000000000a"


@pytest.fixture
def storage(database: Path) -> Storage:
    return sqlite_storage(open_database(database))


def failure(storage: Storage, function: Callable[..., Any], *arguments: Any) -> str:
    """The kind of failure that the component is told of."""
    with pytest.raises(Exception) as failed:
        function(*arguments)
    error = failed.value
    return (error if isinstance(error, StorageError) else storage.fault(error)).kind


def test_a_record_is_there_after_a_restart_as_it_was(database: Path) -> None:
    full = replace(KEY, project_id=PROJECT)
    bare = replace(OTHER, expires_at=None, scopes=[])
    with closing(open_database(database)) as connection:
        insert_project(database, PROJECT, "web", ["ann"])
        sqlite_storage(connection).insert_key(full)
        sqlite_storage(connection).insert_key(bare)
    with closing(open_database(database)) as connection:
        storage = sqlite_storage(connection)
        assert storage.find_key("id-1") == full
        assert storage.find_key_by_lookup("lookup-2") == bare


def test_the_file_is_for_its_user_alone(storage: Storage, database: Path) -> None:
    storage.insert_key(KEY)
    files = list(database.parent.iterdir())
    assert len(files) > 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_taken_id_or_lookup_is_a_conflict_and_changes_nothing(storage: Storage) -> None:
    storage.insert_key(KEY)
    for taken in [replace(OTHER, id="id-1"), replace(OTHER, lookup="lookup-1")]:
        assert failure(storage, storage.insert_key, taken) == "conflict"
    assert storage.find_key("id-1") == KEY
    assert failure(storage, storage.find_key, "id-2") == "not-found"


def test_any_other_fault_is_internal_and_the_log_has_its_cause(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="CHECK") as failed:
        storage.insert_key(replace(KEY, hash=b"short"))
    fault = storage.fault(failed.value)
    assert fault.kind == "internal"
    assert f"{fault.correlation_id}: {failed.value}" in caplog.text


def test_an_update_changes_what_may_change(storage: Storage) -> None:
    storage.insert_key(KEY)
    storage.insert_key(OTHER)
    storage.record_use("id-1", 77)
    changed = replace(
        KEY, name="new", updated_at=8, expires_at=9, revoked_at=10, revocation_reason="why", rotated_to="id-2"
    )
    # What may not change is passed all the same.
    storage.update_key(replace(changed, hash=bytes(32), user_id="eve", scopes=[], created_at=1, last_used_at=1))
    assert storage.find_key("id-1") == replace(changed, revision=1, last_used_at=77)
    assert storage.find_key("id-2") == OTHER


def test_an_update_of_an_older_revision_is_a_conflict(storage: Storage) -> None:
    storage.insert_key(KEY)
    storage.update_key(replace(KEY, updated_at=5))
    for late in [replace(KEY, updated_at=6), OTHER]:
        assert failure(storage, storage.update_key, late) == "conflict"
    assert storage.find_key("id-1").updated_at == 5
    assert failure(storage, storage.find_key, "id-2") == "not-found"


def test_a_rotation_stores_both_records_or_none(storage: Storage) -> None:
    storage.insert_key(KEY)
    rotated, new = replace(KEY, rotated_to="id-2"), replace(OTHER, rotated_from="id-1")
    for key, replacement in [(rotated, replace(new, lookup="lookup-1")), (replace(rotated, revision=7), new)]:
        assert failure(storage, storage.rotate_key, key, replacement) == "conflict"
        assert storage.find_key("id-1") == KEY
        assert failure(storage, storage.find_key, "id-2") == "not-found"
    storage.rotate_key(rotated, new)
    assert storage.find_key("id-1") == replace(rotated, revision=1)
    assert storage.find_key("id-2") == new


def test_a_list_is_filtered_and_goes_from_new_to_old(storage: Storage, database: Path) -> None:
    insert_project(database, PROJECT, "web", ["ann"])
    for n, expires_at, revoked_at in [(1, None, None), (2, 10, None), (3, 11, None), (4, 9, 5), (5, None, 5)]:
        project_id = PROJECT if n % 2 == 0 else None
        key = replace(KEY, id=f"id-{n}", lookup=f"lookup-{n}", expires_at=expires_at, project_id=project_id)
        storage.insert_key(key)
        storage.update_key(replace(key, revoked_at=revoked_at))
    storage.insert_key(replace(KEY, id="id-6", lookup="lookup-6", user_id="bob"))
    every = KeyFilter("ann", None, None, None, None, None, 10)
    for filter, expected in [
        (every, [5, 4, 3, 2, 1]),
        (replace(every, limit=2), [5, 4]),
        (replace(every, before="id-3"), [2, 1]),
        (replace(every, before="id-35", limit=1), [3]),
        (replace(every, project_id=PROJECT), [4, 2]),
        (replace(every, revoked=True), [5, 4]),
        (replace(every, revoked=False, expires_after=10), [3, 1]),
        (replace(every, revoked=False, expires_until=10), [2]),
        (replace(every, user_id="bob"), [6]),
        (replace(every, user_id="eve"), []),
    ]:
        assert [key.id for key in storage.list_keys(filter)] == [f"id-{n}" for n in expected], filter


def test_a_project_is_found_by_its_members_alone(storage: Storage, database: Path) -> None:
    insert_project(database, PROJECT, "web", ["ann"])
    assert storage.find_project("id", PROJECT, "ann") == PROJECT
    assert storage.find_project("slug", "web", "ann") == PROJECT
    for by, name, user_id in [("slug", "web", "eve"), ("id", PROJECT, "eve"), ("id", "web", "ann")]:
        assert failure(storage, storage.find_project, by, name, user_id) == "not-found"


def test_a_use_is_only_moved_forward(storage: Storage, database: Path) -> None:
    storage.insert_key(KEY)
    for at, expected in [(5, 5), (9, 9), (7, 9)]:
        storage.record_use("id-1", at)
        assert storage.find_key("id-1") == replace(KEY, last_used_at=expected)
    other_process = sqlite_storage(open_database(database))
    other_process.record_use("id-1", 8)
    assert other_process.find_key("id-1").last_used_at == 9


def test_a_locked_database_is_unavailable_and_a_use_is_no_reason_to_fail(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = open_database(database)
    connection.execute("PRAGMA busy_timeout = 50")
    storage = sqlite_storage(connection)
    storage.insert_key(KEY)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert failure(storage, storage.insert_key, OTHER) == "unavailable"
    storage.record_use("id-1", 5)
    assert "the use of a key is not stored: database is locked" in caplog.text
    assert storage.find_key("id-1") == KEY
    other.execute("ROLLBACK")
    storage.insert_key(OTHER)


def test_a_newer_schema_is_refused_and_left_as_it_is(database: Path) -> None:
    with closing(open_database(database)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    with pytest.raises(sqlite3.NotSupportedError, match="newer keycell"):
        open_database(database)
    assert sqlite3.connect(database).execute("PRAGMA user_version").fetchone() == (1000,)


def test_without_the_schema_nothing_is_opened_and_none_is_made(database: Path, tmp_path: Path) -> None:
    for folder in [tmp_path, tmp_path / "missing"]:
        with pytest.raises(FileNotFoundError, match="no migrations in .*" + folder.name):
            open_database(database, migrations=folder)
        assert not database.exists()


def test_the_schema_may_be_kept_elsewhere(database: Path, tmp_path: Path) -> None:
    shutil.copytree(MIGRATIONS, tmp_path / "copy")
    with closing(open_database(database, migrations=tmp_path / "copy")) as connection:
        sqlite_storage(connection).insert_key(KEY)
    assert sqlite_storage(open_database(database)).find_key("id-1") == KEY


def test_a_file_that_is_no_database_is_refused(database: Path) -> None:
    database.write_text("no database, but long enough to be taken for one" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        open_database(database)


def test_a_new_file_may_be_opened_by_many_at_the_same_moment(database: Path) -> None:
    processes = 4
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for round in range(20):
            file = database.with_suffix(f".{round}")
            moment = time.monotonic() + 0.05
            pool.starmap(open_and_insert, [(file, n, moment) for n in range(processes)], chunksize=1)
            every = KeyFilter("ann", None, None, None, None, None, processes)
            assert len(sqlite_storage(open_database(file)).list_keys(every)) == processes


def open_and_insert(file: Path, n: int, moment: float) -> None:
    while time.monotonic() < moment:
        pass
    with closing(open_database(file)) as database:
        sqlite_storage(database).insert_key(replace(KEY, id=f"id-{n}", lookup=f"lookup-{n}"))
