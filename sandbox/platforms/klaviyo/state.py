"""What Klaviyo knows: profiles with their consent, lists and who is on them, events, jobs. Rows are plain JSON."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sandbox import population_data as data
from sandbox.facts import Facts, Person, Record, Statement, valid_email, valid_phone
from sandbox.platforms.klaviyo.jsonapi import stamp
from sandbox.standin import StandIn
from sandbox.store import Row

LISTS = ("Recent buyers", "Lapsed customers SMS", "High spenders", "Vape customers of age", "Webinar follow-up")
OTHER_LISTS = ("Newsletter", "Spring sale", "Summer sale", "Gift guide", "Early access", "Recent buyers (old)", "Staff")
METRICS = {
    "webinar": "Webinar Registered",
    "subscribed": "Subscribed to Email Marketing",
    "unsubscribed": "Unsubscribed from Email Marketing",
    "bounced": "Bounced Email",
    "spam": "Marked Email as Spam",
    "opened": "Opened Email",
}
REASONS = {
    "hard_bounce": "HARD_BOUNCE", "invalid_address": "INVALID_EMAIL", "spam_complaint": "SPAM_COMPLAINT",
    "manual_block": "USER_SUPPRESSED",
}  # fmt: skip


def short_id(kind: str, name: str) -> str:
    """A six-letter id such as Klaviyo gives to lists and metrics."""
    digest = hashlib.sha256(f"{kind}/{name}".encode()).digest()
    return "".join("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"[byte % 57] for byte in digest[:6])


def event_id(text: str) -> str:
    """An eleven-letter event id."""
    return hashlib.sha256(text.encode()).hexdigest()[:11]


def consent_of(statements: list[Statement]) -> Row:
    """Both channels' consent as Klaviyo keeps it, from what it was told."""
    email = [s for s in statements if s.channel == "email"]
    sms = [s for s in statements if s.channel == "sms"]
    return {"email": _email_consent(email), "sms": _sms_consent(sms)}


def _email_consent(statements: list[Statement]) -> Row:
    row: Row = {
        "can_receive_email_marketing": True, "consent": "NEVER_SUBSCRIBED", "consent_timestamp": None,
        "last_updated": None, "method": None, "method_detail": "", "custom_method_detail": None,
        "double_optin": None, "suppression": [], "list_suppressions": [],
    }  # fmt: skip
    for statement in sorted(statements, key=lambda s: s.at):
        at = stamp(statement.at)
        if statement.state == "withdrawn":
            unsubscribe_email(row, at)
        else:
            confirmed = statement.state == "granted_confirmed"
            row |= {"consent": "SUBSCRIBED", "consent_timestamp": at, "last_updated": at, "method": "FORM"}
            row |= {"method_detail": "Footer form", "double_optin": confirmed}
    return row


def _sms_consent(statements: list[Statement]) -> Row:
    row: Row = {
        "can_receive_sms_marketing": False, "consent": "NEVER_SUBSCRIBED", "consent_timestamp": None,
        "method": None, "method_detail": "", "last_updated": None,
    }  # fmt: skip
    for statement in sorted(statements, key=lambda s: s.at):
        at, granted = stamp(statement.at), statement.state != "withdrawn"
        row |= {"consent": "SUBSCRIBED" if granted else "UNSUBSCRIBED", "consent_timestamp": at, "last_updated": at}
        row |= {"can_receive_sms_marketing": granted, "method": "CHECKOUT" if granted else "TEXT"}
    return row


def unsubscribe_email(email: Row, at: str) -> None:
    """Withdraw e-mail consent everywhere."""
    email |= {"consent": "UNSUBSCRIBED", "consent_timestamp": at, "last_updated": at, "method": "PREFERENCE_PAGE"}
    email |= {"double_optin": None, "method_detail": ""}
    suppress(email, "UNSUBSCRIBE", at)


def unsubscribe_sms(sms: Row, at: str) -> None:
    """Withdraw text consent."""
    sms |= {"consent": "UNSUBSCRIBED", "consent_timestamp": at, "last_updated": at, "can_receive_sms_marketing": False}


def suppress(email: Row, reason: str, at: str) -> None:
    """Add a global suppression, once per reason."""
    if all(entry["reason"] != reason for entry in email["suppression"]):
        email["suppression"].append({"reason": reason, "timestamp": at})
    email |= {"can_receive_email_marketing": False, "last_updated": max(at, email["last_updated"] or "")}


