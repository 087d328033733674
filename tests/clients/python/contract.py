"""The contract of the tools: their pages and their schemas."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[2]
GROUP = "API Keys"
OFFERED = ["create_api_key", "get_api_key"]
ALL = [
    *OFFERED,
    "issue_api_key",
    "describe_api_key",
    "verify_api_key",
    "list_api_keys",
    "revoke_api_key",
    "rotate_api_key",
    "update_api_key",
    "list_api_key_events",
]


@dataclass(frozen=True)
class Page:
    """A tool's page, `tests/seeds/<name>.txt`."""

    name: str
    group: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


def page(tool: str) -> Page:
    text = (TESTS / "seeds" / f"{tool}.txt").read_text()
    _, description, *_ = text.splitlines()

    def after(heading: str) -> str:
        return text.split(f"\n{heading}", 1)[1].split("\n", 1)[0]

    def json_after(heading: str) -> dict[str, Any]:
        start = text.index("{", text.index(f"{heading}\n{{"))
        return json.JSONDecoder().raw_decode(text, start)[0]

    return Page(after("Name"), after("Group"), description, json_after("Input schema"), json_after("Output schema"))


def schema(tool: str, side: str) -> dict[str, Any]:
    return json.loads((TESTS / "schemas" / f"{tool}.{side}.json").read_text())
