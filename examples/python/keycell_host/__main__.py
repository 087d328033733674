"""The command: keys in a database file. `--user` is not verified."""

import json
import os
import sqlite3
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from wasmtime import WasmtimeError
from wasmtime.component import Component

from .authority import ENGINE, Authority, Json, KeycellError
from .create import create_database
from .output import tool_json
from .storage import SqliteStorage, open_database

COMPONENT = Path(os.environ.get("KEYCELL_COMPONENT", Path(__file__).parents[3] / "dist/keycell.wasm"))
SCOPES = ["api-keys:read", "api-keys:write"]
POLICY: Json = {
    "prefix": "keycell",
    "default_scopes": SCOPES,
    "grantable_scopes": None,
    "longest_life": None,
    "default_life": None,
}
MAX_KEY_LENGTH = 4096


class Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # The message may repeat an argument, and that may be a key.
        self.exit(2, self.format_usage())


def parser() -> Parser:
    parser = Parser(prog="keycell_host")
    parser.add_argument("--database", type=Path, required=True, help="the database file, which `create` makes")
    parser.add_argument("--user", default="local", help="the user who calls (default: local)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("create", help="create a key and show it this once").add_argument("name")
    commands.add_parser("get", help="show the fields of a key").add_argument("id")
    commands.add_parser("verify", help="verify the key on standard input")
    commands.add_parser("list", help="list the newest active keys of the user")
    return parser


def run(arguments: Namespace, authority: Authority) -> Json:
    caller = {"id": arguments.user, "operator": False, "scopes": SCOPES}
    match arguments.command:
        case "create":
            answer = authority.call(caller, "create_api_key", name=arguments.name)
        case "get":
            answer = authority.call(caller, "get_api_key", api_key_id=arguments.id)
        case "list":
            answer = authority.call(caller, "list_api_keys")
        case _:
            key = sys.stdin.buffer.read(MAX_KEY_LENGTH).decode(errors="replace")
            answer = authority.call(caller, "verify_api_key", key=key.removesuffix("\n").removesuffix("\r"))
    return tool_json(answer)


def sentence(error: Exception) -> str:
    match error:
        case KeycellError(kind="invalid-input", payload=faults):
            return "; ".join(f"{fault['field']} {fault['message']}" for fault in faults)
        case KeycellError(kind="not-found", payload=subject):
            return f"no such {subject}"
        case KeycellError(kind="internal", payload=correlation_id):
            return f"internal error: see the log entry {correlation_id}"
    return str(error)


def main() -> int:
    arguments = parser().parse_args()
    try:
        component = Component.from_file(ENGINE, COMPONENT)
        # Only a command that adds something makes a database: another path may be a mistake.
        if arguments.command == "create":
            create_database(arguments.database)
        elif not arguments.database.exists():
            raise FileNotFoundError("there is no database: create a key first")
        with closing(open_database(arguments.database)) as database:
            answer = run(arguments, Authority(component, SqliteStorage(database), POLICY))
    except (KeycellError, WasmtimeError, sqlite3.Error, OSError) as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0 if answer.get("valid", True) else 1


if __name__ == "__main__":
    sys.exit(main())
