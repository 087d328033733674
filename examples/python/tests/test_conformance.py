"""Every case of the conformance suite, through the example's own authority and its own storage."""

import json
from contextlib import closing
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from wasmtime.component import Component

from keycell_host import wit
from keycell_host.wit import Caller, KeycellError, KeyRecord, Refusal, VerifiedApiKey

from .cases import FILES, Case, Json, cases, substitute
from .expect import difference
from .world import World, caller, milliseconds

SCHEMAS = Path(__file__).parents[3] / "tests/schemas"
SECRET_LENGTH = 43
CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, component: Component, database: Path) -> None:
    assert first_fault(case, component, database) is None


def test_every_row_of_every_file_is_a_case() -> None:
    files = [json.loads(file.read_text(encoding="utf-8")) for file in FILES.iterdir()]
    rows = sum(len(case.get("each", ["itself"])) for file in files for case in file["cases"])
    assert len(CASES) == len({case.name for case in CASES}) == rows
    assert rows >= 3666


@pytest.mark.parametrize(
    ("part", "falsified", "fault"),
    [
        ("returns", {"name": "another"}, "answer.name is not 'another'"),
        ("storage_calls", ["find-key"], "called ['insert-key'] of storage"),
        ("stored", {"name": "another"}, "stored.name is not 'another'"),
    ],
)
def test_a_falsified_case_fails(component: Component, database: Path, part: str, falsified: Any, fault: str) -> None:
    case = next(case for case in CASES if case.steps[0].keys() >= {"returns", "storage_calls", "stored"})
    step = {**case.steps[0], part: falsified}
    assert first_fault(replace(case, steps=[step]), component, database) == f"step 1: {fault}"


def test_a_case_that_expects_an_error_fails_where_none_comes(component: Component, database: Path) -> None:
    case = next(case for case in CASES if "returns" in case.steps[0])
    step = {name: part for name, part in case.steps[0].items() if name != "returns"} | {"fails": {"kind": "forbidden"}}
    assert first_fault(replace(case, steps=[step]), component, database) == "step 1: it returns"


def test_a_secret_is_found_wherever_it_is_told_again() -> None:
    secret = "s" * SECRET_LENGTH
    created: Json = {"key": f"keycell_lookup_{secret}123456"}
    secrets: list[str] = []
    assert told_secret(created, [{"name": "laptop"}], secrets) is None
    assert told_secret({"name": f"my {secret}"}, [], secrets) == "the answer tells an earlier key's secret"
    for written in [secret, secret.encode().hex()]:
        assert told_secret({}, [{"hash": written}], secrets) == "storage was handed a secret"


def first_fault(case: Case, component: Component, database: Path) -> str | None:
    """What goes otherwise than the case says, if anything does."""
    with closing(World(component, database, case.set_up)) as world:
        saved: Json = {}
        secrets: list[str] = []
        for number, step in enumerate(case.steps, 1):
            if "call" not in step:
                world.now = milliseconds(step["now"])
            elif fault := run(world, step, saved, secrets):
                return f"step {number}: {fault}"
    return None


def run(world: World, step: Json, saved: Json, secrets: list[str]) -> str | None:
    """Makes the call of a step; gives what went otherwise than it must, if anything did."""
    arguments = substitute(step["arguments"], saved)
    validator(step["call"], "input").validate(arguments)
    world.recorder.calls.clear()
    outcome, answer = call(world, step["call"], caller(step.get("as", {"user": "nobody"})), arguments)
    if outcome not in step:
        return f"it {outcome}"
    if outcome == "returns":
        validator(step["call"], "output").validate(answer)
    if fault := difference("answer", substitute(step[outcome], saved), answer):
        return fault
    if step.get("storage_calls", world.recorder.calls) != world.recorder.calls:
        return f"called {world.recorder.calls} of storage"
    saved |= {name: part(answer, pointer) for name, pointer in step.get("save", {}).items()}
    written = [record_json(key) for key in world.recorder.written]
    if "stored" in step and (fault := difference("stored", substitute(step["stored"], saved), written[-1])):
        return fault
    return told_secret(answer, written, secrets)


def call(world: World, tool: str, caller: Caller, arguments: Json) -> tuple[str, Json]:
    """What the tool `returns`, or how it `fails`."""
    is_verification = tool == "verify_api_key"
    try:
        answer = world.authority.call(None if is_verification else caller, getattr(wit, tool)(**arguments))
    except KeycellError as error:
        return "fails", error_json(error)
    return "returns", verification_json(answer) if is_verification else asdict(answer)


def verification_json(verification: VerifiedApiKey | Refusal) -> Json:
    nothing: Json = {"id": None, "user_id": None, "project_id": None, "expires_at": None, "scopes": []}
    if isinstance(verification, Refusal):
        return {"valid": False, **asdict(verification), **nothing}
    return {"valid": True, "reason": None, "missing_scopes": [], **asdict(verification)}


def error_json(error: KeycellError) -> Json:
    match error.kind:
        case "invalid-input":
            return {"kind": error.kind, "faults": [asdict(fault) for fault in error.payload]}
        case "not-found":
            return {"kind": error.kind, "subject": error.payload}
        case "internal":
            return {"kind": error.kind, "correlation_id": error.payload}
        case _:
            return {"kind": error.kind}


def record_json(key: KeyRecord) -> Json:
    return {**asdict(key), "hash": key.hash.hex()}


def part(value: Any, pointer: str) -> Any:
    """What a JSON pointer points at."""
    for name in pointer.split("/")[1:]:
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@cache
def validator(tool: str, side: str) -> Draft7Validator:
    return Draft7Validator(json.loads((SCHEMAS / f"{tool}.{side}.json").read_text(encoding="utf-8")))


def told_secret(answer: Json, written: list[Json], secrets: list[str]) -> str | None:
    """No secret is in storage, and none is told a second time."""
    if any(secret in json.dumps(answer) for secret in secrets):
        return "the answer tells an earlier key's secret"
    if "key" in answer:
        # Without the checksum, which may be made again.
        secrets.append(answer["key"].rpartition("_")[2][:SECRET_LENGTH])
    stored = json.dumps(written)
    if any(secret in stored or secret.encode().hex() in stored for secret in secrets):
        return "storage was handed a secret"
    return None
