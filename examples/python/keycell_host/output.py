"""The answers of calls as the output schemas of the tools have them."""

import json
from typing import Any

from wasmtime.component import Variant

from .authority import Json

VALID: Json = {"valid": True, "reason": None, "missing_scopes": [], "retry_after_ms": None}


def tool_json(answer: Any) -> Json:
    """Converts an answer of the component."""
    if isinstance(answer, Variant):
        return refusal(answer)
    if "details" in answer:
        return {"key": answer["key"], **with_metadata(answer["details"])}
    if "api_keys" in answer:
        return {**answer, "api_keys": [with_metadata(key) for key in answer["api_keys"]]}
    if "rate_limit" in answer and "status" not in answer:
        return {**VALID, **with_metadata(answer), "rate_limit": state(answer["rate_limit"])}
    return with_metadata(answer)


def state(limit: Json | None) -> Json | None:
    """The state of a rate limit is flat."""
    return limit and {**limit["limit"], "remaining": limit["remaining"], "reset_after_ms": limit["reset_after_ms"]}


def refusal(refused: Variant) -> Json:
    """A refused verification has all fields of a valid one, too."""
    none = dict.fromkeys(["id", "user_id", "project_id", "name", "expires_at", "metadata", "rate_limit"])
    missing_scopes = refused.payload if isinstance(refused.payload, list) else []
    retry_after_ms = refused.payload["retry_after_ms"] if isinstance(refused.payload, dict) else None
    reason = {"valid": False, "reason": refused.tag, "missing_scopes": missing_scopes, "retry_after_ms": retry_after_ms}
    return {**reason, **none, "scopes": []}


def with_metadata(key: Json) -> Json:
    """Parses the metadata of a key, if it has any."""
    return {**key, "metadata": json.loads(key["metadata"])} if key.get("metadata") else key
