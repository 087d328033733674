"""The `keycell` command: on one database, as a user, as a server."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXECUTABLE = os.environ["KEYCELL"]
STOP_TIMEOUT = 10


@dataclass(frozen=True)
class Keycell:
    database: Path

    def command(self, *arguments: str, user: str = "ann") -> list[str]:
        return [EXECUTABLE, "--database", str(self.database), "--user", user, *arguments]

    def run(self, *arguments: str, user: str = "ann") -> dict[str, Any]:
        done = subprocess.run(self.command(*arguments, "--json", user=user), stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def create(self, name: str, *arguments: str, user: str = "ann") -> dict[str, Any]:
        return self.run("create", "--name", name, *arguments, user=user)

    @contextmanager
    def serve(self, *options: str) -> Iterator[str]:
        """Serves over HTTP and yields the URL. The server must stop at SIGTERM."""
        command = self.command("serve", "--listen", "127.0.0.1:0", *options)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                assert server.stderr
                address = listening(server.stderr)
                # Keep the pipe empty.
                threading.Thread(target=server.stderr.read, daemon=True).start()
                yield f"http://{address}/mcp"
                server.send_signal(signal.SIGTERM)
                assert server.wait(STOP_TIMEOUT) == 0
            finally:
                server.kill()


def listening(log: Iterator[str]) -> str:
    """The address in the log."""
    for line in log:
        fields = json.loads(line)["fields"]
        if fields["message"] == "listening":
            return fields["address"]
    raise AssertionError("the server ended before it listened")
