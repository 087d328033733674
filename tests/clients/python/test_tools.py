"""Calls that succeed."""

import json
import re

import pytest
from jsonschema import Draft7Validator
from mcp import Client

from connection import Connection
from contract import schema
from keycell import Keycell
from results import succeed, text

pytestmark = pytest.mark.anyio

KEY = re.compile(r"keycell_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")
SCOPES = ["api-keys:read", "api-keys:write"]


async def test_a_key_is_created_and_read(client: Client) -> None:
    created = await succeed(client, "create_api_key", {"name": " laptop ", "expires_at": "2999-12-31"})
    assert KEY.fullmatch(created["key"])
    assert created["key"].startswith(created["key_prefix"] + "_")
    assert (created["name"], created["user_id"], created["scopes"]) == ("laptop", "ann", SCOPES)
    assert created["expires_at"] == "2999-12-31T00:00:00.000Z"

    read = await succeed(client, "get_api_key", {"api_key_id": created.pop("id")})
    key = created.pop("key")
    assert read.items() >= created.items()
    assert read["updated_at"] == created["created_at"]
    assert read["last_used_at"] is None
    assert key not in json.dumps(read)


async def test_a_key_is_created_for_a_project(client: Client, keycell: Keycell) -> None:
    project = keycell.run("project", "create", "web")
    created = await succeed(client, "create_api_key", {"name": "deploy", "project_reference": "web"})
    assert created["project_id"] == project["id"]


async def test_the_text_can_leave_the_key_out(connection: Connection) -> None:
    async with connection.open("--redact-text") as client:
        result = await client.call_tool("create_api_key", {"name": "laptop"})
    output = result.structured_content
    Draft7Validator(schema("create_api_key", "output")).validate(output)
    assert KEY.fullmatch(output.pop("key"))
    assert json.loads(text(result)) == output


async def test_a_key_lives_through_all_tools(client_of_all: Client) -> None:
    client = client_of_all
    first = await succeed(client, "create_api_key", {"name": "laptop"})
    verified = await succeed(client, "verify_api_key", {"key": first["key"], "scopes": ["api-keys:read"]})
    assert (verified["valid"], verified["id"]) == (True, first["id"])

    renamed = await succeed(client, "update_api_key", {"api_key_id": first["id"], "name": "desktop"})
    assert renamed["name"] == "desktop"

    second = await succeed(client, "rotate_api_key", {"api_key_id": first["id"], "grace_seconds": 0})
    refused = await succeed(client, "verify_api_key", {"key": first["key"]})
    assert (refused["valid"], refused["reason"]) == (False, "expired")

    revoked = await succeed(client, "revoke_api_key", {"api_key_id": second["id"], "reason": "lost"})
    assert (revoked["status"], revoked["revocation_reason"]) == ("revoked", "lost")

    listed = await succeed(client, "list_api_keys", {"status": "all"})
    assert [key["id"] for key in listed["api_keys"]][:2] == [second["id"], first["id"]]
