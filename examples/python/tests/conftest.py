from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from wasmtime.component import Component

from keycell_host.__main__ import COMPONENT
from keycell_host.authority import ENGINE

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def component() -> Component:
    return Component.from_file(ENGINE, COMPONENT)


@pytest.fixture
def database() -> Iterator[Path]:
    # In memory, if the system has such a place: the tests create thousands of databases.
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Path(directory) / "keycell.db"
