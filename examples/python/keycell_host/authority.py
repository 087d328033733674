"""The API-key authority: the component on a host. Records are dictionaries; `none` is `None`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from secrets import token_bytes
from time import time_ns
from typing import Any
from uuid import uuid4

from wasmtime import Config, Engine, Store
from wasmtime.component import Component, Linker, ListType, Record, RecordType, Variant, VariantType

from .limits import Limits

Json = dict[str, Any]  # A record. Its fields have their names in snake_case.
# A user that you have authenticated, the key of a bearer, or `None` for the host itself.
Caller = Json | str | None
Functions = dict[str, Callable[..., Any]]

API_KEYS = "keycell:api-keys/api-keys@0.2.0"
STORAGE = """insert-key find-key find-key-by-lookup find-request list-keys list-events
    update-key rotate-key replace-secret record-use find-project"""
MAX_MEMORY = 16 << 20
MAX_FUEL = 200_000_000  # Ten times the fuel of the costliest case of the conformance suite.
MAX_RANDOM_BYTES = 4096

CONFIG = Config()
CONFIG.consume_fuel = True
CONFIG.signals_based_traps = False  # Others in the process may need the signals.
ENGINE = Engine(CONFIG)  # `Component.from_file(ENGINE, path)` compiles a component.


class KeycellError(Exception):
    """An error of a call or of a storage function: a case of `error` in `wit/`, and its payload."""

    def __init__(self, kind: str, payload: Any = None) -> None:
        super().__init__(kind)
        self.kind, self.payload = kind, payload


def log_cause(cause: object) -> str:
    """Logs the cause of an internal error and returns the correlation id of the log entry."""
    correlation_id = str(uuid4())
    logging.getLogger(__name__).error("%s: %s", correlation_id, cause)
    return correlation_id


@dataclass(frozen=True)
class Authority:
    """The component on a host, for one thread. Threads may share the component and the limits."""

    component: Component
    storage: Any  # It has a method for each function of `wit/storage.wit`.
    policy: Json  # The record of `wit/context.wit`.
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], int] = time_ns
    random: Callable[[int], bytes] = token_bytes

    def call(self, caller: Caller, function: str, **arguments: Any) -> Any:
        """Calls a function of `wit/api-keys.wit`. The fields of its record are arguments, too."""
        name = function.replace("_", "-")
        parameters = self._parameters(name, arguments)
        try:
            result = self._run(caller, name, parameters)
        except Exception as cause:
            raise KeycellError("internal", log_cause(cause)) from None
        # wasmtime names the side of a result only if the type of the value alone does not show it.
        match result:
            case Variant("ok", answer):
                return answer
            case Variant("err", Variant(kind, payload)) | Variant(kind, payload):
                raise KeycellError(kind, payload)
        return result

    def _parameters(self, name: str, arguments: Json) -> list[Any]:
        left = dict(arguments)
        defaults: dict[type, Any] = {ListType: [], VariantType: Variant("keep")}

        def take(name: str, kind: object) -> Any:
            if isinstance(kind, RecordType):
                return {field: take(field, kind) for field, kind in kind.fields}
            return left.pop(name.replace("-", "_"), defaults.get(type(kind)))

        taken = [take(name, kind) for name, kind in parameters_of(self.component, name)]
        if left:
            raise TypeError(f"the function has no argument {', '.join(left)}")
        return [convert(value, is_argument=True) for value in taken]

    def _run(self, caller: Caller, name: str, parameters: list[Any]) -> Any:
        """Runs a function in a fresh and bounded instance."""
        with Linker(ENGINE) as linker, Store(ENGINE) as store:
            store.set_limits(memory_size=MAX_MEMORY)
            store.set_fuel(MAX_FUEL)
            with linker.root() as root:
                for interface, functions in self._imports(caller).items():
                    with root.add_instance(interface) as instance:
                        for import_, function in functions.items():
                            instance.add_func(import_, imported(function))
            exports = linker.instantiate(store, self.component)
            index = exports.get_export_index(store, name, exports.get_export_index(store, API_KEYS))
            run: Any = index and exports.get_func(store, index)
            return convert(run(store, *parameters))

    def _imports(self, caller: Caller) -> dict[str, Functions]:
        return {
            "keycell:api-keys/storage@0.2.0": methods(self.storage, STORAGE),
            "keycell:api-keys/limits@0.2.0": methods(self.limits, "load compare-and-store"),
            "keycell:api-keys/context@0.2.0": {
                "get-caller": lambda: caller,
                "get-policy": lambda: self.policy,
                "report-internal": lambda cause: log_cause(f"the component reports: {cause}"),
            },
            "wasi:clocks/wall-clock@0.2.12": {"now": self._now},
            "wasi:random/random@0.2.12": {"get-random-bytes": self._random_bytes},
        }

    def _now(self) -> Json:
        seconds, nanoseconds = divmod(self.clock(), 10**9)
        return {"seconds": seconds, "nanoseconds": nanoseconds}

    def _random_bytes(self, length: int) -> bytes:
        if length > MAX_RANDOM_BYTES:
            raise ValueError(f"the component asked for {length} random bytes at once")
        return self.random(length)


@cache
def parameters_of(component: Component, name: str) -> list[tuple[str, object]]:
    api_keys: Any = component.type.exports(ENGINE)[API_KEYS].ty
    return list(api_keys.exports(ENGINE)[name].ty.params)


def methods(host: Any, names: str) -> Functions:
    return {name: getattr(host, name.replace("-", "_")) for name in names.split()}


def imported(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function for wasmtime, which fails by returning a case of its error."""

    def run(_: object, *arguments: Any) -> Any:
        try:
            return convert(function(*map(convert, arguments)))
        except KeycellError as error:
            return Variant(error.kind, error.payload)

    return run


def convert(value: Any, is_argument: bool = False) -> Any:
    """Converts a dictionary into a record, and a record into a dictionary."""
    match value:
        case dict():
            record = Record()
            for name, field in value.items():
                setattr(record, name.replace("_", "-"), convert(field, is_argument))
            return record
        case Record():
            return {name.replace("-", "_"): convert(field) for name, field in vars(value).items()}
        case list():
            return [convert(item, is_argument) for item in value]
        case Variant(tag, payload):
            return Variant(tag, convert(payload, is_argument))
        case int() if is_argument and value >> 32:  # wasmtime would take its low bits.
            raise ValueError("not a u32")
        case str():  # A lone surrogate becomes the replacement character, as in JavaScript.
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
