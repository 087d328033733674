"""Storage that remembers what it was asked, and fails when it is told to."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from typing import Any

from keycell_host.failure import log_cause
from keycell_host.wit import KeyRecord, Storage, StorageError


class Recorder:
    def __init__(self, storage: Storage, failures: list[dict[str, Any]]) -> None:
        self.calls: list[str] = []
        self.written: list[KeyRecord] = []
        self._failures = deepcopy(failures)
        functions = {field.name: getattr(storage, field.name) for field in fields(storage)}
        fault = functions.pop("fault")
        recorded = {name: self._recorded(name, function) for name, function in functions.items()}
        self.storage = Storage(**recorded, fault=fault)

    def _recorded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def record(*arguments: Any) -> Any:
            self._called(name.replace("_", "-"), *arguments)
            return function(*arguments)

        return record

    def _called(self, call: str, *arguments: Any) -> None:
        self.calls.append(call)
        self.written += [argument for argument in arguments if isinstance(argument, KeyRecord)]
        failure = next((failure for failure in self._failures if failure["call"] == call and failure["times"]), None)
        if failure is None:
            return
        failure["times"] -= 1
        if failure["with"] == "internal":
            raise StorageError("internal", log_cause("the case says so"))
        raise StorageError(failure["with"])
