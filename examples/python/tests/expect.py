"""What an answer must be like."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any


def difference(path: str, expected: Any, actual: Any) -> str | None:
    """The first difference in words, without the value that came: it may be a secret."""
    match expected:
        case {"$matches": pattern}:
            matches = isinstance(actual, str) and re.search(pattern, actual)
            return None if matches else f"{path} does not match {pattern}"
        case {"$not": other}:
            return f"{path} is what it must not be" if _same(other, actual) else None
        case {"$sha256": text}:
            return difference(path, hashlib.sha256(text.encode()).hexdigest(), actual)
        case dict():
            if not isinstance(actual, dict):
                return f"{path} is no object"
            missing = expected.keys() - actual.keys()
            if missing:
                return f"{path} has no {sorted(missing)}"
            return _first(difference(f"{path}.{name}", field, actual[name]) for name, field in expected.items())
        case list():
            if not isinstance(actual, list) or len(actual) != len(expected):
                return f"{path} is no array of {len(expected)}"
            return _first(
                difference(f"{path}[{index}]", *pair) for index, pair in enumerate(zip(expected, actual, strict=True))
            )
        case _:
            return None if _same(expected, actual) else f"{path} is not {expected!r}"


def _first(differences: Iterable[str | None]) -> str | None:
    return next((difference for difference in differences if difference), None)


def _same(left: Any, right: Any) -> bool:
    # Python takes true for 1.
    return type(left) is type(right) and bool(left == right)
