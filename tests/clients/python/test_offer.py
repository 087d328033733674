"""Descriptions of the server and its tools."""

import pytest
from jsonschema import Draft7Validator
from mcp import Client
from mcp.types import Tool

from connection import Connection
from contract import ALL, GROUP, OFFERED, page, schema

pytestmark = pytest.mark.anyio

# Read-only, destructive, idempotent.
HINTS = {
    "create_api_key": (False, False, False),
    "get_api_key": (True, False, True),
    "issue_api_key": (False, False, False),
    "describe_api_key": (True, False, True),
    "verify_api_key": (False, False, False),
    "list_api_keys": (True, False, True),
    "revoke_api_key": (False, True, True),
    "rotate_api_key": (False, True, False),
    "update_api_key": (False, True, False),
    "list_api_key_events": (True, False, True),
}


def hints(tool: Tool) -> tuple[bool | None, bool | None, bool | None]:
    assert tool.annotations
    return tool.annotations.read_only_hint, tool.annotations.destructive_hint, tool.annotations.idempotent_hint


async def test_a_client_and_the_server_agree_on_the_newest_revision_that_both_know(
    client: Client, connection: Connection
) -> None:
    assert client.protocol_version == connection.revision
    assert client.server_info and client.server_info.name == "keycell"
    assert client.server_capabilities.model_dump(exclude_none=True) == {"tools": {}}
    assert client.instructions


async def test_the_two_tools_are_those_of_their_pages(client: Client) -> None:
    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == OFFERED
    for tool in tools:
        asked_for = page(tool.name)
        assert tool.name == asked_for.name
        assert tool.description == asked_for.description
        assert tool.meta == {"group": asked_for.group}
        assert tool.input_schema == asked_for.input_schema
        assert tool.output_schema == asked_for.output_schema


async def test_all_tools_have_their_schemas_and_hints(client_of_all: Client) -> None:
    tools = (await client_of_all.list_tools()).tools
    assert [tool.name for tool in tools] == ALL
    for tool in tools:
        assert tool.input_schema == schema(tool.name, "input")
        assert tool.output_schema == schema(tool.name, "output")
        Draft7Validator.check_schema(tool.input_schema)
        Draft7Validator.check_schema(tool.output_schema)
        assert tool.title and tool.title != tool.name
        assert tool.meta == {"group": GROUP}
        assert hints(tool) == HINTS[tool.name]
