"""The arguments of a call, checked for values that wasmtime would refuse or change."""

from typing import Any

from wasmtime.component import FuncType, ListType, RecordType, Variant, VariantType

from .wit import Json, lower

MAX_BYTES = 65_536


def faults_of(arguments: Json) -> list[Json]:
    """Every fault of the arguments. A presented key has none: if it cannot be passed on, it is malformed."""
    named = {name: value for name, value in arguments.items() if name != "key"}
    return [{"field": name, **found} for name, value in named.items() if (found := fault(value))]


def lowered(function: FuncType, arguments: Json) -> list[Any]:
    """Returns the parameters of a call."""
    left = {name.replace("_", "-"): value for name, value in arguments.items()}
    if fault(arguments.get("key")):
        left["key"] = ""  # The component refuses it as malformed.

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
    """The reason why a value cannot be passed on. wasmtime would truncate a number to its low bits."""
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
