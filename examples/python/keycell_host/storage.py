"""Key storage in a SQLite file, which keycell's own host may have open at the same time."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wasmtime.component import Variant

from .authority import Json, KeycellError, log_cause

APPLICATION_ID = 0x6B657963  # "keyc"
SCHEMA = 2
TAKEN = re.compile("SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)")
TEMPORARY = re.compile("SQLITE_(BUSY|CANTOPEN|FULL|IOERR|LOCKED|NOMEM|PERM|PROTOCOL|READONLY)")
LIMIT = ["rate_limit_requests", "rate_limit_window_seconds"]
CHANGES = "name updated_at expires_at revoked_at revocation_reason rotated_to metadata".split()
SECRET = "prefix lookup hash updated_at".split()
STATUS = {
    "all": "TRUE",
    "active": "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)",
    "expired": "revoked_at IS NULL AND expires_at <= :now",
    "revoked": "revoked_at IS NOT NULL",
}
FILTERS = {name: f"{name} = :{name}" for name in ["key_id", "user_id", "project_id"]}
FILTERS |= {"since": "id >= :since", "before": "id < :before"}

sqlite3.register_adapter(list, json.dumps)


def open_database(path: Path) -> sqlite3.Connection:
    """Opens a database that exists. Only the thread that opened it may use it."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    database = sqlite3.connect(uri, timeout=4.0, isolation_level=None, uri=True)
    check_schema(database)
    # Fails while another process opens the new file. The next opening sets the mode.
    with suppress(sqlite3.OperationalError):
        database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    return database


def check_schema(database: sqlite3.Connection) -> None:
    """Refuses a database of another program, and one that another process has migrated."""
    query = "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
    if tuple(database.execute(query).fetchone()) != (APPLICATION_ID, SCHEMA):
        remedy = "migrate it, or use a newer host"
        raise sqlite3.NotSupportedError(f"not a keycell database of schema {SCHEMA}: {remedy}")


class SqliteStorage:
    """Storage in a database with keycell's schema. `wit/storage.wit` defines each function."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.row_factory = sqlite3.Row

    def insert_key(self, key: Json, event: Json, request: Json | None) -> None:
        with self._write():
            self._insert("api_keys", key)
            self._insert("events", event)
            if request:
                expired = "DELETE FROM idempotent_requests WHERE expires_at <= :created_at"
                self._database.execute(expired, columns(key))
                self._insert("idempotent_requests", request)

    def find_key(self, id: str, viewer: str) -> Json:
        role = "project_members m ON m.project_id = k.project_id AND m.user_id = ?"
        key = self._find(f"k.*, role FROM api_keys k LEFT JOIN {role} WHERE id = ?", viewer, id)
        return {"role": key.pop("role"), "key": key}

    def find_key_by_lookup(self, lookup: str) -> Json:
        return self._find("* FROM api_keys WHERE lookup = ?", lookup)

    def find_request(self, user_id: str, idempotency_key: str, now: int) -> Json:
        conditions = "user_id = ? AND idempotency_key = ? AND expires_at > ?"
        query = f"* FROM idempotent_requests WHERE {conditions}"
        return self._find(query, user_id, idempotency_key, now)

    def list_keys(self, filter: Json) -> list[Json]:
        return self._list("api_keys", filter)

    def list_events(self, filter: Json) -> list[Json]:
        return self._list("events", filter)

    def update_key(self, key: Json, event: Json) -> None:
        with self._write():
            self._update(key, event, CHANGES + LIMIT)

    def rotate_key(self, key: Json, event: Json, new: Json, new_event: Json) -> None:
        with self._write():
            self._insert("api_keys", new)  # First, because the key refers to it.
            self._insert("events", new_event)
            self._update(key, event, CHANGES + LIMIT)

    def replace_secret(self, key: Json, event: Json) -> None:
        with self._write():
            self._update(key, event, SECRET, "lookup <> :lookup AND last_used_at IS NULL")

    def record_use(self, id: str, at: int) -> None:
        forward = "SET last_used_at = ?2 WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2"
        try:
            self._database.execute(f"UPDATE api_keys {forward}", [id, at])
        except sqlite3.Error as error:  # The key is valid all the same.
            log_cause(f"the use of a key is not stored: {error}")

    def find_project(self, reference: Variant, user_id: str) -> Json:
        role = "project_members ON project_id = id AND user_id = ?"
        query = f"id AS project_id, role FROM projects LEFT JOIN {role} WHERE {reference.tag} = ?"
        return self._find(query, user_id, reference.payload)

    def _find(self, query: str, *parameters: object) -> Json:
        if rows := self._rows(query, parameters):
            return rows[0]
        raise KeycellError("not-found")

    def _list(self, table: str, filter: Json) -> list[Json]:
        # Only what the filter sets is a condition, so that SQLite can use an index.
        conditions = [FILTERS[name] for name in FILTERS if filter.get(name) is not None]
        conditions.append(STATUS[filter.get("status", "all")])
        condition = " AND ".join(conditions)
        return self._rows(f"* FROM {table} WHERE {condition} ORDER BY id DESC LIMIT :limit", filter)

    def _rows(self, query: str, parameters: Any) -> list[Json]:
        with converted_errors():
            return [record(row) for row in self._database.execute(f"SELECT {query}", parameters)]

    @contextmanager
    def _write(self) -> Iterator[None]:
        """Does all of a write or nothing."""
        with converted_errors(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            check_schema(self._database)
            yield

    def _insert(self, table: str, record: Json) -> None:
        values = columns(record)
        names, parameters = ", ".join(values), ", :".join(values)
        self._database.execute(f"INSERT INTO {table} ({names}) VALUES (:{parameters})", values)

    def _update(self, key: Json, event: Json, names: list[str], condition: str = "TRUE") -> None:
        changes = ", ".join(f"{name} = :{name}" for name in names)
        condition = f"id = :id AND revision = :revision AND {condition}"
        statement = f"UPDATE api_keys SET {changes}, revision = revision + 1 WHERE {condition}"
        if self._database.execute(statement, columns(key)).rowcount == 0:
            raise KeycellError("conflict")
        self._insert("events", event)


def columns(record: Json) -> Json:
    """A row has the rate limit of a key in two columns."""
    values = dict(record)
    if "rate_limit" in values:
        limit = values.pop("rate_limit") or {}
        values |= {name: limit.get(name.removeprefix("rate_limit_")) for name in LIMIT}
    return values


def record(row: sqlite3.Row) -> Json:
    values = dict(row)
    for name in values.keys() & {"scopes", "fields"}:
        values[name] = json.loads(values[name])
    if "rate_limit_requests" in values:
        limit = {name.removeprefix("rate_limit_"): values.pop(name) for name in LIMIT}
        values["rate_limit"] = limit if limit["requests"] else None
    return values


@contextmanager
def converted_errors() -> Iterator[None]:
    """Converts SQLite's errors into the WIT's. The cause goes to the log."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if TAKEN.match(name):
            raise KeycellError("conflict") from error
        internal = KeycellError("internal", log_cause(error))
        raise KeycellError("unavailable") if TEMPORARY.match(name) else internal from error
