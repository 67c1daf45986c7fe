"""The oracle on people made by hand, one rule at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.facts import Block, Facts, Line, Order, Person, Receipt, Record, Statement, Tag
from sandbox.rules.places import countries
from sandbox.rules.registries import CHILD_PROTECTION
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
    return Order("1", "11", at, at, total, currency, status, [Line(sku, "A thing", 1, total)], **given)


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


def truth(*people: Person, as_of: datetime = NOW) -> Truth:
    """The truth of a shop that compared the registries yesterday."""
    receipts = [Receipt(registry, NOW - days(1)) for registry in CHILD_PROTECTION]
    return Truth(Facts(0, NOW, {who.person: who for who in people}, [], receipts), as_of)


def judge(audience: str, who: Person, as_of: datetime = NOW) -> Outcome | None:
    return truth(who, as_of=as_of).outcomes(audience).get(who.person)


def reason(audience: str, who: Person, as_of: datetime = NOW) -> str | None:
    outcome = judge(audience, who, as_of)
    return outcome.reason if outcome else None


def members(audience: str, who: Person) -> dict[str, set[str]]:
    return truth(who).expected_members(audience)


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
    [("withdrawn", "withdrawn"), ("granted_confirmed", "ok"), ("pending", "ok")],
)
def test_a_later_opt_out_counts_and_a_later_request_takes_nothing_away(later: str, expected: str) -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.statements.append(said(later, NOW - days(1)))
    assert reason("recent_buyers", buyer) == expected


@pytest.mark.parametrize("states", [("granted", "withdrawn"), ("withdrawn", "granted")])
def test_a_withdrawal_wins_a_tie(states: tuple[str, str]) -> None:
    buyer = person(orders=[order(NOW - days(2))], statements=[said(state, NOW - days(5)) for state in states])
    assert reason("recent_buyers", buyer) == "withdrawn"


def test_silence_is_no_consent() -> None:
    assert reason("recent_buyers", person(orders=[order(NOW - days(2))], statements=[])) == "unknown"


@pytest.mark.parametrize(("later", "expected"), [("granted", "withdrawn"), ("granted_confirmed", "ok")])
def test_only_a_proven_act_lifts_an_opt_out(later: str, expected: str) -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.statements += [said("withdrawn", NOW - days(20)), said(later, NOW - days(10))]
    assert reason("recent_buyers", buyer) == expected


def test_a_stop_by_text_leaves_mail_alone() -> None:
    buyer = person(orders=[order(NOW - days(2)), order(NOW - days(400))])
    buyer.statements.append(said("withdrawn", NOW - days(1), "sms", PHONE))
    assert reason("recent_buyers", buyer) == "ok"


def test_a_statement_made_later_is_not_known_yet() -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.statements.append(said("withdrawn", NOW - timedelta(hours=1)))
    assert reason("recent_buyers", buyer, NOW - timedelta(hours=2)) == "ok"


@pytest.mark.parametrize("kind", ["invalid_address", "hard_bounce", "spam_complaint", "manual_block"])
def test_a_block_outranks_consent_until_a_double_opt_in_where_that_lifts_it(kind: str) -> None:
    buyer = person(orders=[order(NOW - days(2))], blocks=[Block(EMAIL, kind, NOW - days(50))])
    buyer.statements.append(said("granted", NOW - days(1)))
    assert reason("recent_buyers", buyer) == kind
    buyer.statements.append(said("granted_confirmed", NOW - days(1)))
    assert reason("recent_buyers", buyer) == ("manual_block" if kind == "manual_block" else "ok")


def test_an_address_that_is_none_is_no_identifier() -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.records = [Record("shopify", "11", "ada@", None, NOW - days(900), "US", "CA")]
    assert reason("recent_buyers", buyer) == "no_identifier"


def test_the_erased_are_out_for_that_reason_first() -> None:
    erased = person(orders=[order(NOW - days(2))], erased_at=NOW - days(1), statements=[])
    assert reason("recent_buyers", erased) == "erased"


def test_records_that_only_a_number_joins_are_blocked_together_and_sent_to_apart() -> None:
    buyer = person(orders=[order(NOW - days(2))])
    buyer.records.append(Record("klaviyo", "K2", "other@example.org", PHONE, NOW - days(900)))
    buyer.statements.append(said("granted", NOW - days(300), identifier="other@example.org"))
    assert members("recent_buyers", buyer) == {"klaviyo": {"K1"}, "shopify": {"11"}, "hubspot": set()}
    buyer.statements.append(said("withdrawn", NOW - days(3), identifier="other@example.org"))
    assert members("recent_buyers", buyer) == {"klaviyo": {"K1"}, "shopify": {"11"}, "hubspot": set()}
    buyer.statements[-1].platform = "klaviyo"
    assert members("recent_buyers", buyer) == {"klaviyo": set(), "shopify": set(), "hubspot": set()}


def test_a_contact_with_an_address_of_its_own_is_reached_by_its_own_consent() -> None:
    guest = person(registrations=[NOW - days(5)], registrant_id="r1")
    guest.records[1].registrant_id = "r1"
    guest.records.append(Record("hubspot", "151", "ada-chen@example.net", None, NOW - days(900), registrant_id="r1"))
    assert members("webinar_follow_up", guest) == {"klaviyo": {"K1"}, "hubspot": set()}
    guest.statements.append(said("granted", NOW - days(3), identifier="ada-chen@example.net"))
    assert members("webinar_follow_up", guest) == {"klaviyo": {"K1"}, "hubspot": {"151"}}
    guest.statements.append(said("withdrawn", NOW - days(2)))
    assert members("webinar_follow_up", guest) == {"klaviyo": set(), "hubspot": set()}


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
        (vaper(tags="Age Verified", records=born("2003-01-01")), "ok"),
        (vaper(tags="Age Verified", records=born("2005-11-22")), "capacity_void"),
        (vaper(records=born("2005-11-22")), "age_level_low"),
        (vaper(records=born("2005-11-23")), "age_level_low"),
        (vaper(records=born("2010-01-01")), "minor"),
        (vaper(tags="Age Verified", place="GB"), "category_prohibited_on_channel"),
        (vaper(tags="Age Verified", place="CA"), "category_prohibited_on_channel"),
    ],
)
def test_vape_needs_proof_of_age_in_the_united_states(who: Person, expected: str) -> None:
    assert reason("vape_buyers_of_age", who) == expected


def test_every_delivery_of_a_year_says_where_a_person_may_be() -> None:
    moved = vaper(tags="Age Verified")
    moved.orders.append(order(NOW - days(200), country="GB"))
    assert reason("vape_buyers_of_age", moved) == "category_prohibited_on_channel"
    moved.orders[-1].processed_at = NOW - days(400)
    assert reason("vape_buyers_of_age", moved) == "ok"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([Record("shopify", "11", EMAIL, None, NOW, "GB", "ENG")], {"GB"}),
        ([Record("shopify", "11", EMAIL, None, NOW), Record("klaviyo", "K1", EMAIL, None, NOW, "CA", "ON")], {"CA"}),
        ([Record("shopify", "11", EMAIL, "+1 415 555 0123", NOW)], {"US"}),
        ([Record("shopify", "11", EMAIL, "+14165550123", NOW, "US", "NY")], {"US", "CA"}),
        ([Record("shopify", "11", EMAIL, "+447400123456", NOW)], {"GB"}),
        ([Record("shopify", "11", EMAIL, None, NOW)], set()),
    ],
)
def test_whatever_speaks_of_a_place_counts(records: list[Record], expected: set[str]) -> None:
    assert countries(vaper(tags="Age Verified", place=None, records=records), NOW) == expected


def test_an_unknown_place_is_a_reason() -> None:
    nowhere = vaper(tags="Age Verified", place=None, records=[Record("shopify", "11", EMAIL, None, NOW)])
    found = judge("vape_buyers_of_age", nowhere)
    assert found is not None
    assert found.reasons == ["category_prohibited_on_channel", "jurisdiction_unknown"]


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
        for record in who.records:
            record.email, record.phone = (record.email or "").lower().replace("ada", f"ada{number}"), None
        for statement in who.statements:
            statement.identifier = statement.identifier.replace("ada", f"ada{number}")
    expected = {"interested": 4, "identified": 3, "consented": 2, "of_age": 1, "accepted": 1}
    assert truth(*people).funnel("vape_buyers_of_age") == expected


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
