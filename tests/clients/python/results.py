"""What a tool answers, checked as far as it holds for every answer."""

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
    """The output of a call; older clients read the same in the text."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error
    output = result.structured_content
    Draft7Validator(schema(tool, "output")).validate(output)
    assert json.loads(text(result)) == output
    return output


async def fail(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The error of a call. It is no output, so it is in the text alone."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    return json.loads(text(result))


async def faults(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the arguments: a code for each field."""
    error = await fail(client, tool, arguments)
    assert error["kind"] == "invalid-input"
    assert all(fault["message"] for fault in error["faults"])
    return {fault["field"]: fault["code"] for fault in error["faults"]}
