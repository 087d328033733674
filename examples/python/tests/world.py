"""A host whose clock and random bytes are those of a case."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from wasmtime.component import Component

from keycell_host.authority import Authority
from keycell_host.database import open_database
from keycell_host.storage import sqlite_storage
from keycell_host.wit import Caller, Policy

from .cases import Json
from .recorder import Recorder

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class World:
    def __init__(self, component: Component, path: Path, set_up: Json) -> None:
        self.now = milliseconds(set_up["now"])
        self.database = open_database(path)
        self.recorder = Recorder(sqlite_storage(self.database), set_up.get("storage_fails", []))
        for project in set_up.get("projects", []):
            insert_project(path, project["id"], project["slug"], project["members"])
        policy = set_up["policy"]
        random = stream(set_up["random_seed"])
        self.authority = Authority(
            component,
            self.recorder.storage,
            Policy(policy["prefix"], policy["default_scopes"], policy["longest_life_ms"]),
            clock=lambda: self.now * 1_000_000,
            random=lambda length: bytes(islice(random, length)),
        )

    def close(self) -> None:
        self.database.close()


def stream(seed: int) -> Iterator[int]:
    """xorshift32, the low byte of each state."""
    x = seed
    while True:
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        yield x & 0xFF


def milliseconds(time: str) -> int:
    parsed = datetime.fromisoformat(time)
    return (parsed.replace(tzinfo=parsed.tzinfo or UTC) - EPOCH) // timedelta(milliseconds=1)


def caller(set_up: Json) -> Caller:
    expires_at = set_up.get("expires_at")
    return Caller(
        set_up["user"],
        set_up.get("scopes", []),
        set_up.get("project_id"),
        None if expires_at is None else milliseconds(expires_at),
    )


def insert_project(database: Path, id: str, slug: str, members: list[str]) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("INSERT INTO projects (id, slug, created_at) VALUES (?, ?, 0)", [id, slug])
        connection.executemany("INSERT INTO project_members VALUES (?, ?)", [(id, user) for user in members])
    connection.close()
