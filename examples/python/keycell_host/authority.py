"""Calls the component, each time in a fresh and bounded instance, so that no call can reach the secrets of another."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from secrets import token_bytes
from time import time_ns
from typing import Any
from uuid import uuid4

from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component, FuncType, Linker, Variant

from .arguments import fault, faults_of, lowered
from .limits import Limits
from .wit import Caller, Json, KeycellError, StorageError, lift, lower

EXPORTS = "keycell:api-keys/api-keys@0.2.0"
STORAGE = [
    *["insert-key", "find-key", "find-key-by-lookup", "find-request", "list-keys", "list-events"],
    *["update-key", "rotate-key", "replace-secret", "record-use", "find-project"],
]
MAX_MEMORY = 2 << 20
MAX_FUEL = 200_000_000  # Ten times the fuel of the costliest case of the conformance suite.
MAX_RANDOM_BYTES = 4096

CONFIG = Config()
CONFIG.consume_fuel = True
CONFIG.signals_based_traps = False  # Others in the process, such as `faulthandler`, may need the signals.
ENGINE = Engine(CONFIG)  # `Component.from_file(ENGINE, path)` compiles a component.


def log_cause(cause: object) -> str:
    """Logs the cause of an internal error and returns the correlation id of the log entry."""
    correlation_id = str(uuid4())
    logging.getLogger(__name__).error("%s: %s", correlation_id, cause)
    return correlation_id


@cache
def function_type(component: Component, name: str) -> FuncType:
    """The type of a function that the component exports."""
    interface: Any = component.type.exports(ENGINE)[EXPORTS].ty
    type: FuncType = interface.exports(ENGINE)[name].ty
    return type


@dataclass(frozen=True)
class Authority:
    """The component on a host, for one thread. Threads may share the component and the limits.

    `storage` has a method for each function of `wit/storage.wit`. `policy` is the record of `wit/context.wit`.
    """

    component: Component
    storage: Any
    policy: Json
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], int] = time_ns
    random: Callable[[int], bytes] = token_bytes

    def call(self, caller: Caller, function: str, **arguments: Any) -> Any:
        """Calls a function of `wit/api-keys.wit`. The fields of its record are arguments, too."""
        if isinstance(caller, str) and fault(caller):
            raise KeycellError("unauthenticated")
        if faults := faults_of(arguments):
            # As in the component, authentication comes before faults of the arguments.
            if caller is not None:
                self.call(caller, "describe_caller")
            raise KeycellError("invalid-input", faults)
        name = function.replace("_", "-")
        parameters = lowered(function_type(self.component, name), arguments)
        try:
            result = self._run(caller, name, parameters)
        except Exception as cause:
            raise KeycellError("internal", log_cause(cause)) from None
        # wasmtime names the side of a result only if the type of the value alone does not show it.
        match lift(result):
            case Variant("ok", answer):
                return answer
            case Variant("err", Variant(kind, payload)) | Variant(kind, payload):
                raise KeycellError(kind, payload)
            case answer:
                return answer

    def _run(self, caller: Caller, function: str, parameters: list[Any]) -> Any:
        with Linker(ENGINE) as linker, Store(ENGINE) as store:
            with linker.root() as root:
                for interface, functions in self._imports(caller).items():
                    with root.add_instance(interface) as instance:
                        for name, import_ in functions.items():
                            instance.add_func(name, import_)
            store.set_limits(memory_size=MAX_MEMORY)
            store.set_fuel(MAX_FUEL)
            exports = linker.instantiate(store, self.component)
            index = exports.get_export_index(store, function, exports.get_export_index(store, EXPORTS))
            run = index and exports.get_func(store, index)
            return run and run(store, *parameters)

    def _imports(self, caller: Caller) -> dict[str, dict[str, Callable[..., Any]]]:
        return {
            "keycell:api-keys/storage@0.2.0": {name: self._stored(name) for name in STORAGE},
            "keycell:api-keys/context@0.2.0": {
                "get-caller": lambda _: lower(caller),
                "get-policy": lambda _: lower(self.policy),
                "report-internal": lambda _, cause: log_cause(f"the component reports: {cause}"),
            },
            "keycell:api-keys/limits@0.2.0": {
                "load": lambda _, key_id: self.limits.load(key_id),
                "compare-and-store": lambda _, *arguments: self.limits.compare_and_store(*arguments),
            },
            "wasi:clocks/wall-clock@0.2.12": {
                "now": lambda _: lower(dict(zip(["seconds", "nanoseconds"], divmod(self.clock(), 10**9), strict=True)))
            },
            "wasi:random/random@0.2.12": {"get-random-bytes": lambda _, length: self._random_bytes(length)},
        }

    def _stored(self, name: str) -> Callable[..., Any]:
        def call(_: object, *arguments: Any) -> Any:
            try:
                return lower(getattr(self.storage, name.replace("-", "_"))(*map(lift, arguments)))
            except StorageError as error:
                return error.variant

        return call

    def _random_bytes(self, length: int) -> bytes:
        if length > MAX_RANDOM_BYTES:
            raise WasmtimeError(f"the component asked for {length} random bytes at once")
        return self.random(length)
