"""The API-key authority: the component on a host."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_bytes
from time import time_ns
from typing import Any
from uuid import uuid4

from wasmtime.component import Component

from .bindings import Imports, Json, KeycellError, call, parameters, type_of
from .limits import Limits

# A user that you have authenticated, the key of a bearer, or `None` for the host itself.
Caller = Json | str | None

API_KEYS = "keycell:api-keys/api-keys@0.2.0"
STORAGE = """insert-key find-key find-key-by-lookup find-request list-keys list-events
    update-key rotate-key replace-secret record-use find-project""".split()
MAX_RANDOM_BYTES = 4096


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
        values = parameters(type_of(self.component, API_KEYS, name), arguments)
        try:
            return call(self.component, self._imports(caller), API_KEYS, name, *values)
        except KeycellError:
            raise
        except Exception as cause:
            raise KeycellError("internal", log_cause(cause)) from None

    def _imports(self, caller: Caller) -> Imports:
        storage = {name: getattr(self.storage, name.replace("-", "_")) for name in STORAGE}
        return {
            "keycell:api-keys/storage@0.2.0": storage,
            "keycell:api-keys/context@0.2.0": {
                "get-caller": lambda: caller,
                "get-policy": lambda: self.policy,
                "report-internal": lambda cause: log_cause(f"the component reports: {cause}"),
            },
            "keycell:api-keys/limits@0.2.0": {
                "load": self.limits.load,
                "compare-and-store": self.limits.compare_and_store,
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
