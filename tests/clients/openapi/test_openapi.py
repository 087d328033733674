"""The OpenAPI document of `keycell serve`, and the server that it describes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

KEYCELL = os.environ["KEYCELL"]
DIRECTORY = Path(__file__).parent
# The number of requests of one run when this was written. Fewer would mean that something is left out.
MIN_CASES = 1000


@dataclass(frozen=True)
class Server:
    url: str
    key: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    database = tmp_path_factory.mktemp("openapi") / "keycell.db"
    command = [KEYCELL, "--database", str(database), "--user", "root"]
    # An operator's key, which may make every call.
    create = [*command, "--operator", "create", "--name", "admin", "--scope", "api-keys:admin", "--json"]
    key = json.loads(subprocess.run(create, stdout=subprocess.PIPE, check=True).stdout)["key"]
    serve = [*command, "serve", "--listen", "127.0.0.1:0", "--trust-proxy", "127.0.0.1"]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            yield Server(f"http://{listening(process.stderr)}", key)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def listening(log: Iterator[str]) -> str:
    """The address in the log, which is read to its end in the background."""
    for line in log:
        fields = json.loads(line)["fields"]
        if fields["message"] == "listening":
            threading.Thread(target=lambda: [None for _ in log], daemon=True).start()
            return fields["address"]
    raise AssertionError("the server ended before it listened")


def test_the_document_is_valid(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/openapi.json") as answer:
        document = json.load(answer)
    assert document["openapi"].startswith("3.1")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_the_server_does_what_the_document_says(server: Server) -> None:
    environment = {**os.environ, "KEYCELL_KEY": server.key, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(DIRECTORY)}
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", "--checks", "all", "--no-color"]
    command += ["--phases", "coverage,fuzzing", f"{server.url}/openapi.json"]
    done = subprocess.run(command, cwd=DIRECTORY, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
    generated = re.search(r"^ *(\d+) generated, \1 passed", done.stdout, re.MULTILINE)
    assert generated and int(generated[1]) >= MIN_CASES, done.stdout
