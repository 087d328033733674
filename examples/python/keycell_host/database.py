"""Opening a database. The schema is keycell's own, so that its other hosts can open the same file."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

MIGRATIONS = Path(__file__).parents[3] / "host/src/storage/sqlite/migrations"
PATIENCE_SECONDS = 4.0


def open_database(path: Path, migrations: Path = MIGRATIONS) -> sqlite3.Connection:
    """Opens a database, and makes it where there is none. Only the thread that opened it may use it."""
    scripts = _read_scripts(migrations)
    with suppress(FileExistsError):  # For its user alone; SQLite gives its other files the same permissions.
        path.touch(0o600, exist_ok=False)
    # An absolute path: SQLite has names of its own for databases that are nowhere.
    database = sqlite3.connect(path.absolute(), PATIENCE_SECONDS, isolation_level=None)
    _write_ahead(database)
    database.executescript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
    _migrate(database, scripts)
    return database


def _read_scripts(migrations: Path) -> list[str]:
    scripts = [file.read_text(encoding="utf-8") for file in sorted(migrations.glob("*.sql"))]
    if not scripts:
        raise FileNotFoundError(f"there are no migrations in {migrations}")
    return scripts


def _write_ahead(database: sqlite3.Connection) -> None:
    # Of all statements, SQLite does not wait in this one while another process opens the same new file.
    deadline = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or monotonic() > deadline:
                raise
        sleep(0.01)


def _migrate(database: sqlite3.Connection, scripts: list[str]) -> None:
    if _version(database) < len(scripts):
        with database:
            database.execute("BEGIN IMMEDIATE")
            # Asked again: another process that opened it at the same moment may have been first.
            for number in range(_version(database), len(scripts)):
                # `executescript` would end the transaction.
                for statement in scripts[number].split(";\n"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {number + 1}")
    if _version(database) > len(scripts):
        raise sqlite3.NotSupportedError("a newer keycell wrote this database")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])
