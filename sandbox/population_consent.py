"""How generated people speak: e-mail and text consent, suppressions, and the text log that goes with them.

Only situations in which "the latest statement wins, the opt-out on ties" is the whole truth: a grant after a
withdrawal is always a double opt-in by the person, and nobody starts again after a STOP.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox import population_data as data
from sandbox.facts import Person, valid_email, valid_phone
from sandbox.population_person import Maker

_BLOCKS = ("hard_bounce", "invalid_address", "spam_complaint", "manual_block")


def declare(speaker: Maker) -> None:
    """Give the person statements, suppressions and texts, according to the draw."""
    _by_email(speaker)
    _by_text(speaker)


def _address(person: Person, platform: str, channel: str) -> str | None:
    for record in person.at(platform):
        found = valid_email(record.email) if channel == "email" else valid_phone(record.phone)
        if found:
            return found
    return None


def _by_email(speaker: Maker) -> None:
    kind, person = speaker.draw["email"], speaker.person
    shop, mailer = _address(person, "shopify", "email"), _address(person, "klaviyo", "email")
    early, late = speaker.ago(70, 400), speaker.ago(35, 65)
    if shop and mailer and shop != mailer:
        _speak_apart(speaker, shop, mailer, early, late)
        return
    if mailer is None:
        instead = {"klaviyo": "shopify", "both": "shopify", "regranted": "shopify_double", "tie": "withdrawn_shopify"}
        kind = "none" if kind in _BLOCKS else instead.get(kind, kind)
        kind = "withdrawn_shopify" if kind == "withdrawn_klaviyo" else kind
    elif shop is None:
        instead = {"shopify": "klaviyo", "shopify_double": "klaviyo", "both": "klaviyo", "pending": "none"}
        instead |= {"withdrawn_shopify": "withdrawn_klaviyo", "tie": "withdrawn_klaviyo", "regranted": "klaviyo"}
        kind = instead.get(kind, kind)
    match kind:
        case "shopify":
            speaker.say("email", shop, "granted", early, "shopify")
        case "shopify_double":
            speaker.say("email", shop, "granted_confirmed", early, "shopify")
        case "klaviyo" | "hard_bounce" | "invalid_address" | "spam_complaint" | "manual_block":
            speaker.say("email", mailer, "granted", early, "klaviyo")
        case "both":
            speaker.say("email", shop, "granted", early, "shopify")
            speaker.say("email", mailer, "granted", late, "klaviyo")
        case "withdrawn_shopify":
            speaker.say("email", mailer, "granted", early, "klaviyo")
            speaker.say("email", shop, "withdrawn", late, "shopify")
        case "withdrawn_klaviyo":
            speaker.say("email", shop, "granted", early, "shopify")
            speaker.say("email", mailer, "withdrawn", late, "klaviyo")
        case "regranted":
            speaker.say("email", shop, "withdrawn", early, "shopify")
            speaker.say("email", mailer, "granted_confirmed", late, "klaviyo")
        case "tie":
            speaker.say("email", shop, "granted", late, "shopify")
            speaker.say("email", mailer, "withdrawn", late, "klaviyo")
        case "pending":
            speaker.say("email", shop, "pending", late, "shopify")
    if kind in _BLOCKS:
        speaker.block(mailer, kind, late)


def _speak_apart(speaker: Maker, shop: str, mailer: str, early: datetime, late: datetime) -> None:
    states = ("granted", "granted", "withdrawn", "")
    for address, platform, at in ((shop, "shopify", early), (mailer, "klaviyo", late)):
        state = speaker.random.choice(states)
        if state:
            speaker.say("email", address, state, at, platform)


def _by_text(speaker: Maker) -> None:
    kind, person = speaker.draw["sms"], speaker.person
    shop, mailer = _address(person, "shopify", "sms"), _address(person, "klaviyo", "sms")
    phones = person.identifiers("phone")
    if not phones:
        return
    early, late = speaker.ago(70, 400), speaker.ago(35, 65)
    first = ("shopify", shop) if shop else ("klaviyo", mailer)
    if kind in ("shopify", "stop", "failed", "pending", "withdrawn_klaviyo") or (kind == "klaviyo" and not mailer):
        speaker.say("sms", first[1], "pending" if kind == "pending" and shop else "granted", early, first[0])
    if kind in ("klaviyo", "both", "withdrawn_shopify"):
        speaker.say("sms", mailer, "granted", early, "klaviyo")
    if kind == "both":
        speaker.say("sms", shop, "granted", late, "shopify")
    if kind == "withdrawn_shopify":
        speaker.say("sms", shop, "withdrawn", late, "shopify")
    if kind == "withdrawn_klaviyo":
        speaker.say("sms", mailer, "withdrawn", late, "klaviyo")
    if kind == "stop":
        speaker.text(False, speaker.random.choice(data.PROMOTIONS), late - timedelta(minutes=4), "delivered")
        speaker.text(True, speaker.random.choice(data.STOP_WORDS), late, "received")
        speaker.say("sms", phones[0], "withdrawn", late, "twilio")
    elif kind == "failed":
        speaker.text(False, speaker.random.choice(data.PROMOTIONS), late, "failed", 21610)
        speaker.say("sms", phones[0], "withdrawn", late, "twilio")
    else:
        _chat(speaker)


def _chat(speaker: Maker) -> None:
    twilio_only = speaker.draw["reach"] == "twilio"
    granted = any(s.channel == "sms" and s.state == "granted" for s in speaker.person.statements)
    for _ in range(speaker.random.randint(1, 3) if granted else 0):
        speaker.text(False, speaker.random.choice(data.PROMOTIONS), speaker.ago(1, 60), "delivered")
    if twilio_only or speaker.random.random() < 0.15:
        speaker.text(True, speaker.random.choice(data.CHATTER), speaker.ago(1, 300), "received")
