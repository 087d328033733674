"""What the cases can't say: what never reaches the component, threads, and the log."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keycell_host.authority import LONGEST_ARGUMENT, Authority
from keycell_host.host import Host
from keycell_host.sandbox import Sandbox
from keycell_host.storage import SqliteStorage
from keycell_host.wit import Caller, Fault, KeycellError, Policy, Refusal, VerifiedApiKey

from .world import World

ANN = Caller("ann", ["a"])
SET_UP = {
    "now": "2026-03-14T09:26:53.589Z",
    "random_seed": 1,
    "policy": {"prefix": "keycell", "default_scopes": ["a"], "longest_life_ms": None},
}


@pytest.fixture
def world(sandbox: Sandbox, database: Path) -> World:
    return World(sandbox, database, SET_UP)


def test_the_first_key_is_the_one_of_every_host(world: World) -> None:
    created = world.authority.create_api_key(ANN, "laptop")
    assert created.id == "019cebab-8995-7101-854f-d1d01ab22574"
    assert created.key == "keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx"


def test_a_created_key_is_not_shown_by_accident(world: World) -> None:
    created = world.authority.create_api_key(ANN, "laptop")
    assert created.name in repr(created)
    assert created.key not in repr(created)


def test_what_is_too_long_is_not_passed_on(world: World) -> None:
    long = "x" * (LONGEST_ARGUMENT + 1)
    with pytest.raises(KeycellError) as failed:
        world.authority.create_api_key(ANN, long, expires_at=long)
    assert failed.value.payload == [
        Fault("name", "too-long", "is longer than allowed"),
        Fault("expires_at", "too-long", "is longer than allowed"),
    ]
    with pytest.raises(KeycellError, match="scopes is longer than allowed"):
        world.authority.verify_api_key("keycell", [""] * LONGEST_ARGUMENT)
    assert world.authority.verify_api_key(long) == Refusal("malformed", [])


def test_half_a_surrogate_pair_is_no_text(world: World) -> None:
    with pytest.raises(KeycellError) as failed:
        world.authority.create_api_key(ANN, "\ud83d")
    assert [fault.code for fault in failed.value.payload] == ["forbidden-character"]
    assert world.authority.verify_api_key("\ud83d") == Refusal("malformed", [])


@pytest.mark.parametrize("limit", [-1, (1 << 32) + 5])
def test_a_number_is_not_cut_to_its_low_bits(world: World, limit: int) -> None:
    with pytest.raises(KeycellError, match="limit is out of range"):
        world.authority.list_api_keys(ANN, limit=limit)


def test_the_cause_of_an_internal_error_is_in_the_log_alone(
    sandbox: Sandbox, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(
        sandbox, database, {**SET_UP, "storage_fails": [{"call": "find-key", "with": "internal", "times": 1}]}
    )
    with caplog.at_level(logging.ERROR), pytest.raises(KeycellError) as failed:
        world.authority.get_api_key(ANN, "019cebab-8995-7101-854f-d1d01ab22574")
    assert failed.value.kind == "internal"
    assert f"{failed.value.payload}: the case says so" in caplog.text
    assert "the case says so" not in str(failed.value)


def test_many_threads_may_call(sandbox: Sandbox, database: Path) -> None:
    authority = Authority(sandbox, Host(SqliteStorage(database), Policy(default_scopes=["a"])))
    users = [Caller(f"user-{n}", ["a"]) for n in range(8)]

    def live(caller: Caller) -> None:
        for n in range(10):
            created = authority.create_api_key(caller, f"key {n}")
            verified = authority.verify_api_key(created.key)
            assert isinstance(verified, VerifiedApiKey)
            assert (verified.id, verified.user_id) == (created.id, caller.user_id)
        assert len(authority.list_api_keys(caller).api_keys) == 10

    with ThreadPoolExecutor(len(users)) as threads:
        list(threads.map(live, users))
