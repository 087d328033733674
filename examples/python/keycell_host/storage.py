"""Where keys rest: a SQLite file, which keycell's own host may have open at the same time."""

import json
import re
import sqlite3
from dataclasses import fields
from typing import Any

from .failure import log_cause
from .wit import KeyRecord, Storage, StorageError

TAKEN = re.compile("SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)")
PASSING = re.compile("SQLITE_(BUSY|CANTOPEN|FULL|IOERR|LOCKED|NOMEM|PERM|PROTOCOL|READONLY)")

COLUMNS = [field.name for field in fields(KeyRecord)]
SELECT = f"SELECT {', '.join(COLUMNS)} FROM api_keys"
INSERT = f"INSERT INTO api_keys ({', '.join(COLUMNS)}) VALUES (:{', :'.join(COLUMNS)})"
UPDATE = """UPDATE api_keys SET name = :name, updated_at = :updated_at, expires_at = :expires_at,
      revoked_at = :revoked_at, revocation_reason = :revocation_reason, rotated_to = :rotated_to,
      revision = revision + 1 WHERE id = :id AND revision = :revision"""
USE = "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, :at), :at) WHERE id = :id"
LIST = f"""{SELECT} WHERE user_id = :user_id AND id < coalesce(:before, '~')
      AND (:project_id IS NULL OR project_id = :project_id)
      AND (:revoked IS NULL OR (revoked_at IS NOT NULL) = :revoked)
      AND (:expires_after IS NULL OR expires_at IS NULL OR expires_at > :expires_after)
      AND (:expires_until IS NULL OR expires_at <= :expires_until) ORDER BY id DESC LIMIT :limit"""
PROJECT = "SELECT id FROM projects JOIN project_members ON project_id = id WHERE user_id = ?"


def sqlite_storage(database: sqlite3.Connection) -> Storage:
    """Storage in a database of keycell's schema."""

    def row(query: str, *values: str) -> Any:
        for row in database.execute(query, values):
            return row
        raise StorageError("not-found")

    def change(*changes: tuple[str, KeyRecord]) -> None:
        with database:
            database.execute("BEGIN IMMEDIATE")
            for statement, key in changes:
                if database.execute(statement, vars(key) | {"scopes": json.dumps(key.scopes)}).rowcount != 1:
                    raise StorageError("conflict")

    def record_use(id: str, at: int) -> None:
        try:
            database.execute(USE, {"id": id, "at": at})
        except sqlite3.Error as error:
            # The key is good though its use can't be noted now.
            log_cause(f"the use of a key is not stored: {error}")

    return Storage(
        insert_key=lambda key: change((INSERT, key)),
        find_key=lambda id: record(row(f"{SELECT} WHERE id = ?", id)),
        find_key_by_lookup=lambda lookup: record(row(f"{SELECT} WHERE lookup = ?", lookup)),
        list_keys=lambda filter: [record(row) for row in database.execute(LIST, vars(filter))],
        update_key=lambda key: change((UPDATE, key)),
        # The replacement first: the key refers to it.
        rotate_key=lambda key, replacement: change((INSERT, replacement), (UPDATE, key)),
        record_use=record_use,
        find_project=lambda by, name, user_id: str(row(f"{PROJECT} AND {by} = ?", user_id, name)[0]),
        fault=fault,
    )


def record(row: tuple[Any, ...]) -> KeyRecord:
    values = dict(zip(COLUMNS, row, strict=True))
    return KeyRecord(**values | {"scopes": json.loads(values["scopes"])})


def fault(cause: Exception) -> StorageError:
    """What SQLite raises, in the words of the contract."""
    name = getattr(cause, "sqlite_errorname", "")
    if TAKEN.match(name):
        return StorageError("conflict")
    correlation_id = log_cause(cause)
    return StorageError("unavailable") if PASSING.match(name) else StorageError("internal", correlation_id)
