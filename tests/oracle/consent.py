"""Section 2: which withdrawals stand, which grants count, and whether one is needed (rules 2 to 4, 9, 10, 13 to 17)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from tests.oracle import assumed
from tests.oracle.places import Place
from tests.oracle.statement import CLOSING, EXPRESS_STATES, GRANTS, Statement
from tests.oracle.world import Ask

#: What is said of no consent: the state that came closest to one.
NO_CONSENT = ("pending", "not_granted", "unknown")
#: What one stop ends together where the law has it so.
REVOKED_TOGETHER = ("sms", "mms", "voice")
AD_PURPOSES = frozenset({"profiling", "sale_or_share"})


@dataclass
class Consent:
    """The withdrawals that stand, and the grants that would count without them."""

    closed: list[Statement]
    grants: list[Statement]
    expired: list[Statement]
    void: bool  # a grant there was, before the number was disconnected


def consent(
    ask: Ask, at: datetime, where: frozenset[Place], erased_at: datetime | None, void_on: date | None
) -> Consent:
    """What was said about the question's scope until a time; what was granted before an erasure is dead."""
    closing = [
        one
        for one in ask.statements
        if one.state in CLOSING and one.closes_from <= at and (covers(ask, one) or _revokes_all(ask, one, at))
    ]
    closed = [one for one in closing if not _lifted(ask, one, at)]
    everything = [
        one
        for one in ask.statements
        if one.state in GRANTS
        and one.target == ask.target
        and one.target is not None
        and one.when.hi <= at
        and _reaches(ask, one)
        and (erased_at is None or one.when.lo > erased_at)
        and _valid_there(ask, one, where)
    ]
    alive = [one for one in everything if void_on is None or one.when.lo.date() > void_on]
    if closing and not closed:
        # What was closed is reopened by the grants that lifted it, and by nothing older or weaker.
        last = max(one.when.hi for one in closing)
        alive = [one for one in alive if one.lifts and one.when.lo > last]
    grants = [one for one in alive if one.expires is None or at < one.expires]
    return Consent(closed, grants, [one for one in alive if one not in grants], len(alive) < len(everything))


def covers(ask: Ask, one: Statement) -> bool:
    """Rule 9: a withdrawal covers its scope and everything under it."""
    if ask.question.purpose == "transactional":
        # Rule 13: not touched by marketing withdrawals, but STOP ends that sender's texts of every purpose.
        if one.state == "hold":
            return False
        if one.purpose == "transactional":
            return _on_channel(ask, one)
        return (
            one.stop_of is not None
            and ask.channel in ("sms", "mms")
            and (one.stop_of == "*" or ask.question.sender in ("any", "*", one.stop_of))
        )
    if one.purpose == "transactional":
        return False
    if ask.channel == "ads_audience":
        # Rule 17: any marketing objection, of whatever channel, keeps a person out of ad audiences.
        return one.state == "withdrawn" or _on_channel(ask, one)
    if one.purpose in AD_PURPOSES:
        return False
    return _on_channel(ask, one) and one.topic in ("*", ask.question.topic)


def _revokes_all(ask: Ask, one: Statement, at: datetime) -> bool:
    """Section 3, revoke-all: from its day on, whoever stops the texts ends all texts and calls, whatever they tell."""
    starts = ask.world.rules.revoke_all_from
    return (
        starts is not None
        and at.astimezone(UTC).date() >= starts
        and one.state == "withdrawn"
        and one.purpose in (None, "marketing")
        and one.topic == "*"
        and one.channels is not None
        and "sms" in one.channels
        and ask.channel in REVOKED_TOGETHER
    )


def _on_channel(ask: Ask, one: Statement) -> bool:
    return one.channels is None or ask.channel in one.channels


def _lifted(ask: Ask, one: Statement, at: datetime) -> bool:
    """Rule 2: by a later, express grant of the customer with evidence, on the same identifier and channel.

    Rule 3: later means that it began after the withdrawal must have ended.
    """
    if one.review_only:
        return False
    if ask.question.purpose == "transactional" and one.stop_of is not None:
        # The carrier lets that sender through again at a start word, and at nothing that was ticked elsewhere.
        return any(
            other.method == "keyword"
            and other.sender == one.stop_of == ask.question.sender
            and other.lifts
            and other.target == ask.target
            and other.when.lo > one.when.hi
            and other.when.hi <= at
            for other in ask.statements
        )
    later = [
        other
        for other in ask.statements
        if other.lifts and other.target is not None and other.when.lo > one.when.hi and other.when.hi <= at
    ]
    return any(other.target == ask.target and _reaches(ask, other) for other in later)


def _reaches(ask: Ask, one: Statement) -> bool:
    """A grant reaches the scope it names: its own channel, its topic or all, its sender or any; never transactional."""
    return (
        one.channels is not None
        and ask.channel in one.channels
        and one.purpose in (None, "marketing", ask.question.purpose)
        and one.topic in ("*", ask.question.topic)
        and one.sender in ("*", ask.question.sender)
    )


def _valid_there(ask: Ask, one: Statement, where: frozenset[Place]) -> bool:
    """Express consent counts everywhere; implied and soft where the law of every place knows them, for like goods.

    Only the customer creates express consent (section 1), so nobody else's grant is one but for mail to the US, where
    no law asks for opt-in (rule 17); a platform that does not say who acted is read as speaking of the customer.
    """
    if one.state in EXPRESS_STATES:
        opt_in = any(place.country != "US" or ask.channel in assumed.OPT_IN_CHANNELS for place in where)
        return one.actor in ("customer", "unknown") or not opt_in
    bases = ask.world.rules.bases
    for place in where:
        row = bases.get((one.basis, place.country, ask.channel)) or bases.get((one.basis, "*", "*"))
        if row is None or row["grants"] != "true":
            return False
        if row["same_category"] == "true" and set(ask.categories or ("none",)) != {one.category}:
            return False
        if row["period"] and one.expires is None:
            return False
    return True


def needed(ask: Ask, where: frozenset[Place]) -> bool:
    """Rule 17: whether marketing needs a grant in any of these places."""
    countries = {place.country for place in where}
    if ask.channel == "ads_audience":
        return bool(countries & assumed.EU_UK) or "*" in countries
    if ask.channel == "email" and countries == {"US"}:
        return bool(ask.world.policy["us_email_requires_grant"])
    return True


def missing(ask: Ask, found: Consent, at: datetime) -> tuple[str, list[str]]:
    """Why there is no consent: it has run out, or the nearest thing to it that was said."""
    if found.expired:
        return "implied_expired", [one.id for one in found.expired]
    for state in NO_CONSENT:
        said = [
            one.id
            for one in ask.statements
            if one.state == state
            and one.target == ask.target
            and one.when.hi <= at
            and one.channels is not None
            and ask.channel in one.channels
            and one.purpose in (None, "marketing", ask.question.purpose)
            and one.topic in ("*", ask.question.topic)
        ]
        if said:
            return state, said
    return "no_grant", []