class State:
    """Klaviyo's tables, and the changes that several paths share."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.profiles = standin.table("profiles")
        self.profiles.sort_by("updated", lambda row: str(row["updated"]))
        self.profiles.sort_by("created", lambda row: str(row["created"]))
        self.profiles.sort_by("email", lambda row: str(row["email"] or ""))
        self.profiles.sort_by("id", lambda row: "")
        self.profiles.look_up_by("email", lambda row: valid_email(row["email"]))
        self.profiles.look_up_by("phone_number", lambda row: valid_phone(row["phone_number"]))
        self.profiles.look_up_by("external_id", lambda row: row["external_id"])
        self.events = standin.table("events")
        self.events.sort_by("datetime", lambda row: str(row["datetime"]))
        self.metrics = standin.table("metrics")
        self.metrics.sort_by("id", lambda row: "")
        self.lists = standin.table("lists")
        for key in ("name", "created", "updated", "id"):
            self.lists.sort_by(key, partial(_text_of, key))
        self.members = standin.table("members")
        self.members.sort_by("joined", lambda row: f"{row['list']} {row['joined']}")

    def seed(self, facts: Facts) -> None:
        """Render the population."""
        born = stamp(facts.as_of - timedelta(days=900))
        dated = {"created": born, "updated": born}
        self.lists.load({short_id("list", name): {"name": name, **dated} for name in LISTS + OTHER_LISTS})
        self.metrics.load({short_id("metric", name): {"name": name, "created": born} for name in METRICS.values()})
        profiles: dict[str, Row] = {}
        events: dict[str, Row] = {}
        for person in facts.people.values():
            for record in person.at("klaviyo"):
                profiles[record.record_id] = _profile(person, record)
                events |= _events(person, record)
        for event in events.values():
            profile = profiles[event["profile"]]
            profile["last_event_date"] = max(profile["last_event_date"] or "", event["datetime"])
            profile["updated"] = max(profile["updated"], event["datetime"])
        self.profiles.load(profiles)
        self.events.load(events)
        newsletter = short_id("list", "Newsletter")
        subscribed = [i for i, row in profiles.items() if row["subscriptions"]["email"]["consent"] == "SUBSCRIBED"][::8]
        joined = {i: {"list": newsletter, "profile": i, "joined": profiles[i]["created"]} for i in subscribed}
        self.members.load({f"{newsletter}:{i}": row for i, row in joined.items()})

    def add_event(self, metric: str, profile_id: str, at: datetime, properties: Row, key: str) -> str:
        """Record one event, once per key; its id."""
        row_id = event_id(f"{profile_id}/{metric}/{key}")
        if row_id not in self.events.rows:
            named = next((i for i, row in self.metrics.rows.items() if row["name"] == metric), None)
            if named is None:
                named = short_id("metric", metric)
                self.metrics.put(named, {"name": metric, "created": stamp(at)})
            event = {"metric": named, "profile": profile_id, "datetime": stamp(at), "properties": properties}
            self.events.put(row_id, event)
        return row_id

    def touch(self, profile_id: str, row: Row, at: str) -> None:
        """Save a changed profile."""
        self.profiles.put(profile_id, row | {"updated": max(at, row["updated"])})

    def join(self, list_id: str, profile_id: str, at: str) -> None:
        """Put a profile on a list; consent does not change."""
        key = f"{list_id}:{profile_id}"
        if key not in self.members.rows:
            self.members.put(key, {"list": list_id, "profile": profile_id, "joined": at})

    def forget(self, profile_id: str) -> None:
        """Delete a profile with its memberships and events."""
        for key in [key for key in self.members.rows if key.endswith(f":{profile_id}")]:
            self.members.drop(key)
        for key in [key for key, row in self.events.rows.items() if row["profile"] == profile_id]:
            self.events.drop(key)
        self.profiles.drop(profile_id)


def _text_of(key: str, row: Row) -> str:
    return str(row.get(key, ""))


def new_profile(at: str, **attributes: Any) -> Row:
    """An empty profile with these attributes."""
    row: Row = {
        "email": None, "phone_number": None, "external_id": None, "first_name": None, "last_name": None,
        "organization": None, "locale": None, "title": None, "image": None, "created": at, "updated": at,
        "last_event_date": None, "location": dict.fromkeys(
            ("address1", "address2", "city", "country", "latitude", "longitude", "region", "zip", "timezone", "ip")
        ), "properties": {}, "subscriptions": consent_of([]),
    }  # fmt: skip
    return row | attributes


def _profile(person: Person, record: Record) -> Row:
    own, (first, last) = record.own, record.names or (person.first, person.last)
    statements = [s for s in person.statements if s.platform == "klaviyo" and s.identifier in own]
    consent = consent_of(statements)
    row = new_profile(stamp(record.created_at), email=record.email, phone_number=record.phone, subscriptions=consent)
    row |= {"first_name": first, "last_name": last, "locale": "en-US"}
    if record.country:
        row["location"] |= {"country": data.COUNTRY_NAMES[record.country], "region": record.region}
    shops = person.at("shopify")
    if shops:
        row["properties"] = {"Shopify customer": True}
    if record.registrant_id:
        row["properties"] = row["properties"] | {"aevent_registrant_id": record.registrant_id}
    changes = [s.at for s in statements]
    for block in person.blocks:
        if block.identifier in own and block.kind in REASONS:
            suppress(consent["email"], REASONS[block.kind], stamp(block.at))
            changes.append(block.at)
    row["updated"] = stamp(max([record.created_at, *changes]))
    return row


def _events(person: Person, record: Record) -> dict[str, Row]:
    own = record.own
    found: list[tuple[str, datetime, Row]] = []
    for number, at in enumerate(person.registrations):
        found.append(("webinar", at, {"webinar": data.WEBINARS[number % len(data.WEBINARS)]}))
    for statement in person.statements:
        if statement.platform == "klaviyo" and statement.channel == "email" and statement.identifier in own:
            name = "unsubscribed" if statement.state == "withdrawn" else "subscribed"
            found.append((name, statement.at, {"email_address": statement.identifier}))
    for block in person.blocks:
        if block.identifier in own and block.kind in ("hard_bounce", "spam_complaint"):
            bounced = block.kind == "hard_bounce"
            properties = {"email_address": block.identifier} | ({"Bounce Type": "Hard"} if bounced else {})
            found.append(("bounced" if bounced else "spam", block.at, properties))
    if person.person.endswith("3"):
        found.append(("opened", record.created_at + timedelta(hours=1), {"Subject": "Welcome"}))
    return {
        event_id(f"{record.record_id}/{name}/{at}"): {
            "metric": short_id("metric", METRICS[name]), "profile": record.record_id, "datetime": stamp(at),
            "properties": properties,
        }
        for name, at, properties in found
    }  # fmt: skip
