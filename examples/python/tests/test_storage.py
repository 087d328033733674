"""The guarantees of the storage, and the recognition of its databases."""

import multiprocessing
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from wasmtime.component import Variant

from keycell_host.authority import Json, KeycellError
from keycell_host.create import MIGRATIONS, create_database
from keycell_host.storage import SqliteStorage, open_database

from .world import insert_project

KEY: Json = {
    "id": "id-1",
    "prefix": "keycell",
    "lookup": "lookup-1",
    "hash": bytes(range(32)),
    "user_id": "ann",
    "project_id": None,
    "name": 'Zoë\'s "key" \U0001f511',
    "scopes": ["a:b", "c"],
    "created_at": 1_900_000_000_123,
    "updated_at": 1_900_000_000_124,
    "expires_at": 253_402_300_799_999,
    "last_used_at": None,
    "revoked_at": None,
    "revocation_reason": None,
    "rotated_from": None,
    "rotated_to": None,
    "revision": 0,
    "rate_limit": {"requests": 3, "window_seconds": 60},
    "metadata": '{"plan":"pro"}',
}
OTHER = KEY | {"id": "id-2", "lookup": "lookup-2"}
REQUEST = {"user_id": "ann", "idempotency_key": "first", "key_id": "id-1", "expires_at": 10, "digest": bytes(32)}
PROJECT = "0192a000-0000-7000-8000-00000000000a"
EVERY: Json = {"user_id": None, "project_id": None, "status": "all", "now": 0, "before": None, "limit": 10}
EVENTS: Json = {"key_id": None, "user_id": None, "project_id": None, "since": None, "before": None, "limit": 10}
NUMBERS = count()


def event(action: str, key: Json = KEY) -> Json:
    owner = {"key_id": key["id"], "user_id": key["user_id"], "project_id": key["project_id"]}
    actor = {"actor_user_id": "ann", "actor_key_id": None}
    return {"id": f"event-{next(NUMBERS):03}", "time": 2, "action": action, **owner, **actor, "fields": ["name"]}


def insert(storage: SqliteStorage, key: Json, request: Json | None = None) -> None:
    storage.insert_key(key, event("created", key), request)


@pytest.fixture
def storage(database: Path) -> SqliteStorage:
    create_database(database)
    return SqliteStorage(open_database(database))


def failure(function: Callable[..., Any], *arguments: Any) -> str:
    """The case of the error that the component gets."""
    with pytest.raises(KeycellError) as failed:
        function(*arguments)
    return failed.value.kind


def find(storage: SqliteStorage, id: str) -> Any:
    return plain(storage.find_key(id, "ann")["key"])


def plain(record: Json) -> Json:
    """A record without the columns that only keycell's own host has use for. wasmtime ignores them."""
    return {name: value for name, value in record.items() if name not in ("state", "swept_expiry")}


def test_a_record_is_there_after_a_restart_as_it_was(database: Path) -> None:
    full = KEY | {"project_id": PROJECT}
    bare = OTHER | {"expires_at": None, "scopes": [], "rate_limit": None, "metadata": None}
    create_database(database)
    with closing(open_database(database)) as connection:
        insert_project(database, PROJECT, "web", ["ann"])
        insert(SqliteStorage(connection), full)
        insert(SqliteStorage(connection), bare)
    with closing(open_database(database)) as connection:
        storage = SqliteStorage(connection)
        assert find(storage, "id-1") == full
        assert plain(storage.find_key_by_lookup("lookup-2")) == bare


def test_the_file_is_for_its_user_alone(storage: SqliteStorage, database: Path) -> None:
    insert(storage, KEY)
    files = list(database.parent.iterdir())
    assert len(files) > 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_taken_id_or_lookup_is_a_conflict_and_changes_nothing(storage: SqliteStorage) -> None:
    insert(storage, KEY)
    for taken in [OTHER | {"id": "id-1"}, OTHER | {"lookup": "lookup-1"}]:
        assert failure(insert, storage, taken) == "conflict"
    assert find(storage, "id-1") == KEY
    assert failure(find, storage, "id-2") == "not-found"
    assert len(storage.list_events(EVENTS)) == 1


def test_any_other_fault_is_internal_and_the_log_has_its_cause(
    storage: SqliteStorage, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeycellError) as failed:
        insert(storage, KEY | {"hash": b"short"})
    assert failed.value.kind == "internal"
    assert f"{failed.value.payload}: CHECK" in caplog.text


def test_an_update_changes_what_may_change(storage: SqliteStorage) -> None:
    insert(storage, KEY)
    insert(storage, OTHER)
    storage.record_use("id-1", 77)
    times = {"updated_at": 8, "expires_at": 9, "revoked_at": 10}
    changed = KEY | times | {"name": "new", "revocation_reason": "why", "rotated_to": "id-2"}
    changed |= {"rate_limit": None, "metadata": "{}"}
    # The other fields are ignored.
    ignored = {"hash": bytes(32), "user_id": "eve", "scopes": [], "created_at": 1, "last_used_at": 1}
    updated = event("updated")
    storage.update_key(changed | ignored, updated)
    assert find(storage, "id-1") == changed | {"revision": 1, "last_used_at": 77}
    assert find(storage, "id-2") == OTHER
    assert storage.list_events(EVENTS)[0] == updated


