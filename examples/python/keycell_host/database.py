"""Opening a database. The schema is keycell's own, so that its other hosts can open the same file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep

MIGRATIONS = Path(__file__).parents[3] / "host/keycell-sqlite/src/migrations"
APPLICATION_ID = 0x6B657963  # "keyc"
BUSY_TIMEOUT_SECONDS = 4.0


def open_database(path: Path, migrations: Path = MIGRATIONS) -> sqlite3.Connection:
    """Opens a database, and creates it if the file does not exist. Only the thread that opened it may use it."""
    scripts = [file.read_text(encoding="utf-8") for file in sorted(migrations.glob("*.sql"))]
    if not scripts:
        raise FileNotFoundError(f"there are no migrations in {migrations}")
    with suppress(FileExistsError):  # For its user alone: SQLite gives its other files the same permissions.
        path.touch(0o600, exist_ok=False)
    # An absolute path: SQLite has names of its own for databases that are in no file.
    database = sqlite3.connect(path.absolute(), BUSY_TIMEOUT_SECONDS, isolation_level=None)
    database.execute("BEGIN")  # A snapshot, before anything is written.
    _check_owner(database, scripts)
    database.execute("COMMIT")
    _write_ahead(database)
    database.execute("PRAGMA synchronous = FULL")
    _migrate(database, scripts)
    database.execute("PRAGMA foreign_keys = ON")  # Not before: a migration may rebuild tables.
    return database


def _check_owner(database: sqlite3.Connection, scripts: list[str]) -> None:
    """Refuses a file of another program or of a newer keycell. A file of version 0.1 has no application id."""
    id, version = _pragma(database, "application_id"), _pragma(database, "user_version")
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript("".join(scripts[:version]))
        is_old = id == 0 and version < 2 and _schema(database) == _schema(model)
    if id != APPLICATION_ID and not is_old:
        raise sqlite3.NotSupportedError("the file is not a keycell database: choose another file")
    if version > len(scripts):
        raise sqlite3.NotSupportedError("a newer keycell wrote this database: use that version")


def _schema(database: sqlite3.Connection) -> list[str]:
    named = "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    return [sql for (sql,) in database.execute(named)]


def _write_ahead(database: sqlite3.Connection) -> None:
    # SQLite does not wait in this statement while another process opens the same new file.
    deadline = monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or monotonic() > deadline:
                raise
        sleep(0.01)


def _migrate(database: sqlite3.Connection, scripts: list[str]) -> None:
    if _pragma(database, "user_version") == len(scripts):
        return
    with database:
        database.execute("BEGIN IMMEDIATE")
        # Read again within the transaction: another process may have migrated the file in between.
        for number in range(_pragma(database, "user_version"), len(scripts)):
            for statement in _statements(scripts[number]):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number + 1}")


def _statements(script: str) -> Iterator[str]:
    """Splits a script as SQLite's shell does. `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])
