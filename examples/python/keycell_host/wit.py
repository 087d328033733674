"""The values of `wit/` in Python: a record is a dictionary, `none` is `None`, a variant is wasmtime's."""

from typing import Any

from wasmtime.component import Record, Variant

# A record. Its fields have their names in snake_case.
Json = dict[str, Any]
# The caller: a `user` that you have authenticated, the key of a bearer, or `None` for the host itself.
Caller = Json | str | None


class KeycellError(Exception):
    """The error of a call: a case of `error` in `wit/api-keys.wit`, and its payload."""

    def __init__(self, kind: str, payload: Any = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.payload = payload


class StorageError(Exception):
    """The error of a storage function: a case of `error` in `wit/storage.wit`."""

    def __init__(self, kind: str, correlation_id: str | None = None) -> None:
        super().__init__(kind)
        self.variant = Variant(kind, correlation_id)


def user(id: str, scopes: list[str], operator: bool = False) -> Json:
    """A user that you have authenticated, and the scopes that the user may grant."""
    return {"id": id, "operator": operator, "scopes": scopes}


def policy(default_scopes: list[str], prefix: str = "keycell", **optional: Any) -> Json:
    """The issuer's policy. `longest_life`, `default_life` and `grantable_scopes` may be left out."""
    none = {"longest_life": None, "default_life": None, "grantable_scopes": None}
    return {"prefix": prefix, "default_scopes": default_scopes, **none, **optional}


def lift(value: Any) -> Any:
    """Converts a value from the component."""
    match value:
        case Record():
            return {name.replace("-", "_"): lift(field) for name, field in vars(value).items()}
        case list():
            return [lift(item) for item in value]
        case Variant(tag, payload):
            return Variant(tag, lift(payload))
    return value


def lower(value: Any) -> Any:
    """Converts a value for the component."""
    match value:
        case dict():
            record = Record()
            vars(record).update({name.replace("_", "-"): lower(field) for name, field in value.items()})
            return record
        case list():
            return [lower(item) for item in value]
        case Variant(tag, payload):
            return Variant(tag, lower(payload))
    return value
