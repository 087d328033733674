from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from keycell_host.__main__ import COMPONENT
from keycell_host.sandbox import Sandbox

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return Sandbox(COMPONENT)


@pytest.fixture
def database() -> Iterator[Path]:
    # Thousands are made: where the system has a place in memory for them, none is synced to a disk.
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Path(directory) / "keycell.db"
