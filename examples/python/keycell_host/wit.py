"""The types of `wit/` and how wasmtime takes them: what a generator of bindings would write."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from wasmtime.component import Record, Variant

T = TypeVar("T")

EXPORTS = "keycell:api-keys/api-keys@0.1.0"


def lift(record_type: type[T], record: Record) -> T:
    """A record from the component, as one of these types."""
    return record_type(**{name.replace("-", "_"): field for name, field in vars(record).items()})


def lower(value: object) -> Record:
    """A value of one of these types, as a record for the component."""
    record = Record()
    vars(record).update({name.replace("_", "-"): field for name, field in vars(value).items()})
    return record


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an argument."""

    field: str
    code: str
    message: str


class KeycellError(Exception):
    """A case of the error of a call: its `kind`, and what it carries.

    That is a list of `Fault` for `invalid-input`, what was looked for in `not-found`, and in `internal`
    the correlation id under which the log has the cause. `forbidden`, `conflict` and `unavailable` carry
    nothing.
    """

    def __init__(self, kind: str, payload: Any = None) -> None:
        super().__init__(kind, payload)
        self.kind = kind
        self.payload = payload

    def __str__(self) -> str:
        match self.payload:
            case None:
                return self.kind
            case [*faults]:
                return "; ".join(f"{fault.field} {fault.message}" for fault in faults)
            case payload:
                return f"{self.kind}: {payload}"


class StorageError(Exception):
    """A case of the error of storage; `internal` has the correlation id of the log's entry."""

    def __init__(
        self,
        kind: Literal["not-found", "conflict", "unavailable", "internal"],
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.correlation_id = correlation_id


@dataclass(frozen=True)
class Datetime:
    """What a clock shows."""

    seconds: int
    nanoseconds: int


@dataclass(frozen=True)
class Caller:
    """For whom a call is made. You have made sure of it."""

    user_id: str
    scopes: list[str] = field(default_factory=list)
    project_id: str | None = None
    expires_at: int | None = None


@dataclass(frozen=True)
class Policy:
    """What the issuer has set."""

    prefix: str = "keycell"
    default_scopes: list[str] = field(default_factory=list)
    longest_life: int | None = None


@dataclass(frozen=True)
class VerifiedApiKey:
    """Who a presented key is."""

    id: str
    user_id: str
    project_id: str | None
    expires_at: str | None
    scopes: list[str]


@dataclass(frozen=True)
class Refusal:
    """Why a presented key is refused: `malformed`, `unknown`, `revoked`, `expired` or `missing-scopes`."""

    reason: str
    missing_scopes: list[str]


@dataclass(frozen=True)
class CreatedApiKey(VerifiedApiKey):
    """A new key, and the only time that the key itself is told."""

    name: str
    key: str = field(repr=False)
    key_prefix: str
    created_at: str


@dataclass(frozen=True)
class ApiKey(VerifiedApiKey):
    """What is known of a key."""

    name: str
    key_prefix: str
    last_used_at: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True)
class ListedApiKey(ApiKey):
    """A key as its owner's list shows it; `status` is `active`, `expired` or `revoked`."""

    status: str
    revoked_at: str | None
    revocation_reason: str | None
    rotated_from: str | None
    rotated_to: str | None


@dataclass(frozen=True)
class ApiKeyPage:
    """One page of a list, newest first."""

    api_keys: list[ListedApiKey]
    next_cursor: str | None


@dataclass(frozen=True)
class KeyRecord:
    """One key at rest."""

    id: str
    prefix: str
    lookup: str
    hash: bytes = field(repr=False)
    user_id: str
    project_id: str | None
    name: str
    scopes: list[str]
    created_at: int
    updated_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None
    revocation_reason: str | None
    rotated_from: str | None
    rotated_to: str | None
    revision: int


@dataclass(frozen=True)
class KeyFilter:
    """Which keys a list holds. Every field that is set must hold for a key to be in it."""

    user_id: str
    project_id: str | None
    revoked: bool | None
    expires_after: int | None
    expires_until: int | None
    before: str | None
    limit: int


@dataclass(frozen=True)
class Storage:
    """The functions of `wit/storage.wit`, which says what each must guarantee.

    Each may raise `StorageError`; `fault` makes one of any other exception.
    """

    insert_key: Callable[[KeyRecord], None]
    find_key: Callable[[str], KeyRecord]
    find_key_by_lookup: Callable[[str], KeyRecord]
    list_keys: Callable[[KeyFilter], list[KeyRecord]]
    update_key: Callable[[KeyRecord], None]
    rotate_key: Callable[[KeyRecord, KeyRecord], None]
    record_use: Callable[[str, int], None]
    find_project: Callable[[Literal["id", "slug"], str, str], str]
    fault: Callable[[Exception], StorageError]


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call of an export. Its arguments have the names of the tool's input schema."""

    export: str
    arguments: dict[str, Any] = field(repr=False)
    lift: Callable[[Any], T] = field(repr=False)

    def answer(self, result: Any) -> T:
        """What the call gives; an error is raised."""
        # wasmtime names the side of a result only where the value alone does not tell it.
        match result:
            case Variant("ok", value):
                return self.lift(value)
            case Variant("err", Variant("invalid-input", [*found])) | Variant("invalid-input", [*found]):
                raise KeycellError("invalid-input", [lift(Fault, fault) for fault in found])
            case Variant("err", Variant(kind, payload)) | Variant(kind, payload):
                raise KeycellError(kind, payload)
        return self.lift(result)


def create_api_key(
    name: str, project_reference: str | None = None, expires_at: str | None = None
) -> Call[CreatedApiKey]:
    arguments = {"name": name, "project_reference": project_reference, "expires_at": expires_at}
    return Call("create-api-key", arguments, lambda key: lift(CreatedApiKey, key))


def get_api_key(api_key_id: str) -> Call[ApiKey]:
    return Call("get-api-key", {"api_key_id": api_key_id}, lambda key: lift(ApiKey, key))


def verify_api_key(key: str, scopes: list[str] | None = None) -> Call[VerifiedApiKey | Refusal]:
    def verification(found: Record | Variant) -> VerifiedApiKey | Refusal:
        if isinstance(found, Variant):
            return Refusal(found.tag, found.payload or [])
        return lift(VerifiedApiKey, found)

    return Call("verify-api-key", {"key": key, "scopes": scopes or []}, verification)


def list_api_keys(
    status: str | None = None,
    project_reference: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[ApiKeyPage]:
    def page(record: Record) -> ApiKeyPage:
        page = lift(ApiKeyPage, record)
        return replace(page, api_keys=[lift(ListedApiKey, key) for key in getattr(record, "api-keys")])

    arguments = {"status": status, "project_reference": project_reference, "limit": limit, "cursor": cursor}
    return Call("list-api-keys", arguments, page)


def revoke_api_key(api_key_id: str, reason: str | None = None) -> Call[ListedApiKey]:
    arguments = {"api_key_id": api_key_id, "reason": reason}
    return Call("revoke-api-key", arguments, lambda key: lift(ListedApiKey, key))


def rotate_api_key(api_key_id: str, grace_seconds: int | None = None) -> Call[CreatedApiKey]:
    arguments = {"api_key_id": api_key_id, "grace_seconds": grace_seconds}
    return Call("rotate-api-key", arguments, lambda key: lift(CreatedApiKey, key))


def update_api_key(
    api_key_id: str, name: str | None = None, expires_at: str | None = None
) -> Call[ListedApiKey]:
    arguments = {"api_key_id": api_key_id, "name": name, "expires_at": expires_at}
    return Call("update-api-key", arguments, lambda key: lift(ListedApiKey, key))
