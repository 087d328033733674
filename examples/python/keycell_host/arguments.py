"""What a call hands over: bounded, and nothing that wasmtime would change or refuse."""

import json
from typing import Any

from .wit import Fault, KeycellError

LONGEST = 64 << 10
MOST_U32 = (1 << 32) - 1


def handed_over(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the component gets them; `invalid-input` tells of all that it can't get."""
    if misfit(arguments.get("key")):
        arguments = arguments | {"key": ""}  # No key at all, and the component says so.
    faults = [Fault(name, *fault) for name, value in arguments.items() if (fault := misfit(value))]
    if faults:
        raise KeycellError("invalid-input", faults)
    return arguments


def misfit(value: str | list[str] | int | None) -> tuple[str, str] | None:
    """Why an argument can't be handed over, if it can't. Of a number, wasmtime would take the low bits."""
    if isinstance(value, int) and not 0 <= value <= MOST_U32:
        return "out-of-range", "is out of range"
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return "forbidden-character", "holds a character that people can not see"
    return ("too-long", "is longer than allowed") if size > LONGEST else None
