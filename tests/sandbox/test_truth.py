"""The oracle on people made by hand, one rule at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.facts import Block, Facts, Line, Order, Person, Record, Statement, Tag
from sandbox.truth import Outcome, Truth

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMAIL, PHONE = "ada@example.com", "+14155550123"
SECOND = timedelta(seconds=1)


def days(number: float) -> timedelta:
    return timedelta(days=number)


def order(at: datetime, total: str = "20.00", currency: str = "USD", **given: Any) -> Order:
    sku = given.pop("sku", "TEA-0101")
    status = given.pop("status", "paid")
    given = {"country": "US", **given}
    return Order("1", "1", at, at, total, currency, status, [Line(sku, "A thing", 1, total)], **given)


def said(state: str, at: datetime, channel: str = "email", identifier: str = EMAIL) -> Statement:
    return Statement(channel, identifier, state, at, "shopify")


def person(**given: Any) -> Person:
    """Ada, with a customer record at the shop and a profile at the mailer, who granted e-mail and texts long ago."""
    ada = Person("p1", "Ada", "Chen", "by hand")
    ada.records = [
        Record("shopify", "11", " Ada@Example.com ", "+1 (415) 555-0123", NOW - days(900), "US", "CA"),
        Record("klaviyo", "K1", EMAIL, PHONE, NOW - days(900)),
    ]
    ada.statements = [said("granted", NOW - days(800)), said("granted", NOW - days(800), "sms", PHONE)]
    for name, value in given.items():
        setattr(ada, name, value)
    return ada


def judge(audience: str, who: Person, as_of: datetime = NOW) -> Outcome | None:
    return Truth(Facts(0, NOW, {who.person: who}, []), as_of).outcomes(audience).get(who.person)


def reason(audience: str, who: Person, as_of: datetime = NOW) -> str | None:
    outcome = judge(audience, who, as_of)
    return outcome.reason if outcome else None


def members(audience: str, who: Person) -> dict[str, set[str]]:
    return Truth(Facts(0, NOW, {who.person: who}, []), NOW).expected_members(audience)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (NOW - days(30), True),
        (NOW - days(30) - SECOND, False),
        (NOW - SECOND, True),
        (NOW, False),
        (NOW + SECOND, False),
    ],
)
def test_the_window_of_recent_buyers_is_half_open(at: datetime, inside: bool) -> None:
    assert (reason("recent_buyers", person(orders=[order(at)])) == "ok") is inside


@pytest.mark.parametrize(("at", "lapsed"), [(NOW - days(180), False), (NOW - days(180) - SECOND, True)])
def test_who_bought_180_days_ago_to_the_second_has_not_lapsed(at: datetime, lapsed: bool) -> None:
    assert (reason("lapsed_customers", person(orders=[order(at)])) == "ok") is lapsed


@pytest.mark.parametrize("void", [{"status": "voided"}, {"status": "refunded"}, {"cancelled_at": NOW - days(1)}])
def test_orders_taken_back_do_not_count(void: dict[str, Any]) -> None:
    assert reason("recent_buyers", person(orders=[order(NOW - days(2), **void)])) is None


def test_the_time_of_an_order_is_when_it_was_processed() -> None:
    imported = order(NOW - days(45))
    imported.created_at = NOW - days(5)
    assert reason("recent_buyers", person(orders=[imported])) is None


@pytest.mark.parametrize(
    ("total", "currency", "inside"),
    [("500.00", "USD", True), ("499.99", "USD", False), ("700.00", "CAD", True), ("699.99", "CAD", False),
     ("400.00", "GBP", True), ("399.99", "GBP", False)],
)  # fmt: skip
def test_high_spenders_reach_the_threshold_of_their_currency(total: str, currency: str, inside: bool) -> None:
    spender = person(orders=[order(NOW - days(10), total, currency)])
    assert (reason("high_spenders", spender) == "ok") is inside


def test_currencies_are_never_added_up() -> None:
    spender = person(orders=[order(NOW - days(10), "499.99", "USD"), order(NOW - days(9), "699.99", "CAD")])
    assert reason("high_spenders", spender) is None


@pytest.mark.parametrize(
    ("later", "expected"),
    [("withdrawn", "withdrawn"), ("granted_confirmed", "ok"), ("pending", "pending")],
)
def test_the_latest_statement_wins(later: str, expected: str) -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.statements.append(said(later, NOW - days(1)))
    assert reason("recent_buyers", buyer) == expected


@pytest.mark.parametrize("states", [("granted", "withdrawn"), ("withdrawn", "granted")])
def test_a_withdrawal_wins_a_tie(states: tuple[str, str]) -> None:
    buyer = person(orders=[order(NOW - days(2))], statements=[said(state, NOW - days(5)) for state in states])
    assert reason("recent_buyers", buyer) == "withdrawn"


def test_silence_is_no_consent() -> None:
    assert reason("recent_buyers", person(orders=[order(NOW - days(2))], statements=[])) == "no_grant"


def test_a_stop_by_text_leaves_mail_alone() -> None:
    buyer = person(orders=[order(NOW - days(2)), order(NOW - days(400))])
    buyer.statements.append(said("withdrawn", NOW - days(1), "sms", PHONE))
    assert reason("recent_buyers", buyer) == "ok"


def test_a_statement_made_later_is_not_known_yet() -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.statements.append(said("withdrawn", NOW - timedelta(hours=1)))
    assert reason("recent_buyers", buyer, NOW - timedelta(hours=2)) == "ok"


@pytest.mark.parametrize("kind", ["invalid_address", "hard_bounce", "spam_complaint", "manual_block"])
def test_a_block_outranks_any_consent(kind: str) -> None:
    buyer = person(orders=[order(NOW - days(2))], blocks=[Block(EMAIL, kind, NOW - days(50))])
    buyer.statements.append(said("granted_confirmed", NOW - days(1)))
    assert reason("recent_buyers", buyer) == kind


def test_an_address_that_is_none_is_no_identifier() -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.records = [Record("shopify", "11", "ada@", None, NOW - days(900), "US", "CA")]
    assert reason("recent_buyers", buyer) == "no_identifier"


def test_the_erased_are_out_for_that_reason_first() -> None:
    erased = person(orders=[order(NOW - days(2))], erased_at=NOW - days(1), statements=[])
    assert reason("recent_buyers", erased) == "erased"


def test_only_records_with_the_good_address_are_members() -> None:
    """A person with two addresses is reached at the one that consented, on every record that bears it."""
    buyer = person(orders=[order(NOW - days(2))])
    buyer.records.append(Record("klaviyo", "K2", "other@example.org", PHONE, NOW - days(900)))
    buyer.records.append(Record("shopify", "12", "other@example.org", None, NOW - days(900)))
    buyer.statements.append(said("withdrawn", NOW - days(3), identifier="other@example.org"))
    assert members("recent_buyers", buyer) == {"klaviyo": {"K1"}, "shopify": {"11"}, "hubspot": set()}


def test_a_contact_with_an_address_of_its_own_is_reached_by_its_own_consent() -> None:
    guest = person(registrations=[NOW - days(5)], registrant_id="r1")
    guest.records.append(Record("hubspot", "151", "ada-chen@example.net", None, NOW - days(900)))
    assert members("webinar_follow_up", guest) == {"klaviyo": {"K1"}, "hubspot": set()}
    guest.statements.append(said("granted", NOW - days(3), identifier="ada-chen@example.net"))
    assert members("webinar_follow_up", guest) == {"klaviyo": {"K1"}, "hubspot": {"151"}}
    guest.statements.append(said("withdrawn", NOW - days(2)))
    assert members("webinar_follow_up", guest) == {"klaviyo": set(), "hubspot": {"151"}}


def vaper(**given: Any) -> Person:
    tags = given.pop("tags", "")
    place = given.pop("place", "US")
    return person(orders=[order(NOW - days(9), sku="VAPE-1001", tags=tags, country=place)], **given)


def born(text: str) -> list[Record]:
    return [Record("shopify", "11", EMAIL, PHONE, NOW - days(900), "US", "CA", birth_date=text)]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (vaper(tags="Age Verified"), "ok"),
        (vaper(tags="gift, Age Verified"), "ok"),
        (vaper(tags="age verified"), "age_no_evidence"),
        (vaper(tags="Age Not Verified"), "age_no_evidence"),
        (vaper(tags="Age Verification Not Required"), "age_no_evidence"),
        (vaper(), "age_no_evidence"),
        (vaper(records=born("1990-05-01")), "age_level_low"),
        (vaper(tags="Age Verified", records=born("1990-05-01")), "ok"),
        (vaper(tags="Age Verified", records=born("2005-11-22")), "ok"),
        (vaper(tags="Age Verified", records=born("2005-11-23")), "under_age"),
        (vaper(records=born("2010-01-01")), "under_age"),
        (vaper(tags="Age Verified", place="GB"), "category_prohibited_on_channel"),
        (vaper(tags="Age Verified", place="CA"), "category_prohibited_on_channel"),
    ],
)
def test_vape_needs_proof_of_age_in_the_united_states(who: Person, expected: str) -> None:
    assert reason("vape_buyers_of_age", who) == expected


def test_the_newest_order_says_where_a_person_is() -> None:
    moved = vaper(tags="Age Verified")
    moved.orders.append(order(NOW - days(2), country="GB"))
    assert reason("vape_buyers_of_age", moved) == "category_prohibited_on_channel"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([Record("shopify", "11", EMAIL, None, NOW, "GB", "ENG")], "GB"),
        ([Record("shopify", "11", EMAIL, None, NOW), Record("klaviyo", "K1", EMAIL, None, NOW, "CA", "ON")], "CA"),
        ([Record("shopify", "11", EMAIL, "+1 415 555 0123", NOW)], "US"),
        ([Record("shopify", "11", EMAIL, "+14165550123", NOW)], "CA"),
        ([Record("shopify", "11", EMAIL, "+447400123456", NOW)], "GB"),
        ([Record("shopify", "11", EMAIL, None, NOW)], None),
    ],
)
def test_without_an_address_on_orders_the_next_best_place_counts(records: list[Record], expected: str | None) -> None:
    who = vaper(tags="Age Verified", place=None, records=records)
    assert Truth(Facts(0, NOW, {"p1": who}, []), NOW).country(who) == expected


def test_an_unknown_place_is_a_reason() -> None:
    nowhere = vaper(tags="Age Verified", place=None, records=[Record("shopify", "11", EMAIL, None, NOW)])
    assert reason("vape_buyers_of_age", nowhere) == "jurisdiction_unknown"


@pytest.mark.parametrize(
    ("bought", "expected"),
    [(NOW - days(5), "left"), (NOW - days(4), "left"), (NOW - days(5) - SECOND, "ok"), (NOW + SECOND, "ok")],
)
def test_buying_at_or_after_the_registration_leaves_the_follow_up(bought: datetime, expected: str) -> None:
    assert reason("webinar_follow_up", person(registrations=[NOW - days(5)], orders=[order(bought)])) == expected


def test_even_a_cancelled_order_leaves_the_follow_up() -> None:
    guest = person(registrations=[NOW - days(5)], orders=[order(NOW - days(2), cancelled_at=NOW - days(1))])
    assert reason("webinar_follow_up", guest) == "left"


@pytest.mark.parametrize(
    ("tag", "at", "expected"),
    [
        ("Buyer", NOW - days(5), "left"),
        ("buyer", NOW - days(1), "left"),
        ("Buyer", NOW - days(5) - SECOND, "ok"),
        ("Buyer", NOW, "ok"),
        ("Gold Buyer", NOW - days(1), "ok"),
    ],
)
def test_the_tag_buyer_at_or_after_the_registration_leaves_the_follow_up(tag: str, at: datetime, expected: str) -> None:
    guest = person(registrations=[NOW - days(5)], tags=[Tag(tag, at)])
    assert reason("webinar_follow_up", guest) == expected


def test_since_is_the_first_registration_inside_the_window() -> None:
    guest = person(registrations=[NOW - days(20), NOW - days(3)], orders=[order(NOW - days(10))])
    assert reason("webinar_follow_up", guest) == "ok"


def test_the_funnel_narrows_step_by_step() -> None:
    unreachable = vaper(records=[Record("shopify", "1", "x", None, NOW)])
    people = [vaper(tags="Age Verified"), vaper(), vaper(statements=[]), unreachable]
    for number, who in enumerate(people):
        who.person = f"p{number}"
    truth = Truth(Facts(0, NOW, {who.person: who for who in people}, []), NOW)
    expected = {"interested": 4, "identified": 3, "consented": 2, "of_age": 1, "accepted": 1}
    assert truth.funnel("vape_buyers_of_age") == expected


@pytest.mark.parametrize(
    ("bought", "inside"), [(days(1), True), (days(12), False), (days(10), True)], ids=["since", "before", "same second"]
)
def test_a_registrant_who_buys_is_told_to_the_webinar_host_whatever_they_granted(
    bought: timedelta, inside: bool
) -> None:
    ada = person(registrations=[NOW - days(10)], orders=[order(NOW - bought)], registrant_id="007", statements=[])
    assert members("webinar_buyers", ada) == {"aevent": {"007"} if inside else set()}


def test_the_erased_are_told_to_nobody() -> None:
    bought = {"registrations": [NOW - days(10)], "orders": [order(NOW - days(1))], "registrant_id": "007"}
    assert members("webinar_buyers", person(erased_at=NOW - days(1), **bought)) == {"aevent": set()}
