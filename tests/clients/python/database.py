"""The database behind the server's back: for what no call of a tool can bring about."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from keycell import Keycell


def store_scopes(keycell: Keycell, key_id: str, scopes: list[Any]) -> None:
    """The command gives every key all scopes, so a key with others has to be edited."""
    with closing(sqlite3.connect(keycell.database)) as database, database:
        database.execute("UPDATE api_keys SET scopes = ? WHERE id = ?", (json.dumps(scopes), key_id))


@contextmanager
def locked(keycell: Keycell) -> Iterator[None]:
    """Nobody else writes meanwhile."""
    with closing(sqlite3.connect(keycell.database, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")
