"""The SDK's client, connected to a keycell."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from keycell import Keycell

# The mode in which the SDK speaks each revision: with the handshake, or without one.
MODES = {"2025-11-25": "legacy", "2026-07-28": "auto"}
# In seconds. Longer than the server's wait for a busy database.
TIMEOUT = 30
SCOPES = ["read", "verify", "write"]


@dataclass(frozen=True)
class Connection:
    """A way to reach a server: `transport` is stdio or http."""

    transport: str
    revision: str
    keycell: Keycell

    @asynccontextmanager
    async def open(self, *options: str) -> AsyncIterator[Client]:
        """Connects as ann, to a server with these options."""
        if self.transport == "stdio":
            command, *arguments = self.keycell.command("mcp", *options)
            server = StdioServerParameters(command=command, args=arguments)
            async with Client(server, mode=MODES[self.revision]) as client:
                yield client
        else:
            scopes = [part for scope in SCOPES for part in ("--scope", f"api-keys:{scope}")]
            key = self.keycell.create("bearer", *scopes)["key"]
            with self.keycell.serve(*options) as url:
                async with Bearer(url, key).connect(self.revision) as client:
                    yield client


@dataclass(frozen=True)
class Bearer:
    """An HTTP client that records its responses."""

    url: str
    key: str | None
    answers: list[httpx2.Response] = field(default_factory=list)

    @asynccontextmanager
    async def connect(self, revision: str) -> AsyncIterator[Client]:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        hooks: dict[str, list[Callable[..., Any]]] = {"response": [self._note]}
        async with httpx2.AsyncClient(headers=headers, event_hooks=hooks, timeout=TIMEOUT) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=MODES[revision]) as client:
                yield client

    async def _note(self, response: httpx2.Response) -> None:
        self.answers.append(response)
