"""Rate limits of this process: for each limited key a time in microseconds, when it expires."""

from threading import Lock

MAX_ENTRIES = 100_000


class Limits:
    """The rate limits. Threads should share them: each instance counts for itself."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: dict[str, int] = {}

    def load(self, key_id: str) -> int:
        return self._times.get(key_id, 0)

    def compare_and_store(self, key_id: str, expected: int, new: int) -> bool:
        with self._lock:
            if self.load(key_id) != expected:
                return False
            if len(self._times) >= MAX_ENTRIES:
                # Those that expire first make room, and of these the expired ones are the first.
                latest = sorted(self._times.items(), key=lambda entry: entry[1])
                self._times = dict(latest[MAX_ENTRIES // 2 :])
            self._times[key_id] = new
            return True
