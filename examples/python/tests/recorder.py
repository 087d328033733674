"""Storage that remembers what it was asked, and fails when it is told to."""

from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from keycell_host.storage import SqliteStorage
from keycell_host.wit import KeyFilter, KeyRecord, StorageError


class Recorder(SqliteStorage):
    def __init__(self, path: Path, failures: list[dict[str, Any]]) -> None:
        super().__init__(path)
        self.calls: list[str] = []
        self.written: list[KeyRecord] = []
        self._failures = deepcopy(failures)

    def insert_key(self, key: KeyRecord) -> None:
        self._called("insert-key", key)
        super().insert_key(key)

    def find_key(self, id: str) -> KeyRecord:
        self._called("find-key")
        return super().find_key(id)

    def find_key_by_lookup(self, lookup: str) -> KeyRecord:
        self._called("find-key-by-lookup")
        return super().find_key_by_lookup(lookup)

    def list_keys(self, filter: KeyFilter) -> list[KeyRecord]:
        self._called("list-keys")
        return super().list_keys(filter)

    def update_key(self, key: KeyRecord) -> None:
        self._called("update-key", key)
        super().update_key(key)

    def rotate_key(self, key: KeyRecord, replacement: KeyRecord) -> None:
        self._called("rotate-key", key, replacement)
        super().rotate_key(key, replacement)

    def record_use(self, id: str, at: int) -> None:
        self._called("record-use")
        super().record_use(id, at)

    def find_project(self, by: Literal["id", "slug"], name: str, user_id: str) -> str:
        self._called("find-project")
        return super().find_project(by, name, user_id)

    def _called(self, call: str, *handed_over: KeyRecord) -> None:
        self.calls.append(call)
        self.written += handed_over
        failure = next((failure for failure in self._failures if failure["call"] == call and failure["times"]), None)
        if failure is None:
            return
        failure["times"] -= 1
        if failure["with"] == "internal":
            raise RuntimeError("the case says so")
        raise StorageError(failure["with"])
