"""Every case of the conformance suite, through the example's own authority and its own storage."""

import json
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from wasmtime.component import Component, Variant

from keycell_host.authority import Caller, Json, KeycellError
from keycell_host.output import tool_json

from .cases import FILES, Case, cases, repeat, substitute
from .expect import difference
from .world import World, caller

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
    assert rows >= 4960


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


def test_a_case_that_expects_an_error_fails_if_the_call_succeeds(component: Component, database: Path) -> None:
    case = next(case for case in CASES if "returns" in case.steps[0])
    step = {name: part for name, part in case.steps[0].items() if name != "returns"} | {"fails": {"kind": "forbidden"}}
    assert first_fault(replace(case, steps=[step]), component, database) == "step 1: it returns"


def test_a_secret_is_found_wherever_it_is_returned_again() -> None:
    secret = "s" * SECRET_LENGTH
    created: Json = {"key": f"keycell_lookup_{secret}123456"}
    secrets: list[str] = []
    assert leaked_secret(created, [{"name": "laptop"}], secrets) is None
    assert leaked_secret({"name": f"my {secret}"}, [], secrets) == "the answer holds an earlier key's secret"
    for written in [secret, secret.encode().hex()]:
        assert leaked_secret({}, [{"hash": written}], secrets) == "storage received a secret"


def first_fault(case: Case, component: Component, database: Path) -> str | None:
    """The first deviation from the case."""
    with closing(World(component, database, case.set_up)) as world:
        saved: Json = {}
        secrets: list[str] = []
        for number, step in enumerate(case.steps, 1):
            if "call" not in step:
                world.change(step)
            elif fault := run(world, step, saved, secrets):
                return f"step {number}: {fault}"
    return None


def run(world: World, step: Json, saved: Json, secrets: list[str]) -> str | None:
    """Makes the call of a step and returns the first deviation."""
    arguments = repeat(substitute(step.get("arguments", {}), saved))
    is_tool = step["call"] not in ("describe_caller", "authorize_project")
    if is_tool:
        has_text = isinstance(arguments.get("metadata"), dict) and "$text" in arguments["metadata"]
        valid = {name: value for name, value in arguments.items() if not (has_text and name == "metadata")}
        validator(step["call"], "input").validate(valid)
    recorder = world.recorder
    recorder.begin_step()
    outcome, answer = call(world, step["call"], caller(repeat(substitute(step.get("as", {}), saved))), arguments)
    if outcome not in step:
        return f"it {outcome}"
    if outcome == "returns" and is_tool:
        validator(step["call"], "output").validate(answer)
    if fault := difference("answer", substitute(step[outcome], saved), answer):
        return fault
    if step.get("storage_calls", recorder.calls) != recorder.calls:
        return f"called {recorder.calls} of storage"
    saved |= {name: part(answer, pointer) for name, pointer in step.get("save", {}).items()}
    received = {
        "stored": recorder.keys[-1:],
        "stored_events": [recorder.events_of_step()],
        "stored_request": recorder.requests[-1:],
    }
    for name, actual in received.items():
        if name in step and (fault := difference(name, [substitute(step[name], saved)], actual)):
            return fault.replace("[0]", "", 1)
    return leaked_secret(answer, recorder.keys + recorder.events + recorder.requests, secrets)


def call(world: World, tool: str, caller: Caller, arguments: Json) -> tuple[str, Json]:
    """The outcome, `returns` or `fails`, and the result or the error."""
    function = "list_events" if tool == "list_api_key_events" else tool
    try:
        return "returns", tool_json(world.authority.call(caller, function, **passed(tool, arguments)))
    except KeycellError as error:
        return "fails", error_json(error)


def passed(tool: str, arguments: Json) -> Json:
    """The arguments of a tool as the component takes them."""
    passed = dict(arguments)
    match arguments:
        case {"metadata": {"$text": text}}:
            passed["metadata"] = text
        case {"metadata": metadata}:
            passed["metadata"] = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
    if tool == "update_api_key" and "rate_limit" in arguments:
        limit = arguments["rate_limit"]
        passed["rate_limit"] = Variant("remove") if limit is None else Variant("set", limit)
    return passed


def error_json(error: KeycellError) -> Json:
    match error.kind:
        case "invalid-input":
            return {"kind": error.kind, "faults": error.payload}
        case "insufficient-scope":
            return {"kind": error.kind, "scope": error.payload}
        case "not-found":
            return {"kind": error.kind, "subject": error.payload}
        case "internal":
            return {"kind": error.kind, "correlation_id": error.payload}
        case _:
            return {"kind": error.kind}


def part(value: Any, pointer: str) -> Any:
    """The part of a value that a JSON pointer names."""
    for name in pointer.split("/")[1:]:
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@cache
def validator(tool: str, side: str) -> Draft7Validator:
    return Draft7Validator(json.loads((SCHEMAS / f"{tool}.{side}.json").read_text(encoding="utf-8")))


def leaked_secret(answer: Json, written: list[Json], secrets: list[str]) -> str | None:
    """The fault if a secret is in storage or is returned a second time."""
    if any(secret in json.dumps(answer) for secret in secrets):
        return "the answer holds an earlier key's secret"
    if "key" in answer:
        # Without the checksum, which can be computed.
        secrets.append(answer["key"].rpartition("_")[2][:SECRET_LENGTH])
    stored = json.dumps(written)
    if any(secret in stored or secret.encode().hex() in stored for secret in secrets):
        return "storage received a secret"
    return None
