"""Calls of a component with Python's values: a record is a dictionary, and `none` is `None`."""

from collections.abc import Callable
from functools import cache
from typing import Any

from wasmtime import Config, Engine, Store
from wasmtime.component import Component, FuncType, Linker, ListType, Record, RecordType
from wasmtime.component import Variant, VariantType

Json = dict[str, Any]  # A record. Its fields have their names in snake_case.
Imports = dict[str, dict[str, Callable[..., Any]]]

MAX_MEMORY = 16 << 20
MAX_FUEL = 200_000_000  # Ten times the fuel of the costliest case of the conformance suite.

CONFIG = Config()
CONFIG.consume_fuel = True
CONFIG.signals_based_traps = False  # Others in the process may need the signals.
ENGINE = Engine(CONFIG)  # `Component.from_file(ENGINE, path)` compiles a component.


class KeycellError(Exception):
    """An error of a call or of a storage function: a case of `error` in `wit/`, and its payload."""

    def __init__(self, kind: str, payload: Any = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.payload = payload


def call(component: Component, imports: Imports, export: str, name: str, *values: Any) -> Any:
    """Calls a function of the interface `export`, in a fresh and bounded instance."""
    with Linker(ENGINE) as linker, Store(ENGINE) as store:
        store.set_limits(memory_size=MAX_MEMORY)
        store.set_fuel(MAX_FUEL)
        with linker.root() as root:
            for interface, functions in imports.items():
                with root.add_instance(interface) as instance:
                    for import_, function in functions.items():
                        instance.add_func(import_, imported(function))
        exports = linker.instantiate(store, component)
        index = exports.get_export_index(store, name, exports.get_export_index(store, export))
        run: Any = index and exports.get_func(store, index)
        result = convert(run(store, *map(convert, values)))
    # wasmtime names the side of a result only if the type of the value alone does not show it.
    match result:
        case Variant("ok", answer):
            return answer
        case Variant("err", Variant(kind, payload)) | Variant(kind, payload):
            raise KeycellError(kind, payload)
    return result


@cache
def type_of(component: Component, export: str, name: str) -> FuncType:
    interface: Any = component.type.exports(ENGINE)[export].ty
    function: FuncType = interface.exports(ENGINE)[name].ty
    return function


def parameters(function: FuncType, arguments: Json) -> list[Any]:
    """Returns the parameters of a call. The fields of a record are arguments of their own."""
    check_numbers(arguments)
    left = dict(arguments)
    defaults: dict[type, Any] = {ListType: [], VariantType: Variant("keep")}

    def take(name: str, kind: object) -> Any:
        if isinstance(kind, RecordType):
            return {field: take(field, kind) for field, kind in kind.fields}
        return left.pop(name.replace("-", "_"), defaults.get(type(kind)))

    taken = [take(name, kind) for name, kind in function.params]
    if left:
        raise TypeError(f"the function has no argument {', '.join(left)}")
    return taken


def check_numbers(value: Any) -> None:
    """Refuses a number that is not a u32: wasmtime would take its low bits."""
    match value:
        case int() if value >> 32:
            raise ValueError("not a u32")
        case Variant(_, payload):
            check_numbers(payload)
        case dict():
            for field in value.values():
                check_numbers(field)


def imported(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function for wasmtime, which fails by returning a case of its error."""

    def run(_: object, *arguments: Any) -> Any:
        try:
            return convert(function(*map(convert, arguments)))
        except KeycellError as error:
            return Variant(error.kind, error.payload)

    return run


def convert(value: Any) -> Any:
    """Converts a dictionary into a record, and a record into a dictionary."""
    match value:
        case dict():
            record = Record()
            for name, field in value.items():
                setattr(record, name.replace("_", "-"), convert(field))
            return record
        case Record():
            return {name.replace("-", "_"): convert(field) for name, field in vars(value).items()}
        case list():
            return [convert(item) for item in value]
        case Variant(tag, payload):
            return Variant(tag, convert(payload))
        case str():  # A lone surrogate becomes the replacement character, as in JavaScript.
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
