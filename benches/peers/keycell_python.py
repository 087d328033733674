"""keycell's Python host."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "examples/python"))

from wasmtime.component import Component

from harness import Peer, run
from keycell_host.authority import ENGINE, Authority
from keycell_host.create import create_database
from keycell_host.storage import SqliteStorage, open_database

SCOPES = ["api-keys:read", "api-keys:write"]
ANN = {"id": "ann", "operator": False, "scopes": SCOPES}
POLICY = {
    "prefix": "keycell",
    "default_scopes": SCOPES,
    "grantable_scopes": None,
    "longest_life": None,
    "default_life": None,
}


def connect(path: Path, synchronous: str) -> Peer:
    component = Component.from_file(ENGINE, os.environ["KEYCELL_COMPONENT"])
    create_database(path)
    database = open_database(path)
    database.execute(f"PRAGMA synchronous = {synchronous}")
    authority = Authority(component, SqliteStorage(database), POLICY)

    def create() -> str:
        key: str = authority.call(ANN, "create_api_key", name="bench")["key"]
        return key

    def verify(key: str) -> bool:
        # A refusal is a variant.
        return isinstance(authority.call(None, "verify_api_key", key=key, scopes=SCOPES[:1]), dict)

    return create, verify


run(connect)
