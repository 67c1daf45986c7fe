"""What a withdrawal ends is what the seed `scope_lattice` says its scope covers: the models write that out in SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.deciding.cases import Case
from orchestration.home import Home
from tests.dbt.test_seeds import seed
from tests.deciding.agreement import answers

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
LONG_AGO, LATELY = datetime(2025, 1, 10, 12, 0, tzinfo=UTC), datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MAIL, NUMBER, OURS, OTHER = "jane@example.com", "+12135550142", "+12135550100", "+12135550101"
Told = dict[str, Any]
#: A withdrawal of texts of each scope that platforms tell.
WITHDRAWALS: dict[str, Told] = {
    "all_channels": {"platform": "salesforce", "field": "HasOptedOutSolicit", "value": "true"},
    "channel_all": {"platform": "klaviyo", "field": "consent", "value": "UNSUBSCRIBED", "channel": "sms"},
    "brand": {
        "platform": "hubspot", "field": "consent", "value": "all mail=UNSUBSCRIBED", "detail": "BUSINESS_UNIT_WIDE",
        "channel": "sms",
    },
    "topic": {"platform": "hubspot", "field": "consent", "value": "UNSUBSCRIBED", "channel": "sms", "topic": "wine"},
    "sender": {
        "platform": "klaviyo", "field": "consent", "value": "UNSUBSCRIBED", "channel": "sms", "sender": OURS,
    },
}  # fmt: skip
#: A question that only a withdrawal of at least this scope may close.
ASKED: dict[str, Told] = {
    "all_channels": {"ask": "E", "identifier": MAIL},
    "channel_all": {"ask": "S", "identifier": NUMBER, "sender": OTHER, "topic": "news"},
    "topic": {"ask": "S", "identifier": NUMBER, "sender": OTHER, "topic": "wine"},
    "sender": {"ask": "S", "identifier": NUMBER, "sender": OURS, "topic": "news"},
}


def case(scope: str) -> Case:
    record = {"fact": "record", "platform": "shopify", "record": "jane", "email": MAIL, "phone": NUMBER}
    place = {"name": "Jane Roe", "country": "US", "region": "CA", "time_zone": "America/Los_Angeles", "at": LONG_AGO}
    granted = {"fact": "status", "platform": "shopify", "field": "consent", "value": "subscribed", "at": LONG_AGO}
    proven = {"detail": "confirmed_opt_in", "actor": "customer", "evidence": True}
    facts = [
        record | place | {"id": "jane"},
        granted | proven | {"id": "email", "identifier": MAIL, "channel": "email"},
        granted | proven | {"id": "sms", "identifier": NUMBER, "channel": "sms"},
        {"fact": "status", "id": "left", "identifier": NUMBER, "at": LATELY, **WITHDRAWALS[scope]},
    ]
    return Case.model_validate({"id": scope, "as_of": NOW, "facts": facts, "questions": list(ASKED.values())})


@pytest.fixture(scope="module")
def closed(home: Home) -> dict[str, set[str]]:
    answered = answers(home, [case(scope) for scope in WITHDRAWALS])
    codes = [{one: answer.reason_codes for one, answer in zip(ASKED, row, strict=True)} for row in answered]
    assert {code for row in codes for listed in row.values() for code in listed} <= {"ok", "withdrawn", "no_grant"}
    return {
        scope: {one for one, listed in row.items() if "withdrawn" in listed}
        for scope, row in zip(WITHDRAWALS, codes, strict=True)
    }


@pytest.mark.parametrize("scope", WITHDRAWALS)
def test_a_withdrawal_ends_what_its_scope_covers(closed: dict[str, set[str]], scope: str) -> None:
    covered = {row["contains"] for row in seed("scope_lattice") if row["scope"] == scope} & set(ASKED)
    if scope == "brand":  # nothing knows yet which brand a message is of, so that it ends those of every brand
        covered = {row["contains"] for row in seed("scope_lattice") if row["scope"] == "channel_all"} & set(ASKED)
    assert closed[scope] == covered


def test_platforms_tell_no_other_scope_of_a_withdrawal() -> None:
    assert {row["scope"] for row in seed("platform_values") if row["state"] == "withdrawn"} <= set(WITHDRAWALS)
