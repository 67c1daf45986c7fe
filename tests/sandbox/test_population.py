"""The generated population: repeatable, complete in its situations, and free of ambiguous ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.facts import Facts, Person, Record, valid_email, valid_phone
from sandbox.hazards import HAZARDS
from sandbox.population import generate
from sandbox.population_data import STOP_WORDS, STORIES
from sandbox.truth import AUDIENCES, REASONS, Truth

AS_OF = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LATER = timedelta(days=26)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return generate(2000, 7, AS_OF)


@pytest.fixture(scope="module")
def plain(facts: Facts) -> list[Person]:
    """Those who are not made to be hard to judge."""
    return [person for person in facts.people.values() if person.story not in HAZARDS]


def test_the_same_seed_size_and_moment_give_the_same_population(facts: Facts) -> None:
    again = generate(2000, 7, AS_OF)
    assert [asdict(person) for person in again.people.values()] == [asdict(p) for p in facts.people.values()]
    assert [asdict(text) for text in again.texts] == [asdict(text) for text in facts.texts]


def test_another_seed_gives_other_people() -> None:
    first, second = generate(50, 1, AS_OF), generate(50, 2, AS_OF)
    assert [asdict(p) for p in first.people.values()] != [asdict(p) for p in second.people.values()]


def test_fewer_than_twenty_people_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        generate(19, 1, AS_OF)


@pytest.mark.parametrize("people", [20, 21, 100])
def test_small_populations_hold_the_first_stories(people: int) -> None:
    told = {person.story for person in generate(people, 5, AS_OF).people.values()}
    assert {name for name, _ in STORIES[: min(people, len(STORIES))]} <= told


def test_every_reason_occurs_at_the_default_size(facts: Facts) -> None:
    truth = Truth(facts, AS_OF)
    outcomes = [outcome for audience in AUDIENCES for outcome in truth.outcomes(audience).values()]
    assert "ok" in {outcome.reason for outcome in outcomes}
    # The registries were compared a few days ago.
    assert {reason for outcome in outcomes for reason in outcome.reasons} == {*REASONS} - {"registry_stale"}
    assert "registry_stale" in {o.reason for o in Truth(facts, AS_OF + LATER).outcomes("vape_buyers_of_age").values()}


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_twenty_people_of_any_seed_fill_every_audience(seed: int) -> None:
    truth = Truth(generate(20, seed, AS_OF), AS_OF)
    assert all(truth.funnel(audience)["accepted"] for audience in AUDIENCES)


def test_nothing_happens_within_two_hours_of_a_window_edge(facts: Facts) -> None:
    orders = [order.processed_at for person in facts.people.values() for order in person.orders]
    registrations = [at for person in facts.people.values() for at in person.registrations]
    for happened, windows in ((orders, (0, 30, 180, 365)), (registrations, (0, 14))):
        edges = [AS_OF - timedelta(days=days) for days in windows]
        assert min(abs(at - edge) for at in happened for edge in edges) >= timedelta(hours=2)


def test_a_grant_after_a_withdrawal_is_always_a_double_opt_in(plain: list[Person]) -> None:
    later = [
        (s.channel, s.state)
        for person in plain
        for withdrawn in (s for s in person.statements if s.state == "withdrawn")
        for s in person.statements
        if (s.channel, s.identifier) == (withdrawn.channel, withdrawn.identifier)
        and s.at > withdrawn.at
        and s.state.startswith("granted")
    ]
    assert set(later) == {("email", "granted_confirmed")}


def test_who_texted_a_stop_word_has_withdrawn_and_never_spoke_again(facts: Facts) -> None:
    withdrawn = {s.identifier for p in facts.people.values() for s in p.statements if s.platform == "twilio"}
    stopped = {text.phone: text.at for text in facts.texts if text.inbound and text.body in STOP_WORDS}
    assert stopped
    assert stopped.keys() <= withdrawn
    assert not [text for text in facts.texts if text.phone in stopped and text.at > stopped[text.phone]]


def test_no_two_people_share_an_address(plain: list[Person]) -> None:
    keys = [
        key
        for person in plain
        for key in {k for r in person.records for k in (valid_email(r.email), valid_phone(r.phone)) if k}
    ]
    assert len(keys) == len(set(keys))


def test_registrants_and_only_they_have_an_id_that_their_contact_carries(facts: Facts) -> None:
    people = list(facts.people.values())
    assert all(bool(person.registrations) is bool(person.registrant_id) for person in people)
    ids = [person.registrant_id for person in people if person.registrant_id]
    assert len(ids) == len(set(ids)) > 100
    assert [text for text in ids if text.isdigit() and text.startswith("0")]
    assert [text for text in ids if text not in (text.lower(), text.upper())]
    for person in people:
        contacts = person.at("hubspot")
        assert contacts or not person.registrant_id
        assert {record.registrant_id for record in contacts} <= {person.registrant_id}
    carried = Counter(r.platform for p in people for r in p.records if r.registrant_id)
    assert 0.4 * len(ids) < carried["klaviyo"] < 0.6 * len(ids)
    assert 0 < carried["shopify"] < 0.15 * len(ids)


def test_more_than_half_of_the_people_are_contacts(facts: Facts) -> None:
    contacts = [person for person in facts.people.values() if person.at("hubspot")]
    assert 0.55 < len(contacts) / len(facts.people) < 0.7


def _keys(records: list[Record]) -> set[str]:
    return {key for r in records for key in (valid_email(r.email), valid_phone(r.phone), r.registrant_id) if key}


def test_every_contact_is_joined_to_its_person_by_something_and_some_by_the_registrant_id_alone(facts: Facts) -> None:
    alone = 0
    for person in facts.people.values():
        elsewhere = [record for record in person.records if record.platform != "hubspot"]
        for contact in person.at("hubspot") if elsewhere else ():
            shared = _keys([contact]) & _keys([r for r in person.records if r is not contact])
            assert shared
            alone += shared == {person.registrant_id}
    assert alone > 20


def test_what_was_said_at_the_crm_leaves_no_doubt(facts: Facts) -> None:
    """A plain grant never follows a withdrawal, and never stands beside a pending request."""
    kinds: Counter[str] = Counter()
    for person in facts.people.values():
        emails = {valid_email(record.email): record for record in person.at("hubspot")}
        for told in (s for s in person.statements if s.platform == "hubspot"):
            said = [s for s in person.statements if (s.channel, s.identifier) == (told.channel, told.identifier)]
            assert told.identifier in emails
            assert not [s for s in said if s.state == "pending"]
            if told.state == "granted":
                assert not [s for s in said if s.state == "withdrawn" and s.at <= told.at]
            kinds[f"{told.state} {emails[told.identifier].opted_out}"] += 1
    assert set(kinds) == {"granted False", "withdrawn False", "withdrawn True"}


def test_records_are_older_than_everything_that_happened_to_them(plain: list[Person]) -> None:
    for person in plain:
        happened = [s.at for s in person.statements] + [order.created_at for order in person.orders]
        assert all(record.created_at < min(happened, default=AS_OF) for record in person.records)


def test_addresses_are_written_in_forms_that_need_normalising(facts: Facts) -> None:
    records = [record for person in facts.people.values() for record in person.records]
    emails = [r.email for r in records if r.email]
    phones = [r.phone for r in records if r.phone]
    assert any(e != e.strip() for e in emails)
    assert any(e != e.lower() for e in emails)
    assert any(valid_email(e) is None for e in emails)
    assert any("(" in p for p in phones)
    assert any(valid_phone(p) is None for p in phones)
