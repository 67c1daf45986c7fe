"""The Platform contract: what a platform's package declares and which modules it may bring.

A package in `platforms/` is a title page (`__init__.py` with one `PLATFORM` value) and up to five modules with fixed
names: `client` (address, version, auth, errors), `source` (pull), `webhook` (verify and parse), `subscriptions` (which
webhooks the platform is set to send) and `destination` (push). A missing module is a missing capability. Modules load
only when asked for, so that the receiver and the speed lane never import dlt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar, Literal, Protocol, cast

from dlt_sources.accounts import Account
from dlt_sources.errors import NotOffered
from dlt_sources.subscriptions import Subscriptions

Lane = Literal["speed", "segmentation", "care"]
LANES: tuple[Lane, ...] = ("speed", "segmentation", "care")

IdentifierKind = Literal["email", "phone", "record", "external"]
EffectKind = Literal[
    "withdrawn", "spam_complaint", "hard_bounce", "invalid_address", "manual_block", "carrier_block", "erased", "minor"
]
TargetKind = Literal["list", "tag", "property"]
Operation = Literal["add", "remove", "suppress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One kind of record a platform is pulled for; becomes one raw table.

    `key` and `updated` are dotted paths into the payload as the platform sends it. Each pull starts `overlap` before
    the newest `updated` seen, because sources show late writes; `updated=None` means that every pull is complete.
    `required` lists dotted paths that a payload must carry to cross from raw into staging. An `optional` object is not
    in every plan of the platform: where it answers 403, that is said and nothing else depends on it.
    """

    name: str
    key: str
    updated: str | None
    overlap: timedelta = timedelta(minutes=5)
    schedule: timedelta = timedelta(days=1)
    required: tuple[str, ...] = ()
    states_consent: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One key of an account's configuration; a secret belongs in secrets.toml, anything else in config.toml.

    A required key may be left out when all keys named by `unless` are there.
    """

    name: str
    description: str
    secret: bool = True
    required: bool = True
    unless: tuple[str, ...] = ()

    def lacking(self, values: Mapping[str, Any]) -> bool:
        """True when an account with these values cannot do without this key."""
        replaced = bool(self.unless) and all(values.get(name) for name in self.unless)
        return self.required and not values.get(self.name) and not replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A published rate limit: `calls` per `seconds` on the operations that share `bucket`, with its source."""

    bucket: str
    calls: int
    seconds: float
    burst: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A webhook topic, the standard event it means and the lane it travels; `reason` says why where it is odd."""

    topic: str
    event: str
    lane: Lane
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A raw identifier as a platform sent it; `record` values are ids of the platform's own account records."""

    kind: IdentifierKind
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an event forbids: a suppression kind on a channel ("*" = every channel) and topic ("*" = every topic)."""

    kind: EffectKind
    channel: str
    topic: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One act inside a webhook request.

    `id` is stable over redeliveries within platform and account. `effect` is None for acts that forbid nothing;
    grants are such acts: the speed lane never grants. `actor` and `reason` are set for what a person of ours did.
    """

    id: str
    name: str
    lane: Lane
    occurred_at: datetime
    identifiers: tuple[Identifier, ...]
    effect: Effect | None = None
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A parsed webhook request: its topic, the platform's delivery id and the acts in it (none for unknown topics)."""

    topic: str
    id: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A webhook request as received: public URL with query, lower-case header names, raw body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the receiver answers once a request is durable."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/plain"


class Source(Protocol):
    """A platform's `source` module."""

    def pages(self, account: Account, obj: Object, since: datetime | None) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Yield pages of payloads changed after `since`, each record as the platform sent it."""


class Webhook(Protocol):
    """A platform's `webhook` module; works in memory over raw bytes and opens no connection.

    It may bring more: `refusal(error) -> Answer` is what senders of refused requests are told. That of an unsigned
    platform, whose URL holds a token of `url_tokens`, may also bring `token(request) -> str` (where its token stands,
    if not where ours do; WebhookRejected when the request is not for us), `kept(request) -> WebhookRequest` (what is
    landed: without the token, and without what nobody asked for) and `urls(base_url, token, tag)` (what to paste into
    a tool, by form). Its `verify` is called for live tokens only.
    """

    ACCEPTED: Answer

    def verify(self, request: WebhookRequest, account: Account) -> None:
        """Raise WebhookRejected unless the platform's own secret signed this request."""

    def parse(self, request: WebhookRequest, account: Account) -> Delivery:
        """Read the acts out of a verified request; WebhookRejected(status=400) if the body is not the platform's."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an audience lives at a destination: a list's name, a tag or a property."""

    kind: TargetKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a call: a destination record, or (only where creation is allowed) an identifier, and mapped traits."""

    row_id: str
    record_id: str | None
    identifier: Identifier | None = None
    traits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one row of a call ended: accepted, failed (try again later) or dead (the row itself is at fault)."""

    row_id: str
    status: Literal["accepted", "failed", "dead"]
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """An asynchronous job at the vendor, followed by `Destination.poll` to its end, also after a crash."""

    id: str


