"""Changes of the database that no tool can make."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from keycell import Keycell


def store_scopes(keycell: Keycell, key_id: str, scopes: list[Any]) -> None:
    """Stores these scopes, which need not be valid."""
    with closing(sqlite3.connect(keycell.database)) as database, database:
        database.execute("UPDATE api_keys SET scopes = ? WHERE id = ?", (json.dumps(scopes), key_id))


@contextmanager
def locked(keycell: Keycell) -> Iterator[None]:
    """Locks the database against other writers."""
    with closing(sqlite3.connect(keycell.database, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")
