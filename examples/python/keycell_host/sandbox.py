"""The component, in bounds: each call has an instance of its own, gone with all it knew when the call is over."""

from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component, Linker

from .host import Imports

EXPORTS = "keycell:api-keys/api-keys@0.1.0"
MOST_MEMORY = 1 << 20
MOST_FUEL = 200_000_000  # Over ten times what the costliest case of the suite takes.


class Sandbox:
    """The compiled component, which any number of threads may call."""

    def __init__(self, component: Path) -> None:
        config = Config()
        config.consume_fuel = True
        self._engine = Engine(config)
        self._component = Component.from_file(self._engine, component)

    def call(self, imports: Imports, export: str, *arguments: Any) -> Any:
        with self._linker(imports) as linker, Store(self._engine) as store:
            store.set_limits(memory_size=MOST_MEMORY)
            store.set_fuel(MOST_FUEL)
            instance = linker.instantiate(store, self._component)
            index = instance.get_export_index(store, export, instance.get_export_index(store, EXPORTS))
            function = index and instance.get_func(store, index)
            if not function:
                raise WasmtimeError(f"the component has no {export}")
            return function(store, *arguments)

    def _linker(self, imports: Imports) -> Linker:
        linker = Linker(self._engine)
        with linker.root() as root:
            for interface, functions in imports.items():
                with root.add_instance(interface) as instance:
                    for name, function in functions.items():
                        instance.add_func(name, function)
        return linker
