"""What the built shop decides about each person, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.dbt.conftest import Build
from tests.dbt.raw import NOW
from tests.deciding.population import differences, households, told, unexplained

PERSON_OF = "select person_id from marts.destination_records where email = '{0}' or phone = '{0}'"


def admitted(shop: Build, audience: str) -> set[str]:
    return shop.values(f"select identifier from audiences.{audience}")


def excluded(shop: Build, audience: str) -> dict[str, list[str]]:
    return dict(shop.rows(f"select coalesce(identifier, '?'), reason_codes from exclusions.{audience}"))


def test_recent_buyers_are_those_who_said_yes_last(shop: Build) -> None:
    assert admitted(shop, "recent_buyers") == {
        "ann@example.com",
        "back@example.com",
        "forgave@example.com",
        "two@example.com",
        "ordered@example.com",
        "earlier@example.com",
        "twice@example.com",
        "odd@example.com",
    }


def test_every_excluded_buyer_has_the_reason(shop: Build) -> None:
    reasons = excluded(shop, "recent_buyers")
    del reasons["?"]
    assert reasons == {
        "bob@example.com": ["withdrawn"],
        "tie@example.com": ["withdrawn", "no_grant"],
        "dee@example.com": ["unknown"],
        "pending@example.com": ["pending"],
        "bounced@example.com": ["hard_bounce"],
        "complained@example.com": ["spam_complaint"],
        "hook@example.com": ["withdrawn"],
        "clicked@example.com": ["withdrawn"],
        # What was granted before an erasure is granted no more, and an unseen value grants nothing.
        "erased@example.com": ["erased", "unknown"],
        "maybe-so@example.com": ["withdrawn", "no_grant"],
    }


def test_people_without_an_identifier_are_excluded_once_each(shop: Build) -> None:
    found = shop.rows("select reason_codes, count(*) from exclusions.recent_buyers where identifier is null group by 1")
    assert sorted(found) == [(["erased", "no_identifier"], 1), (["no_identifier"], 2)]


def test_lapsed_customers_honour_every_kind_of_stop(shop: Build) -> None:
    assert admitted(shop, "lapsed_customers") == {"+14155550121", "+14155550126"}
    assert excluded(shop, "lapsed_customers") == {
        "+14155550123": ["withdrawn"],
        "+14155550124": ["withdrawn"],
        "+14155550125": ["held_for_review"],
        "+14155550152": ["withdrawn"],
    }


def test_amounts_of_undone_orders_do_not_count(shop: Build) -> None:
    rows = shop.rows("select identifier, spent, currency from audiences.high_spenders order by identifier")
    assert rows == [
        ("ann@example.com", Decimal("500.00"), "USD"),
        ("ordered@example.com", Decimal("700.00"), "USD"),
    ]


def test_vape_buyers_need_proof_of_21_where_the_goods_are_lawful(shop: Build) -> None:
    assert admitted(shop, "vape_buyers_of_age") == {
        "proven@example.com",
        "mistyped@example.com",  # the provider's check of the same person outweighs a typed date
    }
    assert excluded(shop, "vape_buyers_of_age") == {
        "typed@example.com": ["age_level_low"],
        "young@example.com": ["age_level_low", "under_age", "capacity_void"],
        "shared@example.com": ["age_level_low", "under_age", "capacity_void"],
        "gift@example.com": ["age_no_evidence"],
        "abroad@example.com": ["category_prohibited_on_channel"],
        "nothing@example.com": ["age_no_evidence"],
        # Where the place is unknown, the strictest of the markets rules.
        "nowhere@example.com": ["category_prohibited_on_channel", "jurisdiction_unknown"],
    }


def test_a_minor_grows_up_on_the_birthday_where_the_day_begins_last(shop: Build) -> None:
    rows = shop.rows(
        "select next_change_at from intermediate.age_state"
        f" where readers_id in ({PERSON_OF.format('young@example.com')}) and product_category = 'vape'"
    )
    assert rows == [(datetime(2027, 1, 15, 12, tzinfo=UTC),)]


def test_goods_that_registries_guard_stay_closed_without_a_fresh_receipt(copy: Build) -> None:
    with copy.raw() as raw:
        raw.build(2, NOW + timedelta(days=24))
    assert copy.run("--select", "vape_buyers_of_age", "+marts", "+intermediate") == set()
    assert admitted(copy, "vape_buyers_of_age") == set()
    assert excluded(copy, "vape_buyers_of_age")["proven@example.com"] == ["registry_stale"]


def test_an_order_from_the_registration_on_ends_the_follow_up_counted_or_not(shop: Build) -> None:
    found = excluded(shop, "webinar_follow_up")
    assert {"guest@example.com", "earlier@example.com"} <= admitted(shop, "webinar_follow_up")
    assert {name: found[name] for name in ("buyer@example.com", "twice@example.com")} == {
        "buyer@example.com": ["left"],
        "twice@example.com": ["left"],
    }


def test_a_tag_from_the_registration_on_ends_the_follow_up(shop: Build) -> None:
    found = excluded(shop, "webinar_follow_up")
    assert found["tagged@example.com"] == ["left"]
    assert found["tagged-by-mail@example.com"] == ["left"]
    assert "tagged-earlier@example.com" in admitted(shop, "webinar_follow_up")


def test_an_audience_bears_its_question_and_its_build(shop: Build) -> None:
    rows = shop.rows("select distinct audience, question_id, as_of, build_id from audiences.recent_buyers")
    assert rows == [("recent_buyers", "email|marketing|marketing|any|none|default", NOW, 1)]


def test_records_that_share_an_address_and_a_name_are_one_person_whatever_the_spelling(shop: Build) -> None:
    assert len(shop.values(PERSON_OF.format("ann@example.com"))) == 1
    records = shop.values(
        "select platform || record_id from marts.destination_records"
        f" where person_id in ({PERSON_OF.format('two@example.com')})"
    )
    # A number alone may be a family's: who shares it is blocked with them, and not sent to as them.
    assert records == {"shopify11", "klaviyoK11"}


def test_a_person_is_named_after_the_first_seen_record(shop: Build) -> None:
    expected = "select 'p_' || left(sha256('shopify:main:1'), 16)"
    assert shop.values(PERSON_OF.format("ann@example.com")) == shop.values(expected)


def test_invalid_identifiers_are_kept_raw_and_never_become_a_key(shop: Build) -> None:
    raw = shop.rows("select email, email_key from intermediate.customer_records where record_key = 'shopify:main:6'")
    assert raw == [("fay at example", None)]


def test_suppression_keys_cover_every_identifier_and_record_of_a_person(shop: Build) -> None:
    rows = shop.rows(
        "select suppression_keys from marts.person_suppression_keys"
        f" where person_id in ({PERSON_OF.format('two@example.com')})"
    )
    assert rows == [
        (
            [
                "email:two@example.com",
                "phone:+14155550112",
                "phone_end:155550112",
                "record:klaviyo:main:K11",
                "record:shopify:main:11",
                "record:shopify:main:12",
            ],
        )
    ]


def test_a_deleted_record_is_no_destination_but_its_person_stays_known(shop: Build) -> None:
    assert shop.values("select count(*) from marts.destination_records where record_id = '56'") == {0}
    assert shop.values("select count(*) from intermediate.person_records where record_id = '56'") == {1}


def test_withdrawals_name_who_already_holds_them(shop: Build) -> None:
    rows = shop.rows("select identifier, channel, reason, held_by from marts.withdrawals order by identifier, channel")
    held = {(identifier, channel): (reason, held_by) for identifier, channel, reason, held_by in rows}
    assert held["bob@example.com", "email"] == ("withdrawn", ["klaviyo:main"])
    assert held["hook@example.com", "email"] == ("withdrawn", ["shopify:main"])
    assert held["+14155550152", "sms"] == ("withdrawn", ["twilio:main"])
    assert held["complained@example.com", "email"] == ("spam_complaint", ["klaviyo:main"])
    # Whoever has come back by a double opt-in is not unsubscribed anywhere.
    assert not held.keys() & {("back@example.com", "email"), ("forgave@example.com", "email")}
    assert ("maybe-so@example.com", "email") not in held  # a value nobody knows is not written to other platforms


def test_a_repeated_delivery_counts_once_and_both_requests_are_absorbed(shop: Build) -> None:
    assert shop.values("select count(*) from marts.customer_events where record_id = '51' and object_id is null") == {1}
    assert {"twice-1", "twice-2"} <= shop.values("select landing_id from marts.absorbed_landings")


def test_requests_are_absorbed_when_their_content_took_part_and_only_then(shop: Build) -> None:
    absorbed = shop.values("select landing_id from marts.absorbed_landings")
    assert absorbed == {
        "twice-1",
        "twice-2",
        "stop",
        "order",
        "items",
        "redact",
        "delete",
        "unknown topic",
        "by r",
        "by e-mail",
        "unknown registrant",
        "tagged",
        "tagged earlier",
        "tagged by mail",
    }


def test_a_statement_recorded_after_the_clock_changes_nothing_yet(shop: Build) -> None:
    assert "ann@example.com" in admitted(shop, "recent_buyers")


def test_quarantine_names_what_did_not_fit_and_never_the_value(shop: Build) -> None:
    rows = shop.rows("select platform, object, field, reason from marts.quarantine order by all")
    assert rows == [
        ("aevent", "webhooks", "event_name", "missing"),
        ("klaviyo", "webhooks", "event_id", "missing"),
        ("klaviyo", "webhooks", "item_topic", "missing"),
        ("klaviyo", "webhooks", "occurred_at", "missing"),
        ("klaviyo", "webhooks", "payload", "not_an_object"),
        ("shopify", "consent", "email", "copied_after_opt_out"),
        ("shopify", "consent", "email", "unknown_value"),
        ("shopify", "customers", "email_consent_at", "not_time"),
        ("shopify", "orders", "processed_at", "not_time"),
        ("shopify", "orders", "total_price", "not_number"),
        ("shopify", "webhooks", "email_state", "not_text"),
        ("twilio", "webhooks", "from_address", "missing"),
        ("twilio", "webhooks", "message_sid", "missing"),
        ("twilio", "webhooks", "payload", "not_an_object"),
    ]
    columns = shop.values("select column_name from information_schema.columns where table_name = 'quarantine'")
    assert "value" not in columns


def test_a_row_without_its_essential_time_goes_no_further_and_others_go_on(shop: Build) -> None:
    orders = shop.values("select object_id from marts.customer_events where record_id = '61'")
    assert orders == {"601", "603"}


def test_questions_are_asked_once_each(shop: Build) -> None:
    assert shop.values("select question_id from marts.questions") == {
        "email|marketing|marketing|any|none|default",
        "email|marketing|marketing|any|vape|default",
        "sms|marketing|marketing|any|none|default",
        "none|suppression|webinar|any|none|default",
    }


def test_reason_codes_stand_in_the_order_of_the_seed(shop: Build) -> None:
    place = dict(shop.rows("select code, position from seeds.reason_codes"))
    found = shop.rows("select distinct reason_codes from marts.decisions")
    assert max(len(codes) for (codes,) in found) > 1
    for (codes,) in found:
        assert codes == sorted(codes, key=lambda code: place[code])


@pytest.mark.parametrize("audience", ["recent_buyers", "lapsed_customers", "high_spenders", "webinar_follow_up"])
def test_everyone_interested_is_either_admitted_or_excluded(shop: Build, audience: str) -> None:
    rows = shop.rows(
        f"""
        with answered as (
            select distinct person_id, 'in' as answer from audiences.{audience}
            union all
            select distinct person_id, 'out' from exclusions.{audience}
        )
        select segment.person_id, count(answer)
        from segments.{audience} as segment left join answered using (person_id)
        group by 1 having count(answer) <> 1
        """
    )
    assert rows == []


def test_no_decision_speaks_of_another_time_than_the_clock(shop: Build) -> None:
    assert shop.rows("select distinct decided_as_of, known_at from marts.decisions") == [(NOW, NOW)]


def test_the_oracle_decides_alike_about_everybody(shop: Build) -> None:
    asked = households(shop.warehouse)
    found = unexplained(differences(asked))
    assert sum(len(one.models) for one in asked) > 150
    assert found == [], told(asked, found)
