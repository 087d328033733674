"""The command: keys in a database file, for a user whose word is taken."""

import json
import os
import sqlite3
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from wasmtime import WasmtimeError
from wasmtime.component import Component

from . import wit
from .authority import ENGINE, Authority
from .database import open_database
from .storage import sqlite_storage

COMPONENT = Path(os.environ.get("KEYCELL_COMPONENT", Path(__file__).parents[3] / "dist/keycell.wasm"))
SCOPES = ["api-keys:read", "api-keys:write"]
LONGEST_KEY = 4096


class Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # The message may repeat an argument, and that may be a key.
        self.exit(2, self.format_usage())


def parser() -> Parser:
    parser = Parser(prog="keycell_host")
    parser.add_argument("--database", type=Path, required=True, help="the file; it is made if there is none")
    parser.add_argument("--user", default="local", help="for whom the command acts")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("create", help="creates a key and shows it this once").add_argument("name")
    commands.add_parser("get", help="shows what is known of a key").add_argument("id")
    commands.add_parser("verify", help="tells who the key on standard input is, or why it is refused")
    commands.add_parser("list", help="shows the newest of the user's active keys")
    return parser


def run(arguments: Namespace, authority: Authority) -> dict[str, Any]:
    caller = wit.Caller(arguments.user, SCOPES)
    match arguments.command:
        case "create":
            return asdict(authority.call(caller, wit.create_api_key(arguments.name)))
        case "get":
            return asdict(authority.call(caller, wit.get_api_key(arguments.id)))
        case "list":
            return asdict(authority.call(caller, wit.list_api_keys()))
        case _:
            key = sys.stdin.buffer.read(LONGEST_KEY).decode(errors="replace")
            call = wit.verify_api_key(key.removesuffix("\n").removesuffix("\r"))
            verification = authority.call(None, call)
            return {"valid": isinstance(verification, wit.VerifiedApiKey), **asdict(verification)}


def main() -> int:
    arguments = parser().parse_args()
    try:
        component = Component.from_file(ENGINE, COMPONENT)
        with closing(open_database(arguments.database)) as database:
            authority = Authority(component, sqlite_storage(database), wit.Policy(default_scopes=SCOPES))
            answer = run(arguments, authority)
    except (wit.KeycellError, WasmtimeError, sqlite3.Error, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0 if answer.get("valid", True) else 1


if __name__ == "__main__":
    sys.exit(main())
