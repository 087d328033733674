"""Rate limits of this process: one time in microseconds for each limited key, at which the entry expires."""

from threading import Lock
from time import time_ns

MAX_ENTRIES = 100_000


class Limits:
    """The rate limits. Threads should share them: each instance counts for itself."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[str, int] = {}

    def load(self, key_id: str) -> int:
        return self._entries.get(key_id, 0)

    def compare_and_store(self, key_id: str, expected: int, new: int) -> bool:
        with self._lock:
            if self.load(key_id) != expected:
                return False
            if len(self._entries) >= MAX_ENTRIES:
                # Drops the expired entries, then those that expire first, until half of the entries are left.
                live = [entry for entry in self._entries.items() if entry[1] > time_ns() // 1000]
                self._entries = dict(sorted(live, key=lambda entry: -entry[1])[: MAX_ENTRIES // 2])
            self._entries[key_id] = new
            return True