class Destination:
    """A platform that audiences are pushed to; a method that is not overridden is an operation it does not offer.

    Every method is one vendor call (or one look-up and one call) without retries: the caller asks the gate before each
    call and decides about trying again. Methods raise RetryLater, StopRun or SetAside for the call as a whole. No
    method grants consent: no subscribe call exists in any destination.
    """

    batch_size: ClassVar[Mapping[Operation, int]] = {}
    target_kinds: ClassVar[tuple[TargetKind, ...]] = ()
    #: True where the body of an answer says nothing: any 2xx is done.
    judges_by_status: ClassVar[bool] = False
    #: Channels whose withdrawal this platform can hold.
    channels: ClassVar[tuple[str, ...]] = ()

    def __init__(self, account: Account) -> None:
        self.account = account

    @classmethod
    def offers(cls, operation: str) -> bool:
        """True when the platform's class overrides `operation`."""
        return getattr(cls, operation) is not getattr(Destination, operation)

    def add(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome] | Job:
        """Make the records members of `target` and write their mapped traits; repeating it changes nothing."""
        raise self._not_offered("add")

    def poll(self, job: Job, rows: Sequence[Row]) -> Sequence[Outcome] | None:
        """Return the outcomes of a finished job for the rows that were sent with it, or None while it runs."""
        raise self._not_offered("poll")

    def remove(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Take the records out of `target`; touches no consent and no other member."""
        raise self._not_offered("remove")

    def suppress(self, channel: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Write a withdrawal of `channel` for the rows' identifiers or records."""
        raise self._not_offered("suppress")

    def find(self, identifiers: Sequence[Identifier]) -> Mapping[Identifier, Sequence[str]]:
        """Look up the record ids that hold each e-mail or phone."""
        raise self._not_offered("find")

    def identify(self, record_ids: Sequence[str]) -> Mapping[str, Sequence[Identifier]]:
        """Look up the e-mails and phones that each record holds."""
        raise self._not_offered("identify")

    def read_back(self, target: Target) -> Iterator[str]:
        """Yield the record ids that are members of `target` at the platform now."""
        raise self._not_offered("read_back")

    def erase(self, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Ask the platform to delete the persons behind the rows."""
        raise self._not_offered("erase")

    def send(self, sender: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Send one message per row; cannot be undone, so never retried blindly."""
        raise self._not_offered("send")

    def _not_offered(self, operation: str) -> NotOffered:
        return NotOffered(f"{self.account.platform} offers no operation {operation!r}.")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A platform's title page."""

    name: str
    title: str
    documentation: str
    objects: tuple[Object, ...] = ()
    credentials: tuple[Credential, ...] = ()
    limits: tuple[Limit, ...] = ()
    topics: tuple[Topic, ...] = ()
    #: False where the platform signs nothing: its webhook URL then needs a secret, said so at start-up.
    signed: bool = True
    #: An address of its own on the receiver, such as "/setpixel"; the token in its URL says which account is meant.
    path: str = ""

    @cached_property
    def package(self) -> str:
        """Dotted name of the platform's package."""
        return f"dlt_sources.platforms.{self.name}"

    def has(self, module: str) -> bool:
        """True when the package brings `module` (client, source, webhook, subscriptions, destination)."""
        return find_spec(f"{self.package}.{module}") is not None

    def check(self, account: Account) -> None:
        """Make one cheap authenticated call; raises PlatformError with the next step if the account does not work."""
        self._load("client").check(account)

    @property
    def source(self) -> Source:
        """The platform's `source` module (imports dlt)."""
        return cast("Source", self._load("source"))

    @property
    def webhook(self) -> Webhook:
        """The platform's `webhook` module."""
        return cast("Webhook", self._load("webhook"))

    @property
    def subscriptions(self) -> Subscriptions:
        """The platform's `subscriptions` module."""
        return cast("Subscriptions", self._load("subscriptions"))

    def destination(self, account: Account) -> Destination:
        """The platform's destination for one account."""
        return cast("Destination", self._load("destination").DESTINATION(account))

    def destination_class(self) -> type[Destination] | None:
        """The platform's destination class, or None when it is a source only."""
        return cast("type[Destination]", self._load("destination").DESTINATION) if self.has("destination") else None

    def topic(self, name: str) -> Topic | None:
        """The declared topic of that name, or None when it is unknown to us."""
        return next((topic for topic in self.topics if topic.topic == name), None)

    def _load(self, module: str) -> ModuleType:
        if not self.has(module):
            raise NotOffered(f"{self.title} has no {module}.")
        return import_module(f"{self.package}.{module}")
