"""Arguments that never reach the component, threads, and the log."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wasmtime.component import Component, Variant

from keycell_host.__main__ import POLICY
from keycell_host.authority import Authority, KeycellError
from keycell_host.create import create_database
from keycell_host.limits import MAX_ENTRIES, Limits
from keycell_host.storage import SqliteStorage, open_database

from .world import World, user

ANN = user("ann", ["a"])
ID = "019cebab-8995-7101-854f-d1d01ab22574"
LONG = "x" * (1 << 20)
SET_UP = {
    "now": "2026-03-14T09:26:53.589Z",
    "random_seed": 1,
    "policy": {"prefix": "keycell", "default_scopes": ["a"]},
}


@pytest.fixture
def world(component: Component, database: Path) -> World:
    return World(component, database, SET_UP)


def faults(world: World, function: str, **arguments: Any) -> list[tuple[str, str]]:
    with pytest.raises(KeycellError) as failed:
        world.authority.call(ANN, function, **arguments)
    assert failed.value.kind == "invalid-input"
    return [(fault["field"], fault["code"]) for fault in failed.value.payload]


def test_the_first_key_is_the_one_of_every_host(world: World) -> None:
    created = world.authority.call(ANN, "create_api_key", name="laptop")
    assert created["id"] == ID
    assert created["key"] == "keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx"


def test_the_host_verifies_and_does_nothing_else(world: World) -> None:
    with pytest.raises(KeycellError, match="forbidden"):
        world.authority.call(None, "get_api_key", api_key_id=ID)


def test_a_bearer_is_authenticated_by_the_component(world: World) -> None:
    key = world.authority.call(ANN, "create_api_key", name="laptop")["key"]
    assert world.authority.call(key, "describe_caller")["user_id"] == "ann"
    for other in [key + "x", "", LONG, "\ud83d"]:
        with pytest.raises(KeycellError, match="unauthenticated"):
            world.authority.call(other, "describe_caller")


def test_a_text_that_cannot_be_a_key_is_malformed(world: World) -> None:
    for key in [LONG, "\ud83d"]:
        assert world.authority.call(None, "verify_api_key", key=key).tag == "malformed"


def test_arguments_that_are_too_long_are_refused_together(world: World) -> None:
    assert faults(world, "create_api_key", name=LONG, expires_at=LONG) == [
        ("name", "too-long"),
        ("expires_at", "too-long"),
    ]


def test_a_lone_surrogate_becomes_the_replacement_character(world: World) -> None:
    assert world.authority.call(ANN, "create_api_key", name="\ud83d")["name"] == "\ufffd"


@pytest.mark.parametrize("number", [-1, (1 << 32) + 5])
def test_a_number_is_not_cut_to_its_low_bits(world: World, number: int) -> None:
    limit = {"requests": number, "window_seconds": 1}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_api_keys", {"limit": number}),
        ("issue_api_key", {"name": "k", "rate_limit": limit}),
        ("update_api_key", {"api_key_id": ID, "rate_limit": Variant("set", limit)}),
    ]
    for function, arguments in calls:
        with pytest.raises(ValueError, match="not a u32"):
            world.authority.call(ANN, function, **arguments)


def test_an_unknown_argument_is_a_mistake_of_the_program(world: World) -> None:
    with pytest.raises(TypeError, match="no argument nickname"):
        world.authority.call(ANN, "create_api_key", name="laptop", nickname="l")


def test_the_cause_of_an_internal_error_is_in_the_log_alone(
    component: Component, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(
        component, database, {**SET_UP, "storage_fails": [{"call": "find-key", "with": "internal", "times": 1}]}
    )
    with caplog.at_level(logging.ERROR), pytest.raises(KeycellError) as failed:
        world.authority.call(ANN, "get_api_key", api_key_id=ID)
    assert failed.value.kind == "internal"
    assert f"{failed.value.payload}: the case says so" in caplog.text
    assert "the case says so" not in str(failed.value)


def test_rate_limits_take_a_bounded_memory_and_drop_what_has_expired_first() -> None:
    limits, later = Limits(), 1 << 62
    assert limits.compare_and_store("live", 0, later)
    assert not limits.compare_and_store("live", 0, later)
    assert not limits.compare_and_store("other", later, 1)
    for n in range(MAX_ENTRIES + 1):
        assert limits.compare_and_store(str(n), 0, n + 1)
    loaded = [limits.load(key) for key in ["live", "0", "49999", "50000", "100000"]]
    assert loaded == [later, 0, 0, 50_001, 100_001]


def test_threads_share_the_component_and_the_limits_and_have_a_storage_each(
    component: Component, database: Path
) -> None:
    limits = Limits()
    create_database(database)
    with closing(open_database(database)) as connection:
        maker = Authority(component, SqliteStorage(connection), POLICY, limits)
        limit = {"requests": 10, "window_seconds": 86_400}
        limited = maker.call(ANN, "issue_api_key", name="limited", rate_limit=limit)["key"]

    def live(name: str) -> int:
        """Makes and verifies keys of a user. Returns the number of times that the limited key was admitted."""
        caller, admitted = user(name, ["a"]), 0
        with closing(open_database(database)) as connection:
            authority = Authority(component, SqliteStorage(connection), POLICY, limits)
            for n in range(5):
                created = authority.call(caller, "create_api_key", name=f"key {n}")
                verified = authority.call(None, "verify_api_key", key=created["key"])
                assert (verified["id"], verified["user_id"]) == (created["id"], name)
                admitted += isinstance(authority.call(None, "verify_api_key", key=limited), dict)
            assert len(authority.call(caller, "list_api_keys")["api_keys"]) == 5
        return admitted

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(live, [f"user-{n}" for n in range(8)])) == 10


def test_storage_is_for_the_thread_that_opened_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as thread, pytest.raises(KeycellError, match="internal") as failed:
        thread.submit(world.authority.call, ANN, "create_api_key", name="laptop").result()
    assert f"{failed.value.payload}: SQLite objects created in a thread" in caplog.text
    with pytest.raises(KeycellError, match="not-found"):
        world.authority.call(ANN, "get_api_key", api_key_id=ID)
