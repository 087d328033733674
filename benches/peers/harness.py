"""What the programs in Python share: `fill DIRECTORY COUNT` and `measure DIRECTORY`. harness.js is the same."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

WARM_UP = 100
CALLS = 1000

# Creates a key, and verifies one.
Peer = tuple[Callable[[], str], Callable[[str], bool]]


def run(connect: Callable[[Path, str], Peer]) -> None:
    """Runs the command of this process. `connect` opens the database with this value of SQLite's `synchronous`."""
    command, directory, *count = sys.argv[1:]
    is_fill = command == "fill"
    create, verify = connect(Path(directory, "keys.db"), "OFF" if is_fill else "FULL")
    file = Path(directory, "keys.txt")
    if is_fill:
        file.write_text("\n".join(create() for _ in range(int(count[0]))))
        return
    keys = file.read_text().split("\n")
    repeated = random.choice(keys)

    def must_verify(key: str) -> None:
        if not verify(key):
            raise ValueError("a stored key is not valid")

    times = {
        "create": median_time(create),
        "random": median_time(lambda: must_verify(random.choice(keys))),
        "repeated": median_time(lambda: must_verify(repeated)),
    }
    print(json.dumps(times))


def median_time(call: Callable[[], object]) -> float:
    """The median time of a call in microseconds."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(CALLS):
        began = perf_counter()
        call()
        times.append(1e6 * (perf_counter() - began))
    return median(times)
