"""Calls of tools, with checks that hold for every result."""

import json
from typing import Any

from jsonschema import Draft7Validator
from mcp import Client
from mcp.types import CallToolResult, TextContent

from contract import schema


def text(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


async def succeed(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the output of a call, and checks that the text has it too, for older clients."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error
    output = result.structured_content
    Draft7Validator(schema(tool, "output")).validate(output)
    assert json.loads(text(result)) == output
    return output


async def fail(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the error of a call, which is in the text only, because it is not an output."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    return json.loads(text(result))


async def faults(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, str]:
    """The faults of the arguments: a code for each field."""
    error = await fail(client, tool, arguments)
    assert error["kind"] == "invalid-input"
    assert all(fault["message"] for fault in error["faults"])
    return {fault["field"]: fault["code"] for fault in error["faults"]}
