"""Authentication over HTTP: the statuses that the SDK's client receives."""

import pytest
from mcp import MCPError

from connection import Bearer
from keycell import Keycell
from results import fail, succeed

pytestmark = pytest.mark.anyio

# The checksum is right, and the key does not exist.
UNKNOWN = "keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx"


async def refusal(bearer: Bearer, revision: str) -> tuple[int, str]:
    with pytest.RaisesGroup(MCPError, flatten_subgroups=True):
        async with bearer.connect(revision):
            pass
    answer = bearer.answers[-1]
    return answer.status_code, answer.headers["www-authenticate"]


async def test_without_a_key_nothing_is_served(keycell: Keycell, revision: str) -> None:
    with keycell.serve() as url:
        assert await refusal(Bearer(url, None), revision) == (401, 'Bearer realm="keycell"')


async def test_every_invalid_key_gets_the_same_challenge(keycell: Keycell, revision: str) -> None:
    revoked = keycell.create("laptop")
    keycell.run("revoke", revoked["id"])
    with keycell.serve() as url:
        for key in [UNKNOWN, revoked["key"], "laptop"]:
            refused = await refusal(Bearer(url, key), revision)
            assert refused == (401, 'Bearer realm="keycell", error="invalid_token"')


@pytest.mark.parametrize(
    ("held", "tool", "arguments"),
    [
        ("api-keys:read", "create_api_key", {"name": "laptop"}),
        ("api-keys:write", "get_api_key", {"api_key_id": "019cebab-8995-7101-854f-d1d01ab22574"}),
    ],
)
async def test_the_challenge_names_the_missing_scope(
    keycell: Keycell, revision: str, held: str, tool: str, arguments: dict[str, str]
) -> None:
    created = keycell.create("narrow", "--scope", held)
    with keycell.serve() as url:
        bearer = Bearer(url, created["key"])
        async with bearer.connect(revision) as client:
            with pytest.raises(MCPError):
                await client.call_tool(tool, arguments)
        answer = next(answer for answer in bearer.answers if answer.is_error)
    [lacking] = {"api-keys:read", "api-keys:write"} - {held}
    assert answer.status_code == 403
    challenge = f'Bearer realm="keycell", error="insufficient_scope", scope="{lacking}"'
    assert answer.headers["www-authenticate"] == challenge


async def test_a_caller_is_the_keys_user(keycell: Keycell, revision: str) -> None:
    anns = keycell.create("laptop")
    bobs = keycell.create("laptop", user="bob")
    with keycell.serve() as url:
        async with Bearer(url, bobs["key"]).connect(revision) as client:
            assert (await succeed(client, "get_api_key", {"api_key_id": bobs["id"]}))["user_id"] == "bob"
            assert (await fail(client, "get_api_key", {"api_key_id": anns["id"]}))["kind"] == "not-found"
            assert (await succeed(client, "create_api_key", {"name": "next"}))["user_id"] == "bob"
