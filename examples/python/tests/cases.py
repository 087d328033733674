"""The cases of `tests/cases`. `docs/conformance.md` describes them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keycell_host.authority import Json

FILES = Path(__file__).parents[3] / "tests/cases"


@dataclass(frozen=True)
class Case:
    name: str
    set_up: Json
    steps: list[Json]


def cases() -> Iterator[Case]:
    for path in sorted(FILES.glob("*.json")):
        file = json.loads(path.read_text(encoding="utf-8"))
        for case in file["cases"]:
            set_up = file["set_up"] | case.get("set_up", {})
            rows = case.get("each")
            for number, row in enumerate(rows or [{}], 1):
                name = f"{path.stem}: {case['name']}" + (f" [{number}]" if rows else "")
                yield Case(name, substitute(set_up, row), substitute(case["steps"], row))


def substitute(value: Any, variables: Json) -> Any:
    """Replaces `${name}` by its value. A name without a value stays as it is."""
    match value:
        case str():
            return _substitute_text(value, variables)
        case list():
            return [substitute(item, variables) for item in value]
        case dict():
            return {name: substitute(field, variables) for name, field in value.items()}
        case _:
            return value


def repeat(value: Any) -> Any:
    """Replaces `{"$repeat": [text, count]}` by the repeated text."""
    match value:
        case {"$repeat": [text, count]}:
            return text * count
        case list():
            return [repeat(item) for item in value]
        case dict():
            return {name: repeat(field) for name, field in value.items()}
        case _:
            return value


def _substitute_text(text: str, variables: Json) -> Any:
    for name, value in variables.items():
        if text == f"${{{name}}}":
            return value
    for name, value in variables.items():
        if isinstance(value, str):
            text = text.replace(f"${{{name}}}", value)
    return text
