"""Storage that records its calls and fails as the case says."""

from copy import deepcopy
from typing import Any

from wasmtime.component import Variant

from keycell_host.authority import Json, KeycellError, log_cause


class Recorder:
    def __init__(self, storage: Any, failures: list[Json]) -> None:
        self.calls: list[str] = []
        self.keys: list[Json] = []
        self.events: list[Json] = []
        self.requests: list[Json] = []
        self._storage = storage
        self._failures = deepcopy(failures)
        self._events_of_step = 0

    def begin_step(self) -> None:
        self.calls.clear()
        self._events_of_step = len(self.events)

    def events_of_step(self) -> list[Json]:
        return self.events[self._events_of_step :]

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._storage, name)

        def record(*arguments: Any) -> Any:
            self._called(name.replace("_", "-"), *arguments)
            return function(*arguments)

        return record

    def _called(self, call: str, *arguments: Any) -> None:
        self.calls.append(call)
        for record in (argument for argument in arguments if isinstance(argument, dict)):
            for field, records in {"hash": self.keys, "action": self.events, "digest": self.requests}.items():
                if field in record:
                    records.append({name: as_json(value) for name, value in record.items()})
        failure = next((failure for failure in self._failures if failure["call"] == call and failure["times"]), None)
        if failure is None:
            return
        failure["times"] -= 1
        if failure["with"] == "internal":
            raise KeycellError("internal", log_cause("the case says so"))
        raise KeycellError(failure["with"])


def as_json(value: Any) -> Any:
    assert not isinstance(value, Variant)
    return value.hex() if isinstance(value, bytes) else value
