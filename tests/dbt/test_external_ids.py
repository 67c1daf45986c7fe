"""Ids of other systems: carried by configured custom fields, they join records and lead to their person."""

from __future__ import annotations

from datetime import timedelta

from tests.dbt.conftest import Build
from tests.dbt.raw import NOW

REGISTRANTS = "select email, person_id from marts.destination_records where email in ({})"


def people(shop: Build, *emails: str) -> dict[str, str]:
    return dict(shop.rows(REGISTRANTS.format(", ".join(f"'{email}'" for email in emails))))


def test_a_registrant_id_joins_records_with_different_addresses(shop: Build) -> None:
    found = people(shop, "shopper@example.com", "reader@example.com")
    assert len(found) == 2
    assert len(set(found.values())) == 1


def test_registrant_ids_are_texts_that_differ_in_case_and_in_zeros(shop: Build) -> None:
    found = people(shop, "shopper@example.com", "other-case@example.com", "leading-zeros@example.com")
    assert len(found) == len(set(found.values())) == 3


def test_what_a_broken_mapping_leaves_behind_joins_nobody(shop: Build) -> None:
    found = people(shop, *(f"nobody-{number}@example.com" for number in range(8)))
    assert len(found) == len(set(found.values())) == 8
    carried = "select target_key from intermediate.identity_keys where key_type = 'external'"
    assert {key for key in shop.values(carried) if ":r-" not in key} == {
        "aevent:main:0012ab",
        "aevent:main:0012AB",
        "aevent:main:12ab",
    }


def test_the_person_is_suppressed_under_the_registrant_id_too(shop: Build) -> None:
    (person,) = set(people(shop, "shopper@example.com").values())
    ((keys,),) = shop.rows(f"select suppression_keys from marts.person_suppression_keys where person_id = '{person}'")
    assert {"external:aevent:main:0012ab", "email:reader@example.com", "email:shopper@example.com"} <= set(keys)


def test_registrant_ids_stand_for_the_records_of_a_platform_that_shows_none(shop: Build) -> None:
    found = shop.rows(
        "select record_id, email, phone, brand from marts.destination_records"
        " where platform = 'aevent' and not starts_with(record_id, 'r-') order by 1"
    )
    assert found == [(id_, None, None, "acme") for id_ in ("0012AB", "0012ab", "12ab")]
    (person,) = set(people(shop, "reader@example.com").values())
    assert shop.values("select person_id from marts.destination_records where record_id = '0012ab'") == {person}


def test_nothing_is_decided_about_a_registrant_id_itself(shop: Build) -> None:
    assert shop.values("select distinct identifier_type from marts.decisions") <= {"email", "phone", "person"}


def test_a_call_finds_its_person_by_registrant_id_alone_or_by_address(shop: Build) -> None:
    found = dict(
        shop.rows(
            "select coalesce(external_key, email), person_id from marts.customer_events"
            " where platform = 'aevent' and recorded_at > '2026-11-21 20:00:00+00'"
        )
    )
    registrant = people(shop, "reader@example.com")["reader@example.com"]
    told = people(shop, "told@example.com")["told@example.com"]
    assert found == {"aevent:main:0012ab": registrant, "told@example.com": told, "aevent:main:unheard-of": None}


def test_a_tag_is_an_event_that_segments_can_count(shop: Build) -> None:
    query = (
        "select event_name, count_ever, last_at from marts.person_activity"
        " where event_name = 'tag:buyer' and product_category = 'any' and count_1d > 0"
    )
    assert sorted(shop.rows(query)) == [
        ("tag:buyer", 1, NOW - timedelta(hours=2)),
        ("tag:buyer", 1, NOW - timedelta(minutes=30)),
    ]


def test_a_call_is_absorbed_once_its_event_is_there_also_about_somebody_unknown(shop: Build) -> None:
    absorbed = shop.values("select landing_id from marts.absorbed_landings")
    assert {"by r", "by e-mail", "unknown registrant"} <= absorbed
    assert "without a name" not in absorbed
