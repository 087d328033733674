"""Measures keycell and other packages for API keys on this machine, and prints a table. See README.md."""

import json
import os
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

KEYS = 100_000
RUNS = 5

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = ROOT / "target/peers"
PYTHON = TARGET / "python/bin/python"
NODE_HOST = ROOT / "examples/javascript"
COMPONENT = TARGET / "keycell.wasm"
FIGURES = ROOT / "target/criterion/figures"

Times = dict[str, float]


class Peer(NamedTuple):
    name: str
    # The first of those with the same database fills it.
    database: str
    program: list[str | Path]
    directory: Path = HERE


PEERS = [
    Peer("keycell, Python host", "keycell", [PYTHON, HERE / "keycell_python.py"]),
    Peer("keycell, Node.js host", "keycell", ["node", "--import", "tsx", HERE / "keycell-node.js"], NODE_HOST),
    Peer("djangorestframework-api-key", "django", [PYTHON, HERE / "django_api_key.py"]),
    Peer("better-auth", "better-auth", ["node", HERE / "better-auth.js"]),
]
LIBRARY = {
    "create": "create-in-turn-fresh-instance.json",
    "random": "verify-in-turn-fresh-instance.json",
    "repeated": "verify-a-repeated-key-in-turn-fresh-instance.json",
}


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    os.environ["KEYCELL_COMPONENT"] = str(COMPONENT)
    install()
    with TemporaryDirectory(dir=TARGET) as directory:
        fillers = {peer.database: peer for peer in reversed(PEERS)}
        say(f"Filling databases with {KEYS} keys each, at the same time")
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda peer: fill(peer, Path(directory, peer.database)), fillers.values()))
        runs: list[dict[str, Times]] = []
        for number in range(RUNS):
            say(f"Run {number + 1} of {RUNS}")
            # In turn, so that a busy machine slows all of them.
            runs.append({peer.name: measure(peer, Path(directory, peer.database)) for peer in PEERS})
    print("\n| | create | verify a random key | verify the same key |\n| --- | ---: | ---: | ---: |")
    show("keycell, Rust library", [library()])
    for peer in PEERS:
        show(peer.name, [run[peer.name] for run in runs])


def install() -> None:
    say("Measuring the library, and installing the others")
    call("cargo", "bench", "--profile", "dist", "--workspace", "--bench", "in_turn", cwd=ROOT)
    call(ROOT / "target/dist/keycell", "component", "--output", COMPONENT)
    venv.create(PYTHON.parents[1], with_pip=True)
    call(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt")
    # SQLite is compiled for Node.js, in place of a download of a binary.
    os.environ["npm_config_build_from_source"] = "true"
    for directory in [HERE, NODE_HOST]:
        call("npm", "ci", "--no-audit", "--no-fund", cwd=directory)
    call("npm", "run", "build", cwd=NODE_HOST)


def fill(peer: Peer, database: Path) -> None:
    database.mkdir()
    call(*peer.program, "fill", database, KEYS, cwd=peer.directory)


def measure(peer: Peer, database: Path) -> Times:
    command = [*peer.program, "measure", database]
    times: Times = json.loads(subprocess.run(command, cwd=peer.directory, check=True, stdout=subprocess.PIPE).stdout)
    return times


def library() -> Times:
    """The medians of the benchmark `in_turn`."""
    figures = {name: json.loads((FIGURES / file).read_text()) for name, file in LIBRARY.items()}
    return {name: figure["nanoseconds"] / 1000 for name, figure in figures.items()}


def show(name: str, runs: list[Times]) -> None:
    print(f"| {name} |", *(f"{median(run[what] for run in runs):,.1f} µs |" for what in LIBRARY))


def call(*command: object, cwd: Path = HERE) -> None:
    subprocess.run([str(part) for part in command], cwd=cwd, check=True, stdout=sys.stderr)


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
