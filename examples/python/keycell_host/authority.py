"""What keycell does, as methods."""

import json
from typing import Any

from wasmtime.component import Variant

from . import wit
from .host import Host, log_cause
from .sandbox import Sandbox

LONGEST_ARGUMENT = 64 << 10
MOST_U32 = (1 << 32) - 1


class Authority:
    """The component on a host. A call that fails raises `KeycellError`. Any number of threads may call."""

    def __init__(self, sandbox: Sandbox, host: Host) -> None:
        self._sandbox = sandbox
        self._host = host

    def create_api_key(
        self, caller: wit.Caller, name: str, project_reference: str | None = None, expires_at: str | None = None
    ) -> wit.CreatedApiKey:
        arguments = {"name": name, "project_reference": project_reference, "expires_at": expires_at}
        return wit.lift(wit.CreatedApiKey, self._call(caller, "create-api-key", arguments))

    def get_api_key(self, caller: wit.Caller, api_key_id: str) -> wit.ApiKey:
        return wit.lift(wit.ApiKey, self._call(caller, "get-api-key", {"api_key_id": api_key_id}))

    def verify_api_key(self, key: str, scopes: list[str] | None = None) -> wit.VerifiedApiKey | wit.Refusal:
        key = "" if _fault(key) else key  # What can't be passed on is no key.
        verification = self._call(None, "verify-api-key", {"key": key, "scopes": scopes or []})
        if isinstance(verification, Variant):
            return wit.Refusal(verification.tag, verification.payload or [])
        return wit.lift(wit.VerifiedApiKey, verification)

    def list_api_keys(
        self,
        caller: wit.Caller,
        status: str | None = None,
        project_reference: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> wit.ApiKeyPage:
        arguments = {"status": status, "project_reference": project_reference, "limit": limit, "cursor": cursor}
        page = self._call(caller, "list-api-keys", arguments)
        keys = [wit.lift(wit.ListedApiKey, key) for key in getattr(page, "api-keys")]
        return wit.ApiKeyPage(keys, getattr(page, "next-cursor"))

    def revoke_api_key(self, caller: wit.Caller, api_key_id: str, reason: str | None = None) -> wit.ListedApiKey:
        arguments = {"api_key_id": api_key_id, "reason": reason}
        return wit.lift(wit.ListedApiKey, self._call(caller, "revoke-api-key", arguments))

    def rotate_api_key(
        self, caller: wit.Caller, api_key_id: str, grace_seconds: int | None = None
    ) -> wit.CreatedApiKey:
        arguments = {"api_key_id": api_key_id, "grace_seconds": grace_seconds}
        return wit.lift(wit.CreatedApiKey, self._call(caller, "rotate-api-key", arguments))

    def update_api_key(
        self, caller: wit.Caller, api_key_id: str, name: str | None = None, expires_at: str | None = None
    ) -> wit.ListedApiKey:
        arguments = {"api_key_id": api_key_id, "name": name, "expires_at": expires_at}
        return wit.lift(wit.ListedApiKey, self._call(caller, "update-api-key", arguments))

    def _call(self, caller: wit.Caller | None, export: str, arguments: dict[str, Any]) -> Any:
        if faults := [wit.Fault(field, *fault) for field, value in arguments.items() if (fault := _fault(value))]:
            raise wit.KeycellError("invalid-input", faults)
        try:
            answer = self._sandbox.call(self._host.imports(caller), export, *arguments.values())
        except Exception as cause:
            raise wit.KeycellError("internal", log_cause(cause)) from None
        # wasmtime-py names the side of a result only where the value alone does not tell it.
        match answer:
            case Variant("ok", verification):
                return verification
            case Variant("err", Variant("invalid-input", [*found])) | Variant("invalid-input", [*found]):
                raise wit.KeycellError("invalid-input", [wit.lift(wit.Fault, fault) for fault in found])
            case Variant("err", Variant(kind, payload)) | Variant(kind, payload):
                raise wit.KeycellError(kind, payload)
        return answer


def _fault(value: str | list[str] | int | None) -> tuple[str, str] | None:
    """What keeps an argument from being passed on, if anything does."""
    if isinstance(value, int) and not 0 <= value <= MOST_U32:
        return "out-of-range", "is out of range"
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return "forbidden-character", "holds a character that people can not see"
    return ("too-long", "is longer than allowed") if size > LONGEST_ARGUMENT else None