def test_an_update_of_an_older_revision_is_a_conflict(storage: SqliteStorage) -> None:
    insert(storage, KEY)
    storage.update_key(KEY | {"updated_at": 5}, event("updated"))
    for late in [KEY | {"updated_at": 6}, OTHER]:
        assert failure(storage.update_key, late, event("updated")) == "conflict"
    assert find(storage, "id-1")["updated_at"] == 5
    assert failure(find, storage, "id-2") == "not-found"
    assert len(storage.list_events(EVENTS)) == 2


def test_a_rotation_stores_both_records_or_none(storage: SqliteStorage) -> None:
    insert(storage, KEY)
    rotated, new = KEY | {"rotated_to": "id-2"}, OTHER | {"rotated_from": "id-1"}
    for key, replacement in [(rotated, new | {"lookup": "lookup-1"}), (rotated | {"revision": 7}, new)]:
        arguments = [key, event("rotated"), replacement, event("created", OTHER)]
        assert failure(storage.rotate_key, *arguments) == "conflict"
        assert find(storage, "id-1") == KEY
        assert failure(find, storage, "id-2") == "not-found"
    storage.rotate_key(rotated, event("rotated"), new, event("created", OTHER))
    assert find(storage, "id-1") == rotated | {"revision": 1}
    assert find(storage, "id-2") == new
    assert sorted(event["action"] for event in storage.list_events(EVENTS)) == ["created", "created", "rotated"]


def test_a_secret_is_replaced_until_the_key_is_used(storage: SqliteStorage) -> None:
    insert(storage, KEY)
    minted = KEY | {"prefix": "acme", "lookup": "lookup-2", "hash": bytes(32), "updated_at": 5}
    storage.replace_secret(minted | {"name": "ignored"}, event("issued-again"))
    assert plain(storage.find_key_by_lookup("lookup-2")) == minted | {"revision": 1}
    assert failure(storage.find_key_by_lookup, "lookup-1") == "not-found"
    again = minted | {"lookup": "lookup-3"}
    assert failure(storage.replace_secret, again, event("issued-again")) == "conflict"
    storage.record_use("id-1", 9)
    assert failure(storage.replace_secret, again | {"revision": 1}, event("issued-again")) == "conflict"


def test_an_idempotency_key_is_taken_until_its_request_expires(storage: SqliteStorage) -> None:
    insert(storage, KEY, REQUEST)
    assert storage.find_request("ann", "first", 9) == REQUEST
    assert failure(storage.find_request, "ann", "first", 10) == "not-found"
    assert failure(storage.find_request, "bob", "first", 9) == "not-found"
    later = REQUEST | {"key_id": "id-2", "expires_at": 20}
    assert failure(insert, storage, OTHER | {"created_at": 9}, later) == "conflict"
    assert failure(find, storage, "id-2") == "not-found"
    insert(storage, OTHER | {"created_at": 10}, later)
    assert storage.find_request("ann", "first", 10) == later


def test_a_list_is_filtered_and_goes_from_new_to_old(storage: SqliteStorage, database: Path) -> None:
    insert_project(database, PROJECT, "web", ["ann"])
    for n, expires_at, revoked_at in [(1, None, None), (2, 10, None), (3, 11, None), (4, 9, 5), (5, None, 5)]:
        project_id = PROJECT if n % 2 == 0 else None
        key = KEY | {"id": f"id-{n}", "lookup": f"lookup-{n}", "expires_at": expires_at, "project_id": project_id}
        insert(storage, key)
        storage.update_key(key | {"revoked_at": revoked_at}, event("updated", key))
    insert(storage, KEY | {"id": "id-6", "lookup": "lookup-6", "user_id": "bob"})
    filters: list[tuple[Json, list[int]]] = [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"user_id": "ann"}, [5, 4, 3, 2, 1]),
        ({"limit": 2}, [6, 5]),
        ({"before": "id-3"}, [2, 1]),
        ({"before": "id-35", "limit": 1}, [3]),
        ({"project_id": PROJECT}, [4, 2]),
        ({"status": "revoked"}, [5, 4]),
        ({"status": "active", "now": 10}, [6, 3, 1]),
        ({"status": "expired", "now": 10}, [2]),
        ({"user_id": "bob"}, [6]),
        ({"user_id": "eve"}, []),
    ]
    for filter, expected in filters:
        assert [key["id"] for key in storage.list_keys(EVERY | filter)] == [f"id-{n}" for n in expected], filter
    events = storage.list_events(EVENTS | {"project_id": PROJECT})
    assert {event["key_id"] for event in events} == {"id-2", "id-4"}
    ids = [event["id"] for event in storage.list_events(EVENTS | {"limit": 20})]
    assert ids == sorted(ids, reverse=True)
    between = EVENTS | {"since": ids[3], "before": ids[1]}
    assert [event["id"] for event in storage.list_events(between)] == ids[2:4]
    assert len(storage.list_events(EVENTS | {"key_id": "id-1"})) == 2


