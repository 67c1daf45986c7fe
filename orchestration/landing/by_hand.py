"""Blocks that somebody sets or lifts by hand, as requests of a platform of our own: one path for all stops.

A block is landed in the speed lane and settled like any webhook, so that the gate sees it as soon as it is durable and
the removals follow; the build loads it and `decisions` keep it. A lift is landed in the segmentation lane and forbids
nothing: a build alone can end a block. What a block has written to a platform is landed in the care lane, so that the
platform's copy of it is not taken for the person's own opt-out. What somebody has read as a stop (`audiences review`)
takes the way of a block and is a withdrawal of the person's. No receiver takes requests of this platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, cast
from uuid import uuid4

import orjson

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import (
    Answer,
    Delivery,
    Effect,
    EffectKind,
    Event,
    Identifier,
    Lane,
    Platform,
    Topic,
    WebhookRequest,
)
from orchestration.landing.files import Landed, new_id

Act = Literal["suppress", "lift", "written", "stop"]
#: Acts in one request, and so ledger rows in about one transaction.
ACTS = 500
_LANES: dict[str, Lane] = {"suppress": "speed", "lift": "segmentation", "written": "care", "stop": "speed"}
_EVENTS = {
    "suppress": "blocked_by_hand", "lift": "block_lifted", "written": "block_written", "stop": "stopped_by_review",
}  # fmt: skip
#: What an act forbids; the others forbid nothing.
KINDS: dict[str, EffectKind] = {"suppress": "manual_block", "stop": "withdrawn"}
PLATFORM = Platform(
    name="audiences",
    title="By hand",
    documentation="docs/operating.md",
    topics=tuple(Topic(topic=act, event=_EVENTS[act], lane=_LANES[act]) for act in _EVENTS),
)
ACCOUNT = Account("audiences", "hand", "*", "", (), MappingProxyType({}))
ACCEPTED = Answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody wants: to block, to lift or to stop, on a channel and topic ("*" = all), who wants it and why."""

    act: Act
    channel: str
    topic: str
    actor: str
    reason: str
    at: datetime

    @property
    def lane(self) -> Lane:
        """The lane it travels."""
        return _LANES[self.act]


def landed(order: Order, identifiers: Sequence[Identifier]) -> Landed:
    """The order as one landed request about at most ACTS identifiers."""
    about = {"channel": order.channel, "topic": order.topic, "actor": order.actor, "reason": order.reason}
    return _request(order.act, order.at, [{**_named(one), **about} for one in identifiers])


def written(platform: str, account: str, channel: str, identifiers: Sequence[Identifier], at: datetime) -> Landed:
    """Withdrawals that a platform has accepted from us because of blocks by hand, as one landed request."""
    about = {"platform": platform, "account": account, "channel": channel}
    return _request("written", at, [{**_named(one), **about} for one in identifiers])


def _named(identifier: Identifier) -> dict[str, str]:
    return {"identifier_type": identifier.kind, "identifier": identifier.value}


def _request(act: Act, at: datetime, about: Sequence[dict[str, str]]) -> Landed:
    request_id, moment = uuid4().hex, at.isoformat()
    items = [{"id": f"{request_id}:{place}", "act": act, "at": moment, **one} for place, one in enumerate(about)]
    return Landed(
        id=new_id(),
        received_at=datetime.now(UTC),
        platform=ACCOUNT.platform,
        account=ACCOUNT.name,
        lane=_LANES[act],
        topic=act,
        delivery_id=request_id,
        method="POST",
        url="",
        headers={"content-type": "application/json"},
        body=orjson.dumps({"items": items}),
    )


def verify(request: WebhookRequest, account: Account) -> None:
    """Refuse: what arrives by HTTP was not done by hand on this machine."""
    raise WebhookRejected("not_a_sender", status=404)


def parse(request: WebhookRequest, account: Account) -> Delivery:
    """Read the acts back."""
    items = orjson.loads(request.body)["items"]
    return Delivery(
        topic=items[0]["act"],
        id=items[0]["id"].partition(":")[0],
        events=tuple(_event(item) for item in items),
    )


def _event(item: dict[str, str]) -> Event:
    act = item["act"]
    return Event(
        id=item["id"],
        name=_EVENTS[act],
        lane=_LANES[act],
        occurred_at=datetime.fromisoformat(item["at"]),
        identifiers=(Identifier(cast("Literal['email', 'phone']", item["identifier_type"]), item["identifier"]),),
        effect=Effect(kind=KINDS[act], channel=item["channel"], topic=item["topic"]) if act in KINDS else None,
        actor=item.get("actor", ""),
        reason=item.get("reason", ""),
    )
