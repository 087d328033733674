"""The comparison and the substitution that the cases use."""

from hashlib import sha256
from typing import Any

import pytest

from .cases import substitute
from .expect import difference

HASH = sha256(b"key").hexdigest()


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (None, None),
        ("a", "a"),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([1, {"a": None}], [1, {"a": None}]),
        ({"$matches": "^key_"}, "key_1"),
        ({"$matches": "y_"}, "key_1"),
        ({"$not": "a"}, "b"),
        ({"$not": 1}, True),
        ({"$sha256": "key"}, HASH),
    ],
)
def test_a_match_has_no_difference(expected: Any, actual: Any) -> None:
    assert difference("answer", expected, actual) is None


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ("a", "other", "answer is not 'a'"),
        (1, True, "answer is not 1"),
        (None, "", "answer is not None"),
        (None, False, "answer is not None"),
        ({"a": 1}, None, "answer is not an object"),
        ({"a": None}, {"b": "other"}, "answer lacks ['a']"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "answer.a.b[1] is not 2"),
        ([1], [1, 2], "answer is not an array of 1 items"),
        ([], {}, "answer is not an array of 0 items"),
        ({"$matches": "^key_"}, "other", "answer does not match ^key_"),
        ({"$matches": "1"}, 1, "answer does not match 1"),
        ({"$not": "other"}, "other", "answer has the value that is excluded"),
        ({"$sha256": "key"}, "other", f"answer is not '{HASH}'"),
    ],
)
def test_a_difference_is_described_without_the_actual_value(expected: Any, actual: Any, found: str) -> None:
    assert difference("answer", expected, actual) == found


@pytest.mark.parametrize(
    ("value", "substituted"),
    [
        ("${id}", "1"),
        ("a ${id} and ${id}", "a 1 and 1"),
        ("${number}", 7),
        ("a ${number}", "a ${number}"),
        ("${nothing}", None),
        ("${later}", "${later}"),
        ({"${id}": ["${id}", {"a": "${number}"}]}, {"${id}": ["1", {"a": 7}]}),
        (5, 5),
    ],
)
def test_values_are_substituted_by_name(value: Any, substituted: Any) -> None:
    assert substitute(value, {"id": "1", "number": 7, "nothing": None}) == substituted