def test_roles_come_with_projects_and_keys(storage: SqliteStorage, database: Path) -> None:
    insert_project(database, PROJECT, "web", ["ann", {"user": "eve", "role": "admin"}])
    insert(storage, KEY | {"project_id": PROJECT})
    for user, role in [("ann", "member"), ("eve", "admin"), ("bob", None)]:
        for reference in [Variant("id", PROJECT), Variant("slug", "web")]:
            assert storage.find_project(reference, user) == {"project_id": PROJECT, "role": role}
        assert storage.find_key("id-1", user)["role"] == role
    for reference in [Variant("slug", PROJECT), Variant("id", "web")]:
        assert failure(storage.find_project, reference, "ann") == "not-found"


def test_a_use_is_only_moved_forward(storage: SqliteStorage, database: Path) -> None:
    insert(storage, KEY)
    for at, expected in [(5, 5), (9, 9), (7, 9)]:
        storage.record_use("id-1", at)
        assert find(storage, "id-1") == KEY | {"last_used_at": expected}
    other_process = SqliteStorage(open_database(database))
    other_process.record_use("id-1", 8)
    assert find(other_process, "id-1")["last_used_at"] == 9


def test_a_locked_database_is_unavailable_and_a_lost_use_fails_nothing(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    create_database(database)
    connection = open_database(database)
    connection.execute("PRAGMA busy_timeout = 50")
    storage = SqliteStorage(connection)
    insert(storage, KEY)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert failure(insert, storage, OTHER) == "unavailable"
    storage.record_use("id-1", 5)
    assert "the use of a key is not stored: database is locked" in caplog.text
    assert find(storage, "id-1") == KEY
    other.execute("ROLLBACK")
    insert(storage, OTHER)


@pytest.mark.parametrize("version", [1, 1000])
def test_another_schema_is_refused_and_left_as_it_is(database: Path, version: int) -> None:
    create_database(database)
    with closing(open_database(database)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    create_database(database)
    with pytest.raises(sqlite3.NotSupportedError, match="not a keycell database of schema 2: migrate it"):
        open_database(database)
    assert sqlite3.connect(database).execute("PRAGMA user_version").fetchone() == (version,)


def test_an_open_process_notices_a_newer_schema(
    storage: SqliteStorage, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA user_version = 1000")
    assert failure(insert, storage, KEY) == "internal"
    assert "not a keycell database of schema 2" in caplog.text


@pytest.mark.parametrize("sql", ["CREATE TABLE notes (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 5"])
def test_a_database_of_another_program_is_refused_and_left_as_it_is(database: Path, sql: str) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.executescript(sql)
    before = database.read_bytes()
    create_database(database)
    with pytest.raises(sqlite3.NotSupportedError, match="not a keycell database"):
        open_database(database)
    assert database.read_bytes() == before


def test_an_empty_file_becomes_a_database_with_a_write_ahead_log(database: Path) -> None:
    database.touch()
    create_database(database)
    with closing(open_database(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_schema_that_fails_leaves_an_empty_file(database: Path, tmp_path: Path) -> None:
    shutil.copytree(MIGRATIONS, tmp_path / "copy")
    (tmp_path / "copy/9999_broken.sql").write_text("CREATE TABLE late (x); CREATE TABLE late (x);", encoding="utf-8")
    with pytest.raises(sqlite3.OperationalError, match="late already exists"):
        create_database(database, migrations=tmp_path / "copy")
    create_database(database)
    insert(SqliteStorage(open_database(database)), KEY)


def test_without_the_schema_nothing_is_made(database: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        create_database(database, migrations=tmp_path / "missing")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        open_database(database)
    assert not database.exists()


def test_the_schema_may_be_kept_elsewhere(database: Path, tmp_path: Path) -> None:
    shutil.copytree(MIGRATIONS, tmp_path / "copy")
    create_database(database, migrations=tmp_path / "copy")
    insert(SqliteStorage(open_database(database)), KEY)


def test_a_file_that_is_no_database_is_refused(database: Path) -> None:
    database.write_text("no database, but long enough to be taken for one" * 100)
    functions: list[Callable[[Path], object]] = [create_database, open_database]
    for function in functions:
        with pytest.raises(sqlite3.DatabaseError, match="not a database"):
            function(database)


def test_a_new_file_may_be_opened_by_many_at_the_same_moment(database: Path) -> None:
    processes = 4
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for round in range(20):
            file = database.with_suffix(f".{round}")
            moment = time.monotonic() + 0.05
            pool.starmap(open_and_insert, [(file, n, moment) for n in range(processes)], chunksize=1)
            assert len(SqliteStorage(open_database(file)).list_keys(EVERY)) == processes


def open_and_insert(file: Path, n: int, moment: float) -> None:
    while time.monotonic() < moment:
        pass
    create_database(file)
    with closing(open_database(file)) as database:
        key = KEY | {"id": f"id-{n}", "lookup": f"lookup-{n}"}
        SqliteStorage(database).insert_key(key, event("created", key) | {"id": f"event-{n}"}, None)
