"""All that one call reaches."""

from collections.abc import Callable
from typing import Any

from wasmtime.component import Variant

from .failure import log_cause
from .wit import Caller, Datetime, KeyFilter, KeyRecord, Policy, Storage, StorageError, lift, lower

Functions = dict[str, Callable[..., Any]]


def imports(
    storage: Storage,
    caller: Caller | None,
    policy: Policy,
    clock: Callable[[], int],
    random: Callable[[int], bytes],
) -> dict[str, Functions]:
    """The functions by interface and name. The clock gives nanoseconds."""

    def told(function: Callable[..., Any]) -> Callable[..., Any]:
        """What storage raises, as an answer."""

        def answer(_: object, *arguments: Any) -> Any:
            try:
                return function(*arguments)
            except StorageError as error:
                fault = error
            except Exception as cause:
                fault = storage.fault(cause)
            return Variant(fault.kind, fault.correlation_id)

        return answer

    return {
        "keycell:api-keys/storage@0.1.0": {
            "insert-key": told(lambda key: storage.insert_key(lift(KeyRecord, key))),
            "find-key": told(lambda id: lower(storage.find_key(id))),
            "find-key-by-lookup": told(lambda lookup: lower(storage.find_key_by_lookup(lookup))),
            "list-keys": told(lambda by: [lower(key) for key in storage.list_keys(lift(KeyFilter, by))]),
            "update-key": told(lambda key: storage.update_key(lift(KeyRecord, key))),
            "rotate-key": told(lambda *keys: storage.rotate_key(*[lift(KeyRecord, key) for key in keys])),
            "record-use": lambda _, id, at: storage.record_use(id, at),
            "find-project": told(lambda name, user: storage.find_project(name.tag, name.payload, user)),
        },
        "keycell:api-keys/context@0.1.0": {
            # Without a caller there is nothing to lower, and the call traps.
            "get-caller": lambda _: lower(caller),
            "get-policy": lambda _: lower(policy),
            "report-internal": lambda _, cause: log_cause(f"the component says: {cause}"),
        },
        "wasi:clocks/wall-clock@0.2.12": {"now": lambda _: lower(Datetime(*divmod(clock(), 10**9)))},
        "wasi:random/random@0.2.12": {"get-random-bytes": lambda _, length: random(length)},
    }
