"""Where keys rest: a SQLite file, which keycell's own host may have open at the same time."""

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from typing import Any, Literal

from .wit import KeyFilter, KeyRecord, StorageError

MIGRATIONS = Path(__file__).parents[3] / "host/src/storage/sqlite/migrations"
PATIENCE_SECONDS = 5.0
STORE_USES_EVERY_SECONDS = 60.0

TAKEN = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
PASSING = {"BUSY", "CANTOPEN", "FULL", "IOERR", "LOCKED", "PERM", "PROTOCOL", "READONLY"}

COLUMNS = [field.name for field in fields(KeyRecord)]
SELECT = f"SELECT {', '.join(COLUMNS)} FROM api_keys"
INSERT = f"INSERT INTO api_keys ({', '.join(COLUMNS)}) VALUES (:{', :'.join(COLUMNS)})"
UPDATE = """UPDATE api_keys
    SET name = :name, updated_at = :updated_at, expires_at = :expires_at, revoked_at = :revoked_at,
        revocation_reason = :revocation_reason, rotated_to = :rotated_to, revision = revision + 1
    WHERE id = :id AND revision = :revision"""
USE = "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, :at), :at) WHERE id = :id"
LIST = f"""{SELECT}
    WHERE user_id = :user_id AND id < coalesce(:before, '~')
      AND (:project_id IS NULL OR project_id = :project_id)
      AND (:revoked IS NULL OR (revoked_at IS NOT NULL) = :revoked)
      AND (:expires_after IS NULL OR expires_at IS NULL OR expires_at > :expires_after)
      AND (:expires_until IS NULL OR expires_at <= :expires_until)
    ORDER BY id DESC LIMIT :limit"""
PROJECT = "SELECT id FROM projects JOIN project_members ON project_id = id WHERE user_id = ?"


class SqliteStorage:
    """The functions of `wit/storage.wit`, which says what each must guarantee. Any number of threads may call them."""

    def __init__(self, path: Path) -> None:
        path = path.absolute()  # SQLite has names of its own for databases that are nowhere.
        with suppress(FileExistsError):  # For its user alone; SQLite gives its other files the same permissions.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        self._lock = RLock()
        self._uses: dict[str, int] = {}
        self._next_storing = monotonic() + STORE_USES_EVERY_SECONDS
        self._connection = sqlite3.connect(path, PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)
        if self._write_ahead() != [("wal",)]:
            raise sqlite3.NotSupportedError("this file system can't hold a write-ahead log")
        self._rows("PRAGMA synchronous = FULL")
        self._rows("PRAGMA foreign_keys = ON")
        self._migrate(sorted(MIGRATIONS.glob("*.sql")))

    def insert_key(self, key: KeyRecord) -> None:
        self._change((INSERT, _values(key)))

    def find_key(self, id: str) -> KeyRecord:
        return self._key(self._one(f"{SELECT} WHERE id = ?", [id]))

    def find_key_by_lookup(self, lookup: str) -> KeyRecord:
        return self._key(self._one(f"{SELECT} WHERE lookup = ?", [lookup]))

    def list_keys(self, filter: KeyFilter) -> list[KeyRecord]:
        return [self._key(row) for row in self._rows(LIST, vars(filter))]

    def update_key(self, key: KeyRecord) -> None:
        self._change((UPDATE, _values(key)))

    def rotate_key(self, key: KeyRecord, replacement: KeyRecord) -> None:
        # The replacement first: the key refers to it.
        self._change((INSERT, _values(replacement)), (UPDATE, _values(key)))

    def record_use(self, id: str, at: int) -> None:
        with self._lock:
            self._uses[id] = max(at, self._uses.get(id, at))
            if monotonic() >= self._next_storing:
                self._store_uses()

    def find_project(self, by: Literal["id", "slug"], name: str, user_id: str) -> str:
        return str(self._one(f"{PROJECT} AND {by} = ?", [user_id, name])[0])

    def close(self) -> None:
        with self._lock:
            self._store_uses()
            self._connection.close()

    def _write_ahead(self) -> list[tuple[Any, ...]]:
        # Of all statements, SQLite does not wait in this one while another process opens the same new file.
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._rows("PRAGMA journal_mode = WAL")
            except StorageError:
                if monotonic() > deadline:
                    raise
                sleep(0.01)

    def _migrate(self, scripts: list[Path]) -> None:
        def version() -> int:
            return int(self._one("PRAGMA user_version")[0])

        if version() < len(scripts):
            with self._transaction():
                # Asked again: another process that opened it at the same moment may have been first.
                for number, script in list(enumerate(scripts, 1))[version() :]:
                    for statement in _statements(script.read_text()):
                        self._rows(statement)
                    self._rows(f"PRAGMA user_version = {number}")
        if version() > len(scripts):
            raise sqlite3.NotSupportedError("a newer keycell wrote this database")

    def _store_uses(self) -> None:
        self._next_storing = monotonic() + STORE_USES_EVERY_SECONDS
        if not self._uses:
            return
        try:
            with self._transaction():
                self._connection.executemany(USE, [{"id": id, "at": at} for id, at in self._uses.items()])
            self._uses.clear()
        except (StorageError, sqlite3.Error) as error:
            logging.getLogger(__name__).warning("the last uses of keys are not stored yet: %s", error)

    def _key(self, row: tuple[Any, ...]) -> KeyRecord:
        values = dict(zip(COLUMNS, row, strict=True))
        uses = [at for at in (values["last_used_at"], self._uses.get(values["id"])) if at is not None]
        return KeyRecord(**values | {"scopes": json.loads(values["scopes"]), "last_used_at": max(uses, default=None)})

    def _one(self, query: str, values: Any = ()) -> tuple[Any, ...]:
        rows = self._rows(query, values)
        if not rows:
            raise StorageError("not-found")
        return rows[0]

    def _rows(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        with self._faults():
            return self._connection.execute(statement, values).fetchall()

    def _change(self, *changes: tuple[str, dict[str, Any]]) -> None:
        """Makes all the changes, each of one row, or none."""
        with self._transaction():
            for statement, values in changes:
                if self._connection.execute(statement, values).rowcount != 1:
                    raise StorageError("conflict")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._faults(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Keeps other threads out, and says what SQLite says in the words of the contract."""
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name in TAKEN:
                raise StorageError("conflict") from error
            if name.removeprefix("SQLITE_").partition("_")[0] in PASSING:
                raise StorageError("unavailable") from error
            raise


def _values(key: KeyRecord) -> dict[str, Any]:
    return vars(key) | {"scopes": json.dumps(key.scopes)}


def _statements(script: str) -> Iterator[str]:
    # `executescript` would commit before it runs, and so end the transaction.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
