"""The types of `wit/`, in Python, with the same names and fields."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from wasmtime.component import Record

T = TypeVar("T")


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

    That is a list of `Fault` for `invalid-input`, what was looked for in `not-found`, and in `internal` the
    correlation id under which the log has the cause. `forbidden`, `conflict` and `unavailable` carry nothing.
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
    """A case of the error of storage. Any other exception of a storage is `internal`."""

    def __init__(self, kind: Literal["not-found", "conflict", "unavailable"]) -> None:
        super().__init__(kind)
        self.kind = kind


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
