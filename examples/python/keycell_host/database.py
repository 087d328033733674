"""Opening a database that `create.py` or another host of keycell has made."""

import sqlite3
from contextlib import suppress
from pathlib import Path

APPLICATION_ID = 0x6B657963  # "keyc"
SCHEMA = 2  # The schema that `storage.py` is written for.


def open_database(path: Path) -> sqlite3.Connection:
    """Opens a database. Only the thread that opened it may use it."""
    uri = f"{path.absolute().as_uri()}?mode=rw"  # Does not make a file.
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
    application_id, version = database.execute(query).fetchone()
    if (application_id, version) != (APPLICATION_ID, SCHEMA):
        remedy = "migrate it, or use a newer host"
        raise sqlite3.NotSupportedError(f"not a keycell database of schema {SCHEMA}: {remedy}")
