"""What the CRM (HubSpot) and the webinar host (AEvent) know of generated people: contacts, registrant ids, consent.

Drawn last and by a generator of its own, so that the shop's side of a population does not depend on the CRM's.
A registrant's contact sometimes bears an e-mail that nobody else knows: only the registrant id joins it.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from itertools import accumulate
from random import Random

from sandbox import population_data as data
from sandbox.facts import Record, valid_email
from sandbox.population_person import Maker

_MIX = {name: (list(weights), list(accumulate(weights.values()))) for name, weights in data.CRM_MIX.items()}
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def remember(maker: Maker) -> None:
    """Give the person a registrant id and contacts, according to the draw; afterwards the draw is over."""
    maker.random = Random(f"{maker.seed}/{maker.index}/crm")  # noqa: S311 - repeatable on purpose
    drawn = {name: maker.random.choices(values, cum_weights=sums)[0] for name, (values, sums) in _MIX.items()}
    if maker.person.registrations:
        drawn["crm"] = drawn["crm_of_registrant"]
    if maker.person.story != "drawn":
        # Scripted people are whom their script makes them, wherever it is silent about the CRM.
        drawn |= {"crm_says": "none", "crm_age": "none"} | ({"crm": "same"} if drawn["crm"] == "other" else {})
    maker.draw = drawn | maker.draw
    if maker.person.registrations:
        _register(maker)
    if maker.draw["crm"] != "none" and maker.person.erased_at is None:
        _keep(maker)


def _register(maker: Maker) -> None:
    """The registrant id, on the person and on the accounts that carry it (contacts always do)."""
    person, draw = maker.person, maker.draw
    digest = hashlib.sha256(f"{maker.seed}/registrant/{maker.index}".encode()).digest()
    text = "".join(_LETTERS[byte % 62] for byte in digest[:10])
    person.registrant_id = f"{maker.index:08d}" if digest[10] < 25 else text
    where = ("klaviyo", "shopify") if draw["registrant_at"] == "both" else (draw["registrant_at"],)
    known = [record for platform in where for record in person.at(platform)[:1]]
    if not known and draw["crm"] == "other":
        draw["crm"] = "same"
    for record in known:
        record.registrant_id = person.registrant_id


def _keep(maker: Maker) -> None:
    person, draw = maker.person, maker.draw
    local = f"{person.first}.{person.last}{maker.index}".lower()
    emails = person.identifiers("email") if draw["reach"] != "hubspot" else [f"{local}@example.com"]
    phones = person.identifiers("phone")
    shared = next((e for e in emails if e.endswith("@example.com")), emails[0] if emails else None)
    other = f"{local.replace('.', '-')}@example.net"
    kinds: dict[str, list[str | None]] = {"same": [shared], "other": [other], "double": [shared, other]}
    born, oldest = _birth_date(maker), min((r.created_at for r in person.records), default=maker.ago(60, 400))
    for email in kinds[draw["crm"]]:
        phone = phones[0] if phones and email != other and maker.random.random() < 0.7 else None
        if email is None and phones:
            phone = phones[0]
        if not (email or phone or person.registrant_id):
            continue
        record = Record("hubspot", "", email, maker.written_phone(phone), oldest)
        record.created_at -= timedelta(seconds=maker.random.randint(3600, 10 * 86400))
        record.registrant_id, record.birth_date = person.registrant_id, born
        if draw["address"] in ("full", "default", "moved", "klaviyo") and maker.random.random() < 0.8:
            record.country, record.region = maker.country, maker.region
        person.records.append(record)
        _declare(maker, record)


def _declare(maker: Maker, contact: Record) -> None:
    """What the contact said at the CRM: a grant only before any withdrawal, a withdrawal after everything else."""
    kind, address = maker.draw["crm_says"], valid_email(contact.email)
    said = [s for s in maker.person.statements if (s.channel, s.identifier) == ("email", address)]
    if address is None or kind == "none" or any(s.state == "pending" for s in said):
        return
    if kind in ("withdrawn", "opted_out"):
        maker.say("email", address, "withdrawn", maker.ago(20, 34), "hubspot")
        contact.opted_out = kind == "opted_out"
        return
    earliest = max(record.created_at for record in maker.person.records) + timedelta(minutes=30)
    latest = min((s.at for s in said if s.state == "withdrawn"), default=maker.as_of - timedelta(days=35))
    maker.say("email", address, "granted", _between(maker, earliest, latest), "hubspot")


def _between(maker: Maker, earliest: datetime, latest: datetime) -> datetime:
    room = max(0, int((latest - earliest).total_seconds()) - 60)
    return earliest + timedelta(seconds=maker.random.randint(0, room))


def _birth_date(maker: Maker) -> str | None:
    """The birth date that the CRM knows: the one told elsewhere, or one of its own where nobody else has any."""
    kind = maker.draw["crm_age"]
    told = next((record.birth_date for record in maker.person.records if record.birth_date), None)
    if kind == "minor":
        return _days_before(maker, maker.random.randint(5600, 7600))
    if kind == "none" or told:
        return told if kind != "none" else None
    return _days_before(maker, maker.random.randint(7800, 25000)) if maker.random.random() < 0.2 else None


def _days_before(maker: Maker, days: int) -> str:
    return (date(maker.as_of.year, maker.as_of.month, 1) - timedelta(days=days)).isoformat()
