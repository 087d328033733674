from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from connection import MODES, Connection
from keycell import Keycell


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def keycell(tmp_path: Path) -> Keycell:
    return Keycell(tmp_path / "keycell.db")


@pytest.fixture(params=["stdio", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=list(MODES))
def revision(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def connection(transport: str, revision: str, keycell: Keycell) -> Connection:
    return Connection(transport, revision, keycell)


@pytest.fixture
async def client(connection: Connection, anyio_backend: str) -> AsyncIterator[Client]:
    async with connection.open() as client:
        yield client


@pytest.fixture
async def client_of_all(connection: Connection, anyio_backend: str) -> AsyncIterator[Client]:
    async with connection.open("--all-tools") as client:
        yield client
