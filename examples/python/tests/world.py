"""A host with the clock and the random bytes of a case."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from wasmtime.component import Component

from keycell_host.authority import Authority, Caller, Json
from keycell_host.create import create_database
from keycell_host.storage import SqliteStorage, open_database

from .recorder import Recorder

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class World:
    def __init__(self, component: Component, path: Path, set_up: Json) -> None:
        self.now = milliseconds(set_up["now"])
        create_database(path)
        self.database = open_database(path)
        self.recorder = Recorder(SqliteStorage(self.database), set_up.get("storage_fails", []))
        for project in set_up.get("projects", []):
            insert_project(path, project["id"], project["slug"], project["members"])
        self.path = path
        self.policy = policy(set_up["policy"])
        random = stream(set_up["random_seed"])
        self.authority = Authority(
            component,
            self.recorder,
            self.policy,
            clock=lambda: self.now * 1_000_000,
            random=lambda length: bytes(islice(random, length)),
        )

    def change(self, step: Json) -> None:
        """Takes a step that is not a call."""
        match step:
            case {"now": now}:
                self.now = milliseconds(now)
            case {"policy": changed}:
                self.policy |= policy(changed)
            case {"project": slug, "user": user, "role": role}:
                set_role(self.path, slug, user, role)
            case _:
                raise ValueError("the case has an unknown step")

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


def policy(set_up: Json) -> Json:
    return {
        "prefix": set_up["prefix"],
        "default_scopes": set_up["default_scopes"],
        "grantable_scopes": set_up.get("grantable_scopes"),
        "longest_life": set_up.get("longest_life_ms"),
        "default_life": set_up.get("default_life_ms"),
    }


def user(id: str, scopes: list[str], operator: bool = False) -> Json:
    return {"id": id, "operator": operator, "scopes": scopes}


def caller(set_up: Json) -> Caller:
    if "bearer" in set_up:
        bearer: str = set_up["bearer"]
        return bearer
    if "user" not in set_up:
        return None
    return user(set_up["user"], set_up.get("scopes", []), set_up.get("operator", False))


def insert_project(database: Path, id: str, slug: str, members: list[str | Json]) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO projects (id, slug, created_at) VALUES (?, ?, 0)", [id, slug])
    connection.close()
    for member in members:
        named = {"user": member, "role": "member"} if isinstance(member, str) else member
        set_role(database, slug, named["user"], named["role"])


def set_role(database: Path, slug: str, user: str, role: str | None) -> None:
    """Gives a user a role in a project, or removes the user from it."""
    project = "(SELECT id FROM projects WHERE slug = ?)"
    with sqlite3.connect(database) as connection:
        connection.execute(f"DELETE FROM project_members WHERE project_id = {project} AND user_id = ?", [slug, user])
        if role is not None:
            values = f"VALUES ({project}, ?, ?)"
            connection.execute(f"INSERT INTO project_members (project_id, user_id, role) {values}", [slug, user, role])
    connection.close()
