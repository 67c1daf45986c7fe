"""Random but plausible cases: one household, several platforms, and everything that goes wrong between them.

`history(random)` makes a case from any source of chance: `numbered` from a seed, always the same case for the same
number; `histories` from Hypothesis, which makes a failing case smaller.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

from orchestration.deciding.cases import Case

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SENDERS = ("+18335550100", "+18335550199")
TOPICS = ("*", "*", "Wine", "Offers")
CATEGORIES = ("none",) * 6 + ("alcohol",) * 4 + ("adult", "cannabis", "vape", "tobacco")
PLACES: tuple[tuple[str | None, str | None, str | None], ...] = (
    ("US", "CA", "America/Los_Angeles"),
    ("US", "CA", "America/Los_Angeles"),
    ("US", "TX", "America/Chicago"),
    ("US", "NY", None),
    ("US", None, None),
    ("CA", "ON", "America/Toronto"),
    ("CA", "AB", "America/Edmonton"),
    ("CA", "QC", "America/Toronto"),
    ("GB", None, "Europe/London"),
    ("FR", None, "Europe/Paris"),
    ("KR", None, "Asia/Seoul"),
    (None, None, None),
)
EMAILS = ("jane@example.com", "jane.roe@gmail.com", "kim@example.org", "JaneRoe+shop@gmail.com", "info@example.com")
#: Of one person each, and no other spelling of one another.
PERSONAL = EMAILS[:3]
PHONES = ("+12135550142", "+14165550123", "+447400123456", "+15125550123")
NAMES = ("Jane Roe", "Jane Roe", "jane  roe", "Kim Roe", None)
BIRTH_DATES = (
    "1990-05-01", "1990-05-01", "1998-03-04", "2005-11-22", "2005-11-23", "2004-02-29", "2007-06-15", "2008-11-21",
    "2012-08-09", "1900-01-01", "2000-01-01", "11/12/05", "2005", "2005-11", "2030-01-01", "12.11.2005", "soon",
)  # fmt: skip
#: platform, field, value, detail, channel.
STATES = (
    ("klaviyo", "consent", "SUBSCRIBED", "true", None),
    ("klaviyo", "consent", "SUBSCRIBED", "false", None),
    ("klaviyo", "consent", "SUBSCRIBED", "true", None),
    ("klaviyo", "consent", "UNSUBSCRIBED", "*", None),
    ("klaviyo", "consent", "NEVER_SUBSCRIBED", "*", None),
    ("klaviyo", "suppression", "USER_SUPPRESSED", "*", "email"),
    ("klaviyo", "suppression", "SPAM_COMPLAINT", "*", "email"),
    ("klaviyo", "consent", "SOMETHING_NEW", "*", None),
    ("shopify", "consent", "subscribed", "confirmed_opt_in", None),
    ("shopify", "consent", "subscribed", "single_opt_in", None),
    ("shopify", "consent", "subscribed", "unknown", None),
    ("shopify", "consent", "unsubscribed", "*", None),
    ("shopify", "consent", "pending", "*", None),
    ("shopify", "consent", "not_subscribed", "*", None),
    ("shopify", "consent", "redacted", "*", None),
    ("shopify", "accepts_marketing", "false", "*", "email"),
    ("shopify", "accepts_marketing", "true", "*", "email"),
    ("mailchimp", "status", "subscribed", "*", "email"),
    ("mailchimp", "status", "unsubscribed", "*", "email"),
    ("mailchimp", "status", "cleaned", "*", "email"),
    ("mailchimp", "status", "archived", "*", "email"),
    ("hubspot", "consent", "SUBSCRIBED", "*", "email"),
    ("hubspot", "consent", "UNSUBSCRIBED", "*", "email"),
    ("hubspot", "consent", "hs_email_optout=true", "*", "email"),
    ("hubspot", "consent", "hs_email_optout=false", "*", "email"),
    ("sendgrid", "event", "unsubscribe", "*", "email"),
    ("sendgrid", "event", "group_unsubscribe", "7", "email"),
    ("sendgrid", "event", "bounce", "bounce", "email"),
    ("sendgrid", "event", "bounce", "blocked", "email"),
    ("sendgrid", "event", "spamreport", "*", "email"),
    ("sendgrid", "event", "delivered", "*", "email"),
    ("square", "email_unsubscribed", "true", "*", "email"),
    ("square", "email_unsubscribed", "false", "*", "email"),
    ("salesforce", "HasOptedOutOfEmail", "true", "*", "email"),
    ("intercom", "subscription", "attached", "opt_out", "email"),
    ("intercom", "subscription", "attached", "opt_in", "email"),
    ("pipedrive", "marketing_status", "unsubscribed", "*", "email"),
    ("pipedrive", "marketing_status", "archived", "*", "email"),
    ("twilio", "error", "21610", "*", "sms"),
    ("typeform", "answer", "true", "*", None),
    ("csv", "opted_in", "yes", "*", None),
)
GRANTS = [state for state in STATES if state[2].lower() in ("subscribed", "true") and state[0] != "square"]
BODIES = ("STOP", "Stop.", "START", "YES", "thanks!", "stop texting me pls", "don't stop the deals!", "ARRÊT")
#: Of children, of children, of numbers not to be called, of numbers that changed hands.
REGISTRIES = ("child_protection_utah", "child_protection_michigan", "do_not_call_us", "reassigned_numbers_us")
OPERATIONS = (
    ("klaviyo", "subscribe"), ("klaviyo", "list_add"), ("mailchimp", "status=subscribed"), ("shopify", "subscribe"),
    ("hubspot", "unsubscribe"), ("hubspot", "property"),
)  # fmt: skip


def numbered(number: int, *, alone: bool = False) -> Case:
    """The case of a number, always the same; `alone` is about one person whom every record shows alike."""
    return history(Random(number), f"history-{number}", alone=alone)


def histories() -> st.SearchStrategy[Case]:
    """Cases for Hypothesis."""
    return st.randoms(use_true_random=False).map(history)


def history(chance: Random, name: str = "history", *, alone: bool = False) -> Case:
    """One case: a household of one or two people, what the platforms say of them, and questions."""
    return Case.model_validate(_History(chance, alone=alone).case(name))


class _History:
    def __init__(self, chance: Random, *, alone: bool = False) -> None:
        self.chance, self.alone = chance, alone
        self.facts: list[dict[str, Any]] = []
        #: A few days around which things crowd, so that many times are equal or close.
        self.days = [NOW - timedelta(days=chance.choice((1, 3, 20, 45, 200, 400, 700, 1000))) for _ in range(3)]

    def case(self, name: str) -> dict[str, Any]:
        records = self._records()
        self._base(records)
        makers = (
            [self._status] * 6
            + [self._text] * 2
            + [self._age] * 3
            + [self._order] * 2
            + [self._scrub, self._contact, self._link, self._write]
        )
        for _ in range(self.chance.randint(0, 8)):
            self.chance.choice(makers)(records)
        for place in range(len(self.facts)):
            self.facts[place] = {"id": f"f{place}", **self.facts[place]}
        self._reviews()
        return {
            "id": name,
            "as_of": NOW,
            "policy": self.chance.choice(
                ({}, {}, {}, {"us_email_requires_grant": False}, {"cannabis_informational_promotion": True})
            ),
            "facts": self.facts,
            "questions": self._questions(records),
            "plans": [
                {"platform": platform, "operation": operation, "identifier": self.chance.choice(EMAILS)}
                for platform, operation in self.chance.sample(OPERATIONS, 2)
            ],
        }

    # -- times ---------------------------------------------------------------------------------------------------------

    def _instant(self) -> datetime:
        near = (timedelta(), timedelta(seconds=1), timedelta(minutes=3), timedelta(hours=2), timedelta(days=1))
        return self.chance.choice(self.days) + self.chance.choice(near)

    def _when(self, *, known: bool = False) -> dict[str, Any]:
        """A valid time, exact, wide or missing, and a receipt on time, late, or before a clock that runs ahead."""
        at = self._instant()
        kind = "exact" if known else self.chance.choice(("exact",) * 7 + ("wide", "latest", "missing"))
        late = self.chance.choice((timedelta(),) * 6 + (timedelta(minutes=1), timedelta(days=10), timedelta(days=90)))
        skew = self.chance.choice((timedelta(),) * 12 + (timedelta(minutes=4), timedelta(days=2)))
        recorded = min(at + late - skew, NOW)
        if kind == "exact":
            return {"at": at, "recorded": recorded}
        if kind == "wide":
            return {"earliest": at - timedelta(days=30), "latest": at, "recorded": max(at, recorded)}
        return {"latest": at, "recorded": max(at, recorded)} if kind == "latest" else {"recorded": recorded}

    # -- facts ---------------------------------------------------------------------------------------------------------

    def _records(self) -> list[dict[str, Any]]:
        country, region, time_zone = self.chance.choice(PLACES)
        email, phone = self.chance.choice(PERSONAL if self.alone else EMAILS), self.chance.choice(PHONES)
        found = []
        for place in range(self.chance.randint(1, 3)):
            same = self.chance.random() < 0.75 or self.alone
            record = {
                "fact": "record",
                "platform": ("shopify", "klaviyo", "hubspot")[place],
                "record": f"r{place}",
                "email": email if same else self.chance.choice(EMAILS),
                "phone": phone
                if place == 0 or self.alone
                else self.chance.choice((None, phone, self.chance.choice(PHONES))),
                "name": "Jane Roe" if same else self.chance.choice(NAMES),
                "at": NOW - timedelta(days=1100),
                "recorded": NOW - timedelta(days=1100),
            }
            if place == 0 or self.chance.random() < 0.2:
                if place:
                    country, region, time_zone = self.chance.choice(PLACES)
                kind = self.chance.choice(("shipping", "billing", "billing", "location"))
                record |= {"country": country, "region": region, "time_zone": time_zone, "place": kind}
            found.append(record)
        self.facts += found
        if self.chance.random() < 0.15 and not self.alone:  # an address changes
            changed = {**found[0], "email": self.chance.choice(EMAILS), **self._when(known=True)}
            self.facts.append(changed)
            found.append(changed)
        return found

    def _base(self, records: list[dict[str, Any]]) -> None:
        """What most people have: a grant or two, evidence of age, an order, receipts of the registries."""
        first = records[0]
        if self.chance.random() < 0.8:
            self._grant(first, "email", first["email"])
        if self.chance.random() < 0.7:
            self._grant(first, "sms", first["phone"])
        if self.chance.random() < 0.7:
            level = self.chance.choice((2, 4, 4, 5))
            self.facts.append(self._evidence(first, "dob", level, self.chance.choice(BIRTH_DATES[:6])))
        if self.chance.random() < 0.7:
            self._order(records)
        if self.chance.random() < 0.85:
            at = NOW - timedelta(days=self.chance.choice((1, 7, 7, 7, 29, 30, 31)))
            self.facts += [{"fact": "scrub", "registry": name, "at": at, "recorded": at} for name in REGISTRIES]

    def _grant(self, record: dict[str, Any], channel: str, identifier: str) -> None:
        given = {"fact": "status", "platform": "klaviyo", "record": record["record"], "identifier": identifier}
        if record["platform"] != "klaviyo":
            del given["record"]
        given |= {"field": "consent", "value": "SUBSCRIBED", "detail": self.chance.choice(("true", "false"))}
        given |= {"channel": channel, "actor": "customer", "evidence": True, "method": "web_form"}
        self.facts.append(given | self._when(known=self.chance.random() < 0.9))

    def _status(self, records: list[dict[str, Any]]) -> None:
        pool = GRANTS if self.chance.random() < 0.4 else STATES
        platform, field, value, detail, channel = self.chance.choice(pool)
        record = self.chance.choice(records)
        channel = channel or self.chance.choice(("email", "email", "sms", "whatsapp", "ads_audience"))
        identifier = record["email"] if channel in ("email", "ads_audience") else record["phone"]
        said: dict[str, Any] = {"fact": "status", "platform": platform, "field": field, "value": value}
        said |= {"detail": detail, "channel": channel, "topic": self.chance.choice((*TOPICS, "?"))}
        if platform == record["platform"] and (identifier is None or self.chance.random() < 0.5):
            said["record"] = record["record"]
        if "record" not in said or self.chance.random() < 0.7:
            said["identifier"] = identifier or self.chance.choice(PHONES)
        if self.chance.random() < 0.6:
            said |= {"actor": self.chance.choice(("customer", "customer", "import", "integration", "admin"))}
            said |= {"evidence": self.chance.random() < 0.8}
        if self.chance.random() < 0.1:
            said["basis"] = self.chance.choice(("implied_purchase", "soft_opt_in", "legitimate_interest", "express"))
            category = self.chance.choice(("none", "alcohol"))
            if said["basis"] == "soft_opt_in":  # what else is granted is not granted for some goods
                said["category"] = category
        if self.chance.random() < 0.05:
            said["expires"] = NOW + timedelta(days=self.chance.choice((-10, 0, 10)))
        if self.chance.random() < 0.05:
            said["purpose"] = self.chance.choice(("marketing", "transactional", "profiling", "sale_or_share"))
        self.facts.append(said | self._when())

    def _text(self, records: list[dict[str, Any]]) -> None:
        number = self.chance.choice(records)["phone"] or PHONES[0]
        said = {"fact": "text", "identifier": number, "sender": self.chance.choice(SENDERS)}
        self.facts.append(said | {"body": self.chance.choice(BODIES)} | self._when(known=True))

    def _evidence(self, record: dict[str, Any], kind: str, level: int, value: str | None) -> dict[str, Any]:
        told = {"fact": "age", "platform": record["platform"], "record": record["record"], "kind": kind}
        told |= {"level": level, "value": value}
        if self.chance.random() < 0.6:
            told["bound_name"] = record["name"] if self.chance.random() < 0.9 else "Kim Roe"
        if self.chance.random() < 0.6:
            told["bound_identifier"] = record["email"]
        return told | self._when(known=self.chance.random() < 0.95)

    def _age(self, records: list[dict[str, Any]]) -> None:
        record, kind = self.chance.choice(records), self.chance.choice(("dob", "dob", "over", "over", "under", "fail"))
        told = self._evidence(record, kind, self.chance.randint(1, 5), self.chance.choice(BIRTH_DATES))
        if kind in ("over", "under"):
            told["threshold"] = self.chance.choice((18, 18, 19, 21, 25))
        if self.chance.random() < 0.15:
            tag = self.chance.choice(("Age Verified", "Age Not Verified", "Age Verification Failed", "21+", "vip"))
            told |= {"kind": "tag", "value": tag, "level": None, "platform": "shopify", "record": records[0]["record"]}
        self.facts.append(told)

    def _order(self, records: list[dict[str, Any]]) -> None:
        record = self.chance.choice(records)
        done: dict[str, Any] = {"fact": "event", "platform": record["platform"], "record": record["record"]}
        done |= {"identifier": record["email"], "person_name": self.chance.choice((record["name"], None, "Kim Roe"))}
        done["name"] = self.chance.choice(("order_placed",) * 5 + ("login", "inquiry", "account_takeover"))
        if self.chance.random() < 0.25:
            done["country"], done["region"], _ = self.chance.choice(PLACES[:-1])
        self.facts.append(done | self._when(known=True))

    def _scrub(self, records: list[dict[str, Any]]) -> None:
        registry = self.chance.choice(REGISTRIES)
        record, at = self.chance.choice(records), self._instant()
        found: dict[str, Any] = {"fact": "scrub", "registry": registry, "at": at, "recorded": min(at, NOW)}
        if registry in REGISTRIES[2:]:
            found["identifier"] = record["phone"] or PHONES[0]
        else:
            found["identifier"] = self.chance.choice((record["email"], record["phone"] or PHONES[0], "@example.com"))
        found["result"] = "disconnected" if registry == REGISTRIES[3] else self.chance.choice(("listed", "clear"))
        if found["result"] != "clear":
            found["since"] = (at - timedelta(days=self.chance.choice((1, 30, 31, 300)))).date()
        self.facts.append(found)

    def _contact(self, _: list[dict[str, Any]]) -> None:
        at = NOW - timedelta(hours=self.chance.choice((1, 47, 48, 49, 500)))
        platform = self.chance.choice(("klaviyo", "shopify", "mailchimp"))
        found = {"fact": "contact", "platform": platform, "object": "customers", "schedule_seconds": 86_400}
        self.facts.append(found | {"at": at, "recorded": at})

    def _link(self, records: list[dict[str, Any]]) -> None:
        named = sorted({f"{one['platform']}:main:{one['record']}" for one in records})
        if len(named) < 2 or self.alone:
            return
        link: dict[str, Any] = {"fact": "link", "records": tuple(self.chance.sample(named, 2))}
        link["reason"] = self.chance.choice(("authenticated", "platform_merge", "by_hand"))
        link |= self._when(known=True)
        if self.chance.random() < 0.4:
            link["retracted"] = min(link["recorded"] + timedelta(days=self.chance.choice((1, 15))), NOW)
        self.facts.append(link)

    def _write(self, records: list[dict[str, Any]]) -> None:
        """A write of ours, and what the platform then says of it."""
        state, value = self.chance.choice((("withdrawn", "UNSUBSCRIBED"), ("granted", "SUBSCRIBED")))
        address, at = self.chance.choice(records)["email"], self._instant()
        ours = {"fact": "write", "platform": "klaviyo", "identifier": address, "channel": "email", "state": state}
        echo = {"fact": "status", "platform": "klaviyo", "field": "consent", "value": value, "channel": "email"}
        place = len(self.facts)
        self.facts.append(ours | {"at": at, "recorded": at})
        echo |= {"identifier": address, "write": f"f{place}", "actor": "integration"}
        self.facts.append(echo | {"at": at + timedelta(minutes=1), "recorded": at + timedelta(minutes=2)})
        if state == "withdrawn" and self.chance.random() < 0.5:
            later = timedelta(seconds=self.chance.choice((-11, -10, 1, 900, 901)))
            block = {"fact": "status", "platform": "klaviyo", "field": "suppression", "value": "USER_SUPPRESSED"}
            told = {"channel": "email", "identifier": address, "at": at + later, "recorded": at + timedelta(hours=1)}
            self.facts.append(block | told)

    def _reviews(self) -> None:
        for held in [fact for fact in self.facts if fact["fact"] == "text"]:
            if self.chance.random() < 0.3:
                verdict = self.chance.choice(("stop", "no_stop"))
                read = {"fact": "review", "of": held["id"], "verdict": verdict, "actor": "sam", "reason": "read"}
                recorded = min(held["recorded"] + timedelta(days=2), NOW)
                self.facts.append({"id": f"f{len(self.facts)}", **read, "recorded": recorded})

    # -- questions -----------------------------------------------------------------------------------------------------

    def _questions(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for _ in range(self.chance.randint(2, 5)):
            record = self.chance.choice(records)
            channel = self.chance.choice(("email",) * 7 + ("sms",) * 3 + ("whatsapp", "ads_audience"))
            identifier = record["email"] if channel in ("email", "ads_audience") else record["phone"]
            asked: dict[str, Any] = {"channel": channel, "identifier": identifier or PHONES[0]}
            asked["record"] = f"{record['platform']}:main:{record['record']}"
            asked["category"] = self.chance.choice(CATEGORIES)
            asked["topic"] = self.chance.choice(TOPICS)
            asked["sender"] = self.chance.choice(("any", "any", *SENDERS))
            if self.chance.random() < 0.12:
                asked |= {"purpose": "transactional", "category": "none"}
            if self.chance.random() < 0.3:
                asked["as_of"] = self._instant() + self.chance.choice((timedelta(), timedelta(days=1)))
            if self.chance.random() < 0.2:
                asked["known_at"] = self.chance.choice((NOW, self._instant()))
            found.append(asked)
        return found
