"""One database, several languages: the commands of the hosts on one file, in turn and at the same time."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from wasmtime.component import Component

from keycell_host.__main__ import POLICY, SCOPES
from keycell_host.authority import Authority, Json
from keycell_host.storage import SqliteStorage, open_database

ANN = {"id": "ann", "operator": False, "scopes": SCOPES}
EXAMPLE = Path(__file__).parents[1]
KEYCELL = os.environ.get("KEYCELL", str(EXAMPLE.parents[1] / "target/debug/keycell"))
NODE_HOST = os.environ.get("KEYCELL_NODE_HOST")


@dataclass(frozen=True)
class Command:
    """The command line of a host."""

    start: list[str]
    create: list[str]
    verify: list[str]

    def run(
        self, database: Path, *arguments: str, user: str = "ann", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        command = [*self.start, "--database", str(database), "--user", user, *arguments]
        return subprocess.run(command, cwd=EXAMPLE, input=stdin, capture_output=True, text=True, timeout=60)

    def create_key(self, database: Path, name: str) -> Json:
        return output(self.run(database, *self.create, name))

    def verified(self, database: Path, key: str) -> Json:
        verification: Json = json.loads(self.run(database, *self.verify, stdin=key).stdout)
        return verification


RUST = Command([KEYCELL], ["create", "--name"], ["verify", "--json"])
PYTHON = Command([sys.executable, "-m", "keycell_host"], ["create"], ["verify"])
HOSTS = {"rust": RUST, "python": PYTHON}
if NODE_HOST:
    HOSTS["node"] = Command(["node", NODE_HOST], ["create"], ["verify"])


def output(process: subprocess.CompletedProcess[str]) -> Json:
    assert process.returncode == 0, process.stderr
    answer: Json = json.loads(process.stdout)
    return answer


def assert_revoked(database: Path, key: Json) -> None:
    for reader in HOSTS.values():
        verified = reader.verified(database, key["key"])
        assert (verified["valid"], verified["reason"]) == (False, "revoked")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A database that one of the hosts has created."""
    database = tmp_path / "shared.db"
    PYTHON.create_key(database, "first")
    return database


@pytest.mark.parametrize("maker", HOSTS.values(), ids=HOSTS.keys())
def test_a_key_of_one_host_is_read_and_verified_by_each(tmp_path: Path, maker: Command) -> None:
    database = tmp_path / "its own.db"
    created = maker.create_key(database, "laptop")
    key = created.pop("key")
    for reader in HOSTS.values():
        read = output(reader.run(database, "get", created["id"]))
        assert {field: read[field] for field in created} == created
        verified = reader.verified(database, key)
        assert (verified["valid"], verified["id"], verified["user_id"]) == (True, created["id"], "ann")
        assert [listed["id"] for listed in output(reader.run(database, "list"))["api_keys"]] == [created["id"]]
        assert reader.run(database, "get", created["id"], user="bob").returncode == 1


def test_a_key_revoked_by_one_host_is_refused_by_each(shared: Path, component: Component) -> None:
    created = [host.create_key(shared, "to revoke") for host in HOSTS.values()]
    by_python, *by_rust = created
    for key in by_rust:
        output(RUST.run(shared, "revoke", key["id"], "--json"))
    with closing(open_database(shared)) as database:
        authority = Authority(component, SqliteStorage(database), POLICY)
        authority.call(ANN, "revoke_api_key", api_key_id=by_python["id"])
    for key in created:
        assert_revoked(shared, key)


def test_concurrent_writes_of_all_hosts_lose_nothing(shared: Path, component: Component) -> None:
    writers = [(host, f"{language} {n}") for language, host in HOSTS.items() for n in range(2)]

    def live(writer: tuple[Command, str]) -> list[Json]:
        """Makes keys, has each verified by another host, and the last one revoked by keycell's own."""
        host, name = writer
        created = [host.create_key(shared, f"{name} {n}") for n in range(6)]
        for key, reader in zip(created, cycle(HOSTS.values())):
            verified = reader.verified(shared, key["key"])
            assert (verified["valid"], verified["id"]) == (True, key["id"])
        output(RUST.run(shared, "revoke", created[-1]["id"], "--json"))
        assert_revoked(shared, created[-1])
        return created

    with ThreadPoolExecutor(len(writers)) as threads:
        created = list(threads.map(live, writers))
    active = [key for keys in created for key in keys[:-1]]
    revoked = [keys[-1] for keys in created]
    every = output(RUST.run(shared, "list", "--status", "all", "--all", "--json"))["api_keys"]
    statuses = [("first", "active"), *((key["name"], "active") for key in active)]
    statuses += [(key["name"], "revoked") for key in revoked]
    assert sorted((key["name"], key["status"]) for key in every) == sorted(statuses)
    with closing(open_database(shared)) as database:
        authority = Authority(component, SqliteStorage(database), POLICY)
        for key in active:
            verified = authority.call(None, "verify_api_key", key=key["key"])
            assert verified["id"] == key["id"] == RUST.verified(shared, key["key"])["id"]


def test_a_new_file_may_be_opened_by_each_at_the_same_moment(tmp_path: Path) -> None:
    makers = [*HOSTS.values()] * 2
    with ThreadPoolExecutor(len(makers)) as threads:
        for round in range(5):
            database = tmp_path / f"{round}.db"
            created = list(threads.map(lambda maker: maker.create_key(database, "laptop"), makers))
            listed = output(RUST.run(database, "list", "--json"))["api_keys"]
            assert {key["id"] for key in listed} == {key["id"] for key in created}
            assert len(listed) == len(makers)


def test_a_short_lock_is_waited_for(shared: Path) -> None:
    with closing(sqlite3.connect(shared, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        unlocking = threading.Timer(1.5, other.execute, ["COMMIT"])
        unlocking.start()
        with ThreadPoolExecutor(len(HOSTS)) as threads:
            names = [created["name"] for created in threads.map(lambda host: host.create_key(shared, "late"), HOSTS.values())]
        unlocking.join()
    assert names == ["late"] * len(HOSTS)


def test_a_long_lock_is_an_error_and_nothing_is_written(shared: Path) -> None:
    with closing(sqlite3.connect(shared, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(len(HOSTS)) as threads:
            refused = list(threads.map(lambda host: host.run(shared, *host.create, "never"), HOSTS.values()))
        other.execute("ROLLBACK")
    assert [(process.returncode, process.stdout) for process in refused] == [(1, "")] * len(HOSTS)
    assert all("available" in process.stderr or "busy" in process.stderr for process in refused)
    assert [key["name"] for key in output(RUST.run(shared, "list", "--json"))["api_keys"]] == ["first"]
