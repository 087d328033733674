"""The arguments of a call: bounded, and nothing that wasmtime would refuse or change."""

from typing import Any

from wasmtime.component import FuncType, ListType, RecordType, Variant, VariantType

from .wit import Json, KeycellError, lower

MAX_BYTES = 65_536


def lowered(function: FuncType, arguments: Json) -> list[Any]:
    """Returns the parameters of a call; raises `invalid-input` with every fault of the arguments."""
    if fault(arguments.get("key")):
        arguments = {**arguments, "key": ""}  # No key at all: the component answers that it is malformed.
    faults = [{"field": name, **found} for name, value in arguments.items() if (found := fault(value))]
    if faults:
        raise KeycellError("invalid-input", faults)
    left = {name.replace("_", "-"): value for name, value in arguments.items()}

    def take(name: str, type: object) -> Any:
        if isinstance(type, RecordType):
            return {field: take(field, type) for field, type in type.fields}
        default: Any = [] if isinstance(type, ListType) else None
        return left.pop(name, Variant("keep") if isinstance(type, VariantType) else default)

    parameters = [lower(take(name, type)) for name, type in function.params]
    if left:
        raise TypeError(f"the function has no argument {', '.join(left)}")
    return parameters


def fault(value: Any) -> Json | None:
    """The reason why a value cannot be passed on. Of a number, wasmtime would take the low bits."""
    match value:
        case int() if not 0 <= value < 1 << 32:
            return {"code": "out-of-range", "message": "must be a whole number from 0 to 4294967295"}
        case dict():
            return next(filter(None, map(fault, value.values())), None)
        case Variant():
            return fault(value.payload)
        case str() | list():
            try:
                # An item of a list takes 8 bytes besides its text.
                texts = [value] if isinstance(value, str) else [" " * 8 + item for item in value]
                if sum(len(text.encode()) for text in texts) > MAX_BYTES:
                    return {"code": "too-long", "message": "must be at most 65536 bytes"}
            except UnicodeEncodeError:
                return {"code": "forbidden-character", "message": "must not hold control or invisible characters"}
    return None
