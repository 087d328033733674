"""Calls the component, each time in a fresh instance, in bounds: no call can reach what another one knew."""

from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_bytes
from time import time_ns

from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component, Linker

from .arguments import handed_over
from .failure import log_cause
from .imports import imports
from .wit import EXPORTS, Call, Caller, KeycellError, Policy, Storage, T

MOST_MEMORY = 1 << 20
MOST_FUEL = 200_000_000  # Over ten times what the costliest case of the suite takes.
MOST_RANDOM_BYTES = 4096

CONFIG = Config()
CONFIG.consume_fuel = True
CONFIG.signals_based_traps = False  # Others in the process, such as `faulthandler`, may want the signals.
ENGINE = Engine(CONFIG)  # `Component.from_file(ENGINE, path)` compiles a component.


@dataclass(frozen=True)
class Authority:
    """The component on a host, for one thread; many may share the component. The clock gives nanoseconds."""

    component: Component
    storage: Storage
    policy: Policy
    clock: Callable[[], int] = time_ns
    random: Callable[[int], bytes] = token_bytes

    def call(self, caller: Caller | None, call: Call[T]) -> T:
        """Makes a call for this caller, whom you have made sure of. Verifying a key is for nobody: `None`."""
        arguments = handed_over(call.arguments)
        try:
            result = self._run(caller, call.export, list(arguments.values()))
        except Exception as cause:
            raise KeycellError("internal", log_cause(cause)) from None
        return call.answer(result)

    def _run(self, caller: Caller | None, export: str, arguments: list[object]) -> object:
        reached = imports(self.storage, caller, self.policy, self.clock, self._random_bytes)
        with Linker(ENGINE) as linker, Store(ENGINE) as store:
            with linker.root() as root:
                for interface, functions in reached.items():
                    with root.add_instance(interface) as instance:
                        for name, function in functions.items():
                            instance.add_func(name, function)
            store.set_limits(memory_size=MOST_MEMORY)
            store.set_fuel(MOST_FUEL)
            exports = linker.instantiate(store, self.component)
            index = exports.get_export_index(store, export, exports.get_export_index(store, EXPORTS))
            run = index and exports.get_func(store, index)
            if not run:
                raise WasmtimeError(f"the component has no {export}")
            return run(store, *arguments)

    def _random_bytes(self, length: int) -> bytes:
        if length > MOST_RANDOM_BYTES:
            raise WasmtimeError(f"the component asked for {length} random bytes at once")
        return self.random(length)
