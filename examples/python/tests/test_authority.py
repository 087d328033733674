"""What the cases can't say: what never reaches the component, threads, and the log."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from wasmtime.component import Component

from keycell_host.arguments import LONGEST
from keycell_host.authority import Authority
from keycell_host.database import open_database
from keycell_host.storage import sqlite_storage
from keycell_host.wit import (
    Caller,
    Fault,
    KeycellError,
    Policy,
    Refusal,
    VerifiedApiKey,
    create_api_key,
    get_api_key,
    list_api_keys,
    verify_api_key,
)

from .world import World

ANN = Caller("ann", ["a"])
SET_UP = {
    "now": "2026-03-14T09:26:53.589Z",
    "random_seed": 1,
    "policy": {"prefix": "keycell", "default_scopes": ["a"], "longest_life_ms": None},
}


@pytest.fixture
def world(component: Component, database: Path) -> World:
    return World(component, database, SET_UP)


def test_the_first_key_is_the_one_of_every_host(world: World) -> None:
    created = world.authority.call(ANN, create_api_key("laptop"))
    assert created.id == "019cebab-8995-7101-854f-d1d01ab22574"
    assert created.key == "keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx"


def test_a_created_key_is_not_shown_by_accident(world: World) -> None:
    created = world.authority.call(ANN, create_api_key("laptop"))
    assert created.name in repr(created)
    assert created.key not in repr(created)


def test_what_can_not_be_handed_over_is_no_key(world: World) -> None:
    for key in ["x" * (LONGEST + 1), "\ud83d"]:
        assert world.authority.call(None, verify_api_key(key)) == Refusal("malformed", [])


def test_what_is_too_long_is_not_passed_on(world: World) -> None:
    long = "x" * (LONGEST + 1)
    with pytest.raises(KeycellError) as failed:
        world.authority.call(ANN, create_api_key(long, expires_at=long))
    assert failed.value.kind == "invalid-input"
    assert failed.value.payload == [
        Fault("name", "too-long", "is longer than allowed"),
        Fault("expires_at", "too-long", "is longer than allowed"),
    ]
    with pytest.raises(KeycellError, match="scopes is longer than allowed"):
        world.authority.call(None, verify_api_key("keycell", [""] * LONGEST))


def test_half_a_surrogate_pair_is_no_text(world: World) -> None:
    with pytest.raises(KeycellError) as failed:
        world.authority.call(ANN, create_api_key("\ud83d"))
    assert [fault.code for fault in failed.value.payload] == ["forbidden-character"]


@pytest.mark.parametrize("limit", [-1, (1 << 32) + 5])
def test_a_number_is_not_cut_to_its_low_bits(world: World, limit: int) -> None:
    with pytest.raises(KeycellError, match="limit is out of range"):
        world.authority.call(ANN, list_api_keys(limit=limit))


def test_the_cause_of_an_internal_error_is_in_the_log_alone(
    component: Component, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(
        component, database, {**SET_UP, "storage_fails": [{"call": "find-key", "with": "internal", "times": 1}]}
    )
    with caplog.at_level(logging.ERROR), pytest.raises(KeycellError) as failed:
        world.authority.call(ANN, get_api_key("019cebab-8995-7101-854f-d1d01ab22574"))
    assert failed.value.kind == "internal"
    assert f"{failed.value.payload}: the case says so" in caplog.text
    assert "the case says so" not in str(failed.value)


def test_threads_share_the_component_and_have_a_storage_each(component: Component, database: Path) -> None:
    users = [Caller(f"user-{n}", ["a"]) for n in range(8)]

    def live(caller: Caller) -> None:
        with closing(open_database(database)) as connection:
            authority = Authority(component, sqlite_storage(connection), Policy(default_scopes=["a"]))
            for n in range(10):
                created = authority.call(caller, create_api_key(f"key {n}"))
                verified = authority.call(None, verify_api_key(created.key))
                assert isinstance(verified, VerifiedApiKey)
                assert (verified.id, verified.user_id) == (created.id, caller.user_id)
            assert len(authority.call(caller, list_api_keys()).api_keys) == 10

    with ThreadPoolExecutor(len(users)) as threads:
        list(threads.map(live, users))


def test_storage_is_for_the_thread_that_opened_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as thread, pytest.raises(KeycellError, match="internal") as failed:
        thread.submit(world.authority.call, ANN, create_api_key("laptop")).result()
    assert f"{failed.value.payload}: SQLite objects created in a thread" in caplog.text
    with pytest.raises(KeycellError, match="not-found"):
        world.authority.call(ANN, get_api_key("019cebab-8995-7101-854f-d1d01ab22574"))
