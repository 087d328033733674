"""Key storage in a SQLite file, which keycell's own host may have open at the same time."""

import json
import re
import sqlite3
from typing import Any

from wasmtime.component import Variant

from .authority import log_cause
from .wit import Json, StorageError

TAKEN = re.compile("SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)")
TEMPORARY = re.compile("SQLITE_(BUSY|CANTOPEN|FULL|IOERR|LOCKED|NOMEM|PERM|PROTOCOL|READONLY)")

LIMIT = ["rate_limit_requests", "rate_limit_window_seconds"]
CHANGES = "name updated_at expires_at revoked_at revocation_reason rotated_to metadata".split() + LIMIT
SECRET = "prefix lookup hash updated_at".split()
KEY = "id user_id project_id created_at last_used_at rotated_from revision scopes prefix lookup hash".split() + CHANGES
TABLES = {
    "api_keys": KEY,
    "events": "id time action key_id user_id project_id actor_user_id actor_key_id fields".split(),
    "idempotent_requests": "user_id idempotency_key key_id expires_at digest".split(),
}
ROLE = "(SELECT role FROM project_members WHERE project_id = {} AND user_id = :user) AS role"
STATUS = {
    "all": "TRUE",
    "active": "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)",
    "expired": "revoked_at IS NULL AND expires_at <= :now",
    "revoked": "revoked_at IS NOT NULL",
}
FILTERS = {name: f"{name} = :{name}" for name in ["key_id", "user_id", "project_id"]}
FILTERS |= {"since": "id >= :since", "before": "id < :before"}


class SqliteStorage:
    """Storage in a database with keycell's schema. `wit/storage.wit` defines what each function guarantees."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._schema = self._version()

    def _version(self) -> Any:
        return self._database.execute("PRAGMA user_version").fetchone()

    def insert_key(self, key: Json, event: Json, request: Json | None) -> None:
        insertions = [(insert("api_keys"), key), (insert("events"), event)]
        if request:
            expired = ("DELETE FROM idempotent_requests WHERE expires_at <= :created_at", key)
            insertions += [expired, (insert("idempotent_requests"), request)]
        self._write(*insertions)

    def find_key(self, id: str, viewer: str) -> Json:
        query = select("api_keys", "id = :id", f", {ROLE.format('api_keys.project_id')}")
        row = self._read(query, {"id": id, "user": viewer})
        return {"role": row.pop("role"), "key": key(row)}

    def find_key_by_lookup(self, lookup: str) -> Json:
        return key(self._read(select("api_keys", "lookup = :lookup"), {"lookup": lookup}))

    def find_request(self, user_id: str, idempotency_key: str, now: int) -> Json:
        conditions = "user_id = :user_id AND idempotency_key = :idempotency_key AND expires_at > :now"
        parameters = {"user_id": user_id, "idempotency_key": idempotency_key, "now": now}
        return self._read(select("idempotent_requests", conditions), parameters)

    def list_keys(self, filter: Json) -> list[Json]:
        return [key(row) for row in self._list("api_keys", filter)]

    def list_events(self, filter: Json) -> list[Json]:
        return [{**row, "fields": json.loads(row["fields"])} for row in self._list("events", filter)]

    def update_key(self, key: Json, event: Json) -> None:
        self._write((update(CHANGES), key), (insert("events"), event))

    def rotate_key(self, key: Json, event: Json, replacement: Json, replacement_event: Json) -> None:
        # The replacement first: the key refers to it.
        keys = [(insert("api_keys"), replacement), (update(CHANGES), key)]
        self._write(*keys, *((insert("events"), each) for each in [event, replacement_event]))

    def replace_secret(self, key: Json, event: Json) -> None:
        is_free = " AND last_used_at IS NULL AND lookup <> :lookup"
        self._write((update(SECRET) + is_free, key), (insert("events"), event))

    def record_use(self, id: str, at: int) -> None:
        try:
            forward = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2"
            self._database.execute(forward, (id, at))
        except sqlite3.Error as error:
            # The key is valid even if its use cannot be recorded now.
            log_cause(f"the use of a key is not stored: {error}")

    def find_project(self, reference: Variant, user_id: str) -> Json:
        query = f"SELECT id AS project_id, {ROLE.format('projects.id')} FROM projects WHERE {reference.tag} = :name"
        return self._read(query, {"name": reference.payload, "user": user_id})

    def _read(self, query: str, parameters: Json) -> Json:
        for row in self._rows(query, parameters):
            return row
        raise StorageError("not-found")

    def _list(self, table: str, filter: Json) -> list[Json]:
        # Only what the filter sets is a condition, so that SQLite can use an index.
        conditions = [STATUS[filter.get("status", "all")]]
        conditions += [condition for name, condition in FILTERS.items() if filter.get(name) is not None]
        return self._rows(f"{select(table, ' AND '.join(conditions))} ORDER BY id DESC LIMIT :limit", filter)

    def _rows(self, query: str, parameters: Json) -> list[Json]:
        try:
            rows = self._database.execute(query, parameters)
            names = [column[0] for column in rows.description]
            return [dict(zip(names, row, strict=True)) for row in rows]
        except sqlite3.Error as error:
            raise fault(error) from error

    def _write(self, *changes: tuple[str, Json]) -> None:
        """Executes all statements or none. Each must change a row, but for a deletion."""
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                if self._version() != self._schema:
                    raise sqlite3.NotSupportedError("a newer keycell has migrated the database: use that version")
                for statement, record in changes:
                    changed = self._database.execute(statement, columns(record)).rowcount
                    if changed == 0 and not statement.startswith("DELETE"):
                        raise StorageError("conflict")
        except sqlite3.Error as error:
            raise fault(error) from error


def select(table: str, conditions: str, more: str = "") -> str:
    return f"SELECT {', '.join(TABLES[table])}{more} FROM {table} WHERE {conditions}"


def insert(table: str) -> str:
    return f"INSERT INTO {table} ({', '.join(TABLES[table])}) VALUES (:{', :'.join(TABLES[table])})"


def update(columns: list[str]) -> str:
    assignments = ", ".join(f"{column} = :{column}" for column in columns)
    return f"UPDATE api_keys SET {assignments}, revision = revision + 1 WHERE id = :id AND revision = :revision"


def columns(record: Json) -> Json:
    limit = record.get("rate_limit") or {}
    lists = {name: json.dumps(value) for name, value in record.items() if isinstance(value, list)}
    return {**record, **lists, **{name: limit.get(name.removeprefix("rate_limit_")) for name in LIMIT}}


def key(row: Json) -> Json:
    requests, window_seconds = (row.pop(name) for name in LIMIT)
    limit = None if requests is None else {"requests": requests, "window_seconds": window_seconds}
    return {**row, "scopes": json.loads(row["scopes"]), "rate_limit": limit}


def fault(error: sqlite3.Error) -> StorageError:
    """Converts SQLite's error into the WIT's. The cause goes to the log."""
    name = getattr(error, "sqlite_errorname", "")
    if TAKEN.match(name):
        return StorageError("conflict")
    correlation_id = log_cause(error)
    return StorageError("unavailable") if TEMPORARY.match(name) else StorageError("internal", correlation_id)
