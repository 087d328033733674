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

from keycell_host.database import MIGRATIONS, open_database
from keycell_host.storage import SqliteStorage
from keycell_host.wit import Json, StorageError

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
    return SqliteStorage(open_database(database))


def failure(function: Callable[..., Any], *arguments: Any) -> str:
    """The case of the error that the component gets."""
    with pytest.raises(StorageError) as failed:
        function(*arguments)
    tag: str = failed.value.variant.tag
    return tag


def find(storage: SqliteStorage, id: str) -> Any:
    return storage.find_key(id, "ann")["key"]


def test_a_record_is_there_after_a_restart_as_it_was(database: Path) -> None:
    full = KEY | {"project_id": PROJECT}
    bare = OTHER | {"expires_at": None, "scopes": [], "rate_limit": None, "metadata": None}
    with closing(open_database(database)) as connection:
        insert_project(database, PROJECT, "web", ["ann"])
        insert(SqliteStorage(connection), full)
        insert(SqliteStorage(connection), bare)
    with closing(open_database(database)) as connection:
        storage = SqliteStorage(connection)
        assert find(storage, "id-1") == full
        assert storage.find_key_by_lookup("lookup-2") == bare


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
    with pytest.raises(StorageError) as failed:
        insert(storage, KEY | {"hash": b"short"})
    assert failed.value.variant.tag == "internal"
    assert f"{failed.value.variant.payload}: CHECK" in caplog.text


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
    assert storage.find_key_by_lookup("lookup-2") == minted | {"revision": 1}
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


def test_a_newer_schema_is_refused_and_left_as_it_is(database: Path) -> None:
    with closing(open_database(database)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    with pytest.raises(sqlite3.NotSupportedError, match="newer keycell"):
        open_database(database)
    assert sqlite3.connect(database).execute("PRAGMA user_version").fetchone() == (1000,)


def test_an_open_process_notices_a_newer_schema(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage = SqliteStorage(open_database(database))
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA user_version = 1000")
    assert failure(insert, storage, KEY) == "internal"
    assert "newer keycell" in caplog.text


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE notes (x)",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 5",
        "CREATE TABLE api_keys (id); PRAGMA user_version = 1",
        "CREATE TABLE t (x); PRAGMA user_version = 9",
    ],
)
def test_a_database_of_another_program_is_refused_and_left_as_it_is(database: Path, sql: str) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.executescript(sql)
    before = database.read_bytes()
    with pytest.raises(sqlite3.NotSupportedError, match="not a keycell database"):
        open_database(database)
    assert database.read_bytes() == before


def test_a_database_of_version_0_1_is_migrated_and_keeps_its_keys(database: Path) -> None:
    columns = "id, prefix, lookup, hash, user_id, name, scopes, created_at, updated_at"
    values = "'id-1', 'keycell', 'lookup-1', zeroblob(32), 'ann', 'old; name', '[]', 1, 1"
    with closing(sqlite3.connect(database)) as old:
        old.executescript((MIGRATIONS / "0001_keys_and_projects.sql").read_text(encoding="utf-8"))
        old.executescript(f"PRAGMA user_version = 1; INSERT INTO api_keys ({columns}) VALUES ({values})")
    found = SqliteStorage(open_database(database)).find_key_by_lookup("lookup-1")
    assert (found["name"], found["rate_limit"]) == ("old; name", None)


def test_a_script_is_split_at_its_statements(database: Path, tmp_path: Path) -> None:
    shutil.copytree(MIGRATIONS, tmp_path / "copy")
    script = """
        CREATE TABLE notes (text TEXT); -- a comment; with a semicolon
        INSERT INTO notes VALUES ('a line;
        and another;
        ');
        CREATE TRIGGER copied AFTER INSERT ON notes BEGIN
            DELETE FROM notes WHERE text = '';
        END;
    """
    (tmp_path / "copy/9999_notes.sql").write_text(script, encoding="utf-8")
    with closing(open_database(database, migrations=tmp_path / "copy")) as connection:
        assert len(connection.execute("SELECT text FROM notes").fetchone()[0].splitlines()) == 3


def test_without_the_schema_nothing_is_opened_and_none_is_made(database: Path, tmp_path: Path) -> None:
    for folder in [tmp_path, tmp_path / "missing"]:
        with pytest.raises(FileNotFoundError, match="no migrations in .*" + folder.name):
            open_database(database, migrations=folder)
        assert not database.exists()


def test_the_schema_may_be_kept_elsewhere(database: Path, tmp_path: Path) -> None:
    shutil.copytree(MIGRATIONS, tmp_path / "copy")
    with closing(open_database(database, migrations=tmp_path / "copy")) as connection:
        insert(SqliteStorage(connection), KEY)
    assert find(SqliteStorage(open_database(database)), "id-1") == KEY


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
            assert len(SqliteStorage(open_database(file)).list_keys(EVERY)) == processes


def open_and_insert(file: Path, n: int, moment: float) -> None:
    while time.monotonic() < moment:
        pass
    with closing(open_database(file)) as database:
        key = KEY | {"id": f"id-{n}", "lookup": f"lookup-{n}"}
        SqliteStorage(database).insert_key(key, event("created", key) | {"id": f"event-{n}"}, None)
