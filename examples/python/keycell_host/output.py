"""The answers of calls, as the output schemas of the tools have them."""

import json
from typing import Any

from wasmtime.component import Variant

from .wit import Json, KeycellError, lift


def lifted(result: Any) -> Json:
    """Returns the answer of a call; raises its error."""
    # wasmtime names the side of a result only if the type of the value alone does not show it.
    match lift(result):
        case Variant("ok", answer):
            return verification(answer)
        case Variant("err", Variant(kind, payload)) | Variant(kind, payload):
            raise KeycellError(kind, payload)
        case {"key": key, "details": details}:
            return {"key": key, **with_metadata(details)}
        case {"api_keys": keys, **page}:
            return {"api_keys": [with_metadata(key) for key in keys], **page}
        case dict(answer):
            return with_metadata(answer)
    raise TypeError("the component returned an invalid response")


def verification(answer: Json | Variant) -> Json:
    refused: Json = {"valid": False, "reason": None, "missing_scopes": [], "retry_after_ms": None}
    if not isinstance(answer, Variant):
        limit = answer["rate_limit"]
        state = limit and {**limit.pop("limit"), **limit}
        return {**refused, "valid": True, **with_metadata(answer), "rate_limit": state}
    none = dict.fromkeys(["id", "user_id", "project_id", "name", "expires_at", "metadata", "rate_limit"])
    refused |= {"reason": answer.tag, "scopes": [], **none}
    match answer.payload:
        case [*scopes]:
            refused["missing_scopes"] = scopes
        case {"retry_after_ms": retry_after_ms}:
            refused["retry_after_ms"] = retry_after_ms
    return refused


def with_metadata(key: Json) -> Json:
    """Parses the metadata of a key, if it has any."""
    return {**key, "metadata": json.loads(key["metadata"])} if key.get("metadata") else key
