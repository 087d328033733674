"""Each request comes from a client of its own, so that wrong keys do not slow the others down."""

from itertools import count
from typing import Any

import schemathesis

NUMBERS = count()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    number = next(NUMBERS)
    case.headers["X-Forwarded-For"] = f"198.18.{number // 256 % 256}.{number % 256}"
