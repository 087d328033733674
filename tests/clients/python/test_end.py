"""The end of a stdio server after its client has disconnected."""

from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from connection import MODES
from keycell import Keycell
from results import succeed

pytestmark = pytest.mark.anyio


async def test_the_server_ends_with_its_client(keycell: Keycell, revision: str, tmp_path: Path) -> None:
    # The SDK does not report the exit code, so a shell in between writes it to a file.
    written = tmp_path / "exit-code"
    script = '"$@"; echo $? > ' + str(written)
    server = StdioServerParameters(command="sh", args=["-c", script, "sh", *keycell.command("mcp")])
    async with Client(server, mode=MODES[revision]) as client:
        await succeed(client, "create_api_key", {"name": "laptop"})
        assert not written.exists()
    assert written.read_text() == "0\n"
