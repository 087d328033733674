"""Every error of the contract, as a client gets it."""

import uuid

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS

from connection import Bearer
from contract import ALL
from database import locked, store_scopes
from keycell import Keycell
from results import fail, faults, succeed

pytestmark = pytest.mark.anyio

NOT_FOUND = {"kind": "not-found", "subject": "api-key"}


async def test_every_fault_is_returned_at_once(client: Client) -> None:
    arguments = {"name": "", "project_reference": "No!", "expires_at": "yesterday"}
    assert await faults(client, "create_api_key", arguments) == {
        "name": "empty",
        "project_reference": "not-a-reference",
        "expires_at": "not-a-time",
    }


async def test_every_fault_of_the_schema_is_returned_at_once(client: Client) -> None:
    assert await faults(client, "create_api_key", {"owner": "bob", "expires_at": 7}) == {
        "name": "missing",
        "owner": "unknown-argument",
        "expires_at": "wrong-type",
    }


async def test_a_key_in_the_place_of_an_id_is_not_repeated(client: Client) -> None:
    key = (await succeed(client, "create_api_key", {"name": "laptop"}))["key"]
    result = await client.call_tool("get_api_key", {"api_key_id": key})
    assert key not in result.model_dump_json()
    assert await faults(client, "get_api_key", {"api_key_id": key}) == {"api_key_id": "secret-passed-as-id"}


async def test_a_missing_key_and_another_users_are_the_same_error(client: Client, keycell: Keycell) -> None:
    other = keycell.create("laptop", user="bob")["id"]
    for key_id in [other, "019cebab-8995-7101-854f-d1d01ab22574"]:
        assert await fail(client, "get_api_key", {"api_key_id": key_id}) == NOT_FOUND


async def test_a_project_that_the_caller_is_no_member_of_is_not_found(client: Client, keycell: Keycell) -> None:
    keycell.run("project", "create", "web", user="bob")
    arguments = {"name": "deploy", "project_reference": "web"}
    assert await fail(client, "create_api_key", arguments) == {"kind": "not-found", "subject": "project"}


async def test_a_revoked_key_is_not_rotated(client_of_all: Client, keycell: Keycell) -> None:
    revoked = keycell.create("laptop")["id"]
    keycell.run("revoke", revoked)
    assert await fail(client_of_all, "rotate_api_key", {"api_key_id": revoked}) == {"kind": "not-active"}


async def test_a_projects_key_creates_no_key_outside_of_it(keycell: Keycell, revision: str) -> None:
    keycell.run("project", "create", "web")
    key = keycell.create("deploy", "--project", "web")["key"]
    with keycell.serve() as url:
        async with Bearer(url, key).connect(revision) as client:
            assert await fail(client, "create_api_key", {"name": "laptop"}) == {"kind": "forbidden"}


# The server waits for a busy database, so one revision is enough.
@pytest.mark.parametrize("revision", ["2026-07-28"], indirect=True)
async def test_a_busy_database_is_unavailable_and_then_available(client: Client, keycell: Keycell) -> None:
    with locked(keycell):
        assert await fail(client, "create_api_key", {"name": "laptop"}) == {"kind": "unavailable"}
    await succeed(client, "create_api_key", {"name": "laptop"})


async def test_the_cause_of_an_internal_error_stays_in_the_log(client: Client, keycell: Keycell) -> None:
    created = await succeed(client, "create_api_key", {"name": "laptop"})
    store_scopes(keycell, created["id"], [7])
    error = await fail(client, "get_api_key", {"api_key_id": created["id"]})
    assert error.keys() == {"kind", "correlation_id"}
    assert error["kind"] == "internal"
    assert uuid.UUID(error["correlation_id"])


async def test_a_tool_that_is_not_served_is_an_error_of_the_protocol(client: Client) -> None:
    for tool in [*ALL[2:], "drop_api_keys"]:
        with pytest.raises(MCPError) as refused:
            await client.call_tool(tool, {})
        assert refused.value.code == INVALID_PARAMS
