"""Input that is broken, half there, huge or odd makes nobody eligible; beside it stands somebody who is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.deciding.cases import Case
from orchestration.home import Home
from tests.deciding.agreement import answers

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 10, 12, 0, tzinfo=UTC)
LATELY = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MAIL, NUMBER = "jane@example.com", "+12135550142"
SHARERS, EVENTS = 100_000, 10_000
Told = dict[str, Any]


def record(**told: Any) -> Told:
    known: Told = {"fact": "record", "id": "jane", "platform": "shopify", "record": "jane", "email": MAIL}
    known |= {"phone": NUMBER, "name": "Jane Roe", "country": "US", "region": "CA", "at": LONG_AGO}
    return known | {"time_zone": "America/Los_Angeles"} | told


def grant(identifier: str | None = MAIL, channel: str = "email", **told: Any) -> Told:
    known: Told = {"fact": "status", "id": f"grant-{channel}", "platform": "klaviyo", "identifier": identifier}
    known |= {"field": "consent", "value": "SUBSCRIBED", "detail": "true", "channel": channel, "at": LONG_AGO}
    return known | {"actor": "customer", "method": "double_opt_in", "evidence": True} | told


def opt_out(identifier: str | None = MAIL, channel: str = "email", **told: Any) -> Told:
    known: Told = {"fact": "status", "id": "left", "platform": "klaviyo", "identifier": identifier, "at": LATELY}
    return known | {"field": "consent", "value": "UNSUBSCRIBED", "channel": channel} | told


def proof(value: str | None = "1990-05-01", **told: Any) -> Told:
    known: Told = {"fact": "age", "id": "proof", "platform": "shopify", "record": "jane", "kind": "dob", "level": 4}
    return known | {"value": value, "at": LONG_AGO, "bound_name": "Jane Roe", "bound_identifier": MAIL} | told


def order(**told: Any) -> Told:
    known: Told = {"fact": "event", "id": "order", "platform": "shopify", "record": "jane", "name": "order_placed"}
    return known | {"person_name": "Jane Roe", "at": LATELY} | told


def scrubs() -> list[Told]:
    names = ("child_protection_utah", "child_protection_michigan")
    return [{"fact": "scrub", "id": name, "registry": name, "at": NOW - timedelta(days=1)} for name in names]


def world(*facts: Told, asks: Sequence[str] = ("E",), **question: Any) -> Case:
    questions = [{"ask": ask, "identifier": NUMBER if ask[0] == "S" else MAIL} | question for ask in asks]
    return Case.model_validate({"id": "case", "as_of": NOW, "facts": list(facts), "questions": questions})


def changed(changes: Mapping[str, Told], asks: Sequence[str], *more: Told, **question: Any) -> Case:
    """The person of the control with other facts: `changes` by id, a `None` among them taken away."""
    usual = [record(), grant(), grant(NUMBER, "sms"), proof(), order(), *scrubs()]
    return world(*(fact | changes.get(fact["id"], {}) for fact in usual), *more, asks=asks, **question)


ALL = ("E", "S", "E:alcohol")
CONTROL = changed({}, ALL)
ODD_NAMES = ("جين رو", "🎉 Jane 🎉", "ג'יין רו", "Jane\u202eRoe", "N̈amé", "'; drop table decisions; --")  # noqa: RUF001
HIDDEN = ("jane\u200b@example.com", "\ufeffjane@example.com", "jane\u00ad@example.com", "jane@exa\u200dmple.com")
IMPOSSIBLE = ("1990-02-30", "1990-13-01", "0000-00-00", "9999-12-31", "2026-11-23", "1066-10-14", "31/31/1990")
NO_DATES = ("yes", "", " ", "1990-05-01; drop table", "𝟙𝟡𝟡𝟘", "NaN", "-1", "1e9", "١٩٩٠-٠٥-٠١")  # noqa: RUF001
BAD_VALUES = ("", " ", "SUBSCRIBED ", "Subscribed", "TRUE", "null", "🎉", "SUBSCRIBED\u200b", "1", "ok")

#: Each with questions that must all be answered no.
REFUSED: dict[str, Case] = {
    **{
        f"a birth date of {value!r}": changed({"proof": {"value": value}}, ["E:alcohol"])
        for value in (*IMPOSSIBLE, *NO_DATES)
    },
    "a proof of no value": changed({"proof": {"value": None}}, ["E:alcohol"]),
    "an OVER of no age": changed({"proof": {"kind": "over", "value": None, "threshold": None}}, ["E:alcohol"]),
    **{
        f"a consent of {value!r}": changed({"grant-email": {"value": value}, "grant-sms": {"value": value}}, ["E", "S"])
        for value in BAD_VALUES
    },
    "a platform that nobody knows": changed({"grant-email": {"platform": "newcomer", "detail": "*"}}, ["E"]),
    "a field that nobody knows": changed({"grant-email": {"field": "consents"}}, ["E"]),
    "a refresh that broke off before the grant": changed(
        {}, ["E", "S"], opt_out(), opt_out(NUMBER, "sms", id="left-2")
    ),
    "a later page that shows the record without its columns": changed(
        {},
        ["E"],
        opt_out(),
        record(
            id="emptied",
            email=None,
            phone=None,
            name=None,
            country=None,
            region=None,
            time_zone=None,
            at=LATELY + timedelta(days=1),
        ),
    ),
    "a record that is gone from the last page": changed(
        {}, ["E"], opt_out(), record(id="gone", deleted=True, at=LATELY)
    ),
    "an opt-out that names nobody's column": changed(
        {}, ["E"], opt_out(None, record="jane", platform="shopify", value="unsubscribed")
    ),
    "a grant from a clock that runs ahead": changed(
        {"grant-email": {"at": LATELY + timedelta(days=9), "recorded": LATELY - timedelta(days=1)}}, ["E"], opt_out()
    ),
    "a grant of the year 2999": changed(
        {"grant-email": {"at": datetime(2999, 1, 1, tzinfo=UTC), "recorded": LATELY}},
        ["E"],
        opt_out(at=LATELY, recorded=NOW),
    ),
    "an opt-out of the year 1": changed({}, ["E"], opt_out(at=datetime(1, 1, 1, tzinfo=UTC), recorded=LATELY)),
    "a grant without any time": changed({"grant-email": {"at": None, "recorded": NOW}}, ["E"], opt_out()),
    **{f"an opt-out under {name!r}": changed({"jane": {"name": name}}, ["E"], opt_out()) for name in ODD_NAMES},
    **{f"an opt-out of {address!r}": changed({}, ["E"], opt_out(address)) for address in HIDDEN},
    **{
        f"a grant to {address!r}": changed(
            {"jane": {"email": address}, "grant-email": {"identifier": address}}, ["E"], identifier=address
        )
        for address in HIDDEN
    },
    "a country that nobody knows": changed({"jane": {"country": "Atlantis", "phone": None}}, ["E:alcohol", "E"]),
    "a country of no letters": changed({"jane": {"country": "🏴", "phone": None}}, ["E"]),
    "a person without any column": world(
        {"fact": "record", "id": "x", "platform": "shopify", "record": "x", "at": LATELY}
    ),
    "an opt-out among ten thousand events": changed(
        {},
        ["E"],
        opt_out(),
        *(order(id=f"order-{number}", at=LONG_AGO + timedelta(minutes=number)) for number in range(EVENTS)),
    ),
    "a minor among ten thousand events": changed(
        {"proof": {"value": "2012-05-01"}},
        ["E:alcohol"],
        *(order(id=f"order-{number}", at=LONG_AGO + timedelta(minutes=number)) for number in range(EVENTS)),
    ),
}
#: Odd, and no reason to refuse.
ALLOWED: dict[str, Case] = {
    "the control": CONTROL,
    **{
        f"the name {name!r}": changed(
            {"jane": {"name": name}, "proof": {"bound_name": name}, "order": {"person_name": name}}, ALL
        )
        for name in ODD_NAMES
    },
    "ten thousand events": changed(
        {}, ALL, *(order(id=f"order-{number}", at=LONG_AGO + timedelta(minutes=number)) for number in range(EVENTS))
    ),
}


@pytest.fixture(scope="module")
def decided(home: Home) -> Mapping[str, Sequence[Any]]:
    named = {**REFUSED, **ALLOWED, "shared": _shared()}
    return dict(zip(named, answers(home, list(named.values())), strict=True))


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_odd_and_not_wrong_keeps_nobody_out(decided: Mapping[str, Sequence[Any]], name: str) -> None:
    assert [answer.reason_codes for answer in decided[name]] == [["ok"]] * len(ALLOWED[name].questions)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_makes_nobody_eligible(decided: Mapping[str, Sequence[Any]], name: str) -> None:
    assert [answer.eligible for answer in decided[name]] == [False] * len(REFUSED[name].questions)


def test_an_address_on_a_hundred_thousand_records_joins_nobody_and_one_opt_out_closes_it_for_all(
    decided: Mapping[str, Sequence[Any]],
) -> None:
    shared, first_own, last_own = decided["shared"]
    assert "withdrawn" in shared.reason_codes
    assert first_own.eligible
    assert last_own.eligible


def _shared() -> Case:
    """One opt-out from an address on a hundred thousand records, two of which have a number with consent besides."""
    address, last = "everybody@example.com", SHARERS - 1
    numbers = {0: "+12135550142", last: "+12135550143"}
    many = [
        record(id=f"r{place}", record=f"r{place}", email=address, phone=numbers.get(place), name=f"Name {place}")
        for place in range(SHARERS)
    ]
    given = [grant(address), *(grant(number, "sms", id=f"grant-{number}") for number in numbers.values())]
    asked = [{"ask": "E", "identifier": address, "record": "shopify:main:r0"}]
    asked += [
        {"ask": "S", "identifier": number, "record": f"shopify:main:r{place}"} for place, number in numbers.items()
    ]
    told = {"id": "shared", "as_of": NOW, "facts": [*many, *given, opt_out(address)], "questions": asked}
    return Case.model_validate(told)
