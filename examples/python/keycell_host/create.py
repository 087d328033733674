"""Making a database. The schema is keycell's own, so that its hosts can share a file."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

MIGRATIONS = Path(__file__).parents[3] / "host/keycell-sqlite/src/migrations"
IS_EMPTY = """SELECT application_id = 0 AND user_version = 0
    AND NOT EXISTS (SELECT * FROM sqlite_schema)
    FROM pragma_application_id, pragma_user_version"""


def create_database(path: Path, migrations: Path = MIGRATIONS) -> None:
    """Makes a database if there is no file, or an empty one."""
    scripts = [file.read_text(encoding="utf-8") for file in sorted(migrations.iterdir())]
    create = f"BEGIN IMMEDIATE; {''.join(scripts)} PRAGMA user_version = {len(scripts)}; COMMIT"
    with suppress(FileExistsError):  # For its user alone, and SQLite's other files after it.
        path.touch(0o600, exist_ok=False)
    # An absolute path: SQLite has names of its own for databases that are in no file.
    with closing(sqlite3.connect(path.absolute(), timeout=4.0)) as database:
        try:
            if is_empty(database):
                database.executescript(create)
        except sqlite3.OperationalError:
            # If another process has made the tables in between, all is well.
            database.rollback()
            if is_empty(database):
                raise


def is_empty(database: sqlite3.Connection) -> bool:
    return bool(database.execute(IS_EMPTY).fetchone()[0])
