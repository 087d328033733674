"""What the component can reach. Values are moved, and none is judged."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_bytes
from time import time_ns
from typing import Any
from uuid import uuid4

from wasmtime import WasmtimeError
from wasmtime.component import Variant

from .storage import SqliteStorage
from .wit import Caller, Datetime, KeyFilter, KeyRecord, Policy, StorageError, lift, lower

Imports = dict[str, dict[str, Callable[..., Any]]]

MOST_RANDOM_BYTES = 4096

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Host:
    """What stays the same from call to call. The clock gives nanoseconds since 1970."""

    storage: SqliteStorage
    policy: Policy
    clock: Callable[[], int] = time_ns
    random: Callable[[int], bytes] = token_bytes

    def imports(self, caller: Caller | None) -> Imports:
        """All that one call reaches, by interface and function."""
        storage = self.storage
        return {
            "keycell:api-keys/storage@0.1.0": {
                "insert-key": told(lambda key: storage.insert_key(lift(KeyRecord, key))),
                "find-key": told(lambda id: lower(storage.find_key(id))),
                "find-key-by-lookup": told(lambda lookup: lower(storage.find_key_by_lookup(lookup))),
                "list-keys": told(lambda filter: [lower(key) for key in storage.list_keys(lift(KeyFilter, filter))]),
                "update-key": told(lambda key: storage.update_key(lift(KeyRecord, key))),
                "rotate-key": told(lambda key, new: storage.rotate_key(lift(KeyRecord, key), lift(KeyRecord, new))),
                "record-use": lambda _, id, at: storage.record_use(id, at),
                "find-project": told(lambda name, user: storage.find_project(name.tag, name.payload, user)),
            },
            "keycell:api-keys/context@0.1.0": {
                # Without a caller there is nothing to lower, and the call traps.
                "get-caller": lambda _: lower(caller),
                "get-policy": lambda _: lower(self.policy),
                "report-internal": lambda _, cause: log_cause(f"the component says: {cause}"),
            },
            "wasi:clocks/wall-clock@0.2.12": {"now": lambda _: lower(Datetime(*divmod(self.clock(), 1_000_000_000)))},
            "wasi:random/random@0.2.12": {"get-random-bytes": lambda _, length: self._random_bytes(length)},
        }

    def _random_bytes(self, length: int) -> bytes:
        if length > MOST_RANDOM_BYTES:
            raise WasmtimeError(f"the component asked for {length} random bytes at once")
        return self.random(length)


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of storage, whose faults go to the component by their kind and to the log by their cause."""

    def answer(_: object, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except StorageError as error:
            if error.kind == "unavailable":
                log.warning("storage is unavailable: %s", error.__cause__)
            return Variant(error.kind)
        except Exception as cause:
            return Variant("internal", log_cause(cause))

    return answer


def log_cause(cause: object) -> str:
    """Logs what went wrong inside; gives the correlation id of that entry."""
    correlation_id = str(uuid4())
    log.error("%s: %s", correlation_id, cause)
    return correlation_id
