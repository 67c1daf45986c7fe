"""Blocks by hand in the warehouse: decisions keep them, scope by scope, until a lift ends them."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.dbt.conftest import Build
from tests.dbt.raw import Raw, ago


def act(raw: Raw, kind: str, identifier: str, at: datetime, channel: str = "*", topic: str = "*") -> None:
    """Land one act by hand, as the commands do."""
    number = next(raw.counter)
    item = {
        "id": f"act{number}:0", "act": kind, "identifier_type": "email" if "@" in identifier else "phone",
        "identifier": identifier, "channel": channel, "topic": topic, "actor": "jo", "reason": "because",
        "at": at.isoformat(),
    }  # fmt: skip
    raw.webhook("audiences", kind, {"items": [item]}, record_id=f"act{number}", received_at=at, landing_id=f"l{number}")


def written(raw: Raw, platform: str, email: str, at: datetime) -> None:
    """Land that a platform has accepted a withdrawal because of a block by hand, as the speed lane does."""
    number = next(raw.counter)
    item = {
        "id": f"act{number}:0", "act": "written", "identifier_type": "email", "identifier": email,
        "channel": "email", "platform": platform, "account": "main", "at": at.isoformat(),
    }  # fmt: skip
    raw.webhook("audiences", "written", {"items": [item]}, record_id=f"act{number}", received_at=at)


def reasons(copy: Build, email: str, channel: str) -> set[str]:
    rows = copy.rows(
        "select unnest(decisions.reason_codes) from marts.decisions as decisions"
        " inner join marts.questions as questions using (question_id)"
        " inner join marts.person_suppression_keys as keys using (person_id)"
        f" where list_contains(keys.suppression_keys, 'email:{email}') and questions.channel = '{channel}'"
    )
    return {code for (code,) in rows}


def test_a_block_stands_on_what_it_names_until_it_is_lifted(copy: Build) -> None:
    people = ("whole", "mail", "topic", "lifted", "again", "own")
    echoed = {"echo": 0, "later": 24 * 60, "before": -1}  # minutes between our write and the statement
    with copy.raw() as raw:
        for number, (name, minutes) in enumerate(echoed.items(), 9101):
            customer = (number, f"{name}@hand.example", f"+1415555{number}")
            raw.customer(*customer, extracted_at=ago(days=5))
            act(raw, "suppress", f"{name}@hand.example", ago(days=3))
            written(raw, "shopify", f"{name}@hand.example", ago(days=3))
            shown = ago(days=3) + timedelta(minutes=minutes)
            stopped = {"state": "unsubscribed", "opt_in_level": None, "consent_updated_at": shown.isoformat()}
            raw.customer(*customer, email_consent=stopped, updated_at=shown, extracted_at=ago(hours=2))
            act(raw, "lift", f"{name}@hand.example", ago(days=1))
        for number, name in enumerate(people, 9001):
            raw.customer(number, f"{name}@hand.example", f"+1415555{number}")
        act(raw, "suppress", "whole@hand.example", ago(days=3))
        act(raw, "suppress", "mail@hand.example", ago(days=3), channel="email")
        act(raw, "suppress", "topic@hand.example", ago(days=3), topic="a topic nobody asks about")
        act(raw, "suppress", "lifted@hand.example", ago(days=3))
        act(raw, "lift", "lifted@hand.example", ago(days=2))
        act(raw, "suppress", "again@hand.example", ago(days=3))
        act(raw, "lift", "again@hand.example", ago(days=2))
        act(raw, "suppress", "+14155559005", ago(days=1), channel="sms")
        act(raw, "suppress", "nobody@hand.example", ago(days=3))
        raw.build(2)
    assert copy.run() == set()
    blocked = {(name, channel): "manual_block" in reasons(copy, f"{name}@hand.example", channel)
               for name in people for channel in ("email", "sms")}  # fmt: skip
    assert {place for place, is_blocked in blocked.items() if is_blocked} == {
        ("whole", "email"), ("whole", "sms"), ("mail", "email"), ("again", "sms"),
    }  # fmt: skip
    assert reasons(copy, "lifted@hand.example", "email") >= {"ok"}
    assert reasons(copy, "echo@hand.example", "email") >= {"ok"}, "what we wrote there is no statement of the person"
    for theirs in ("later", "before"):
        assert "withdrawn" in reasons(copy, f"{theirs}@hand.example", "email"), "what they did there themselves is"
    absorbed = copy.values("select landing_id from marts.absorbed_landings where landing_id like 'l%'")
    landed = copy.values("select landing_id from raw_audiences.webhooks where topic <> 'written'")
    assert landed <= absorbed, "the gate lets go of what these decisions know"
    shown = copy.rows(
        "select event_name, properties ->> '$.actor' from marts.customer_events"
        " where email = 'lifted@hand.example' order by occurred_at"
    )
    assert shown == [("blocked_by_hand", "jo"), ("block_lifted", "jo")]
    assert copy.values("select source from intermediate.suppressions where platform = 'audiences'") == {
        "by hand: jo: because"
    }
