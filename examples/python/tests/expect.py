"""Comparison of answers with the expected values of cases."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any


def difference(path: str, expected: Any, actual: Any) -> str | None:
    """Describes the first difference, without the actual value: it may be a secret."""
    match expected:
        case {"$matches": pattern}:
            matches = isinstance(actual, str) and re.search(pattern, actual)
            return None if matches else f"{path} does not match {pattern}"
        case {"$not": other}:
            return f"{path} has the value that is excluded" if _same(other, actual) else None
        case {"$sha256": text}:
            return difference(path, hashlib.sha256(text.encode()).hexdigest(), actual)
        case dict():
            if not isinstance(actual, dict):
                return f"{path} is not an object"
            missing = expected.keys() - actual.keys()
            if missing:
                return f"{path} lacks {sorted(missing)}"
            return _first(difference(f"{path}.{name}", field, actual[name]) for name, field in expected.items())
        case list():
            if not isinstance(actual, list) or len(actual) != len(expected):
                return f"{path} is not an array of {len(expected)} items"
            return _first(
                difference(f"{path}[{index}]", *pair) for index, pair in enumerate(zip(expected, actual, strict=True))
            )
        case _:
            return None if _same(expected, actual) else f"{path} is not {expected!r}"


def _first(differences: Iterable[str | None]) -> str | None:
    return next((difference for difference in differences if difference), None)


def _same(left: Any, right: Any) -> bool:
    # In Python, True equals 1.
    return type(left) is type(right) and bool(left == right)
