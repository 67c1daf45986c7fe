"""The law of places, clocks, scopes, age and identity in the seeds: consistent, and never laxer than what they cite."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, time
from itertools import product

import pytest

from dlt_sources.registry import all_platforms
from tests.dbt.test_seeds import CHANNELS, Row, column, seed

RESTRICTED = {"alcohol", "vape", "tobacco", "cannabis", "adult"}


def in_force(row: Row, day: date) -> bool:
    first, after = row["effective_from"] or "0001-01-01", row["effective_to"] or "9999-12-31"
    return first <= day.isoformat() < after


# Scopes, clocks and registries


def test_scopes_are_an_order() -> None:
    covers = {(row["scope"], row["contains"]) for row in seed("scope_lattice")}
    scopes = set(column("scope_lattice", "scope"))
    assert {(scope, scope) for scope in scopes} <= covers
    assert {(wide, small) for wide, small in covers if (small, wide) in covers and wide != small} == set()
    steps = product(covers, covers)
    assert {(first[0], then[1]) for first, then in steps if first[1] == then[0]} <= covers
    assert {("all_channels", scope) for scope in scopes} <= covers


def test_what_an_act_ends_by_policy_are_the_channels_that_end_together() -> None:
    ends_with = {row["channel"]: row["stops_with"] for row in seed("channel_kinds")}
    ended: dict[tuple[str, str], set[str]] = {}
    for row in seed("withdrawal_scopes"):
        if row["basis"] == "policy" and row["of_channel"] != "*":
            ended.setdefault((row["act"], row["of_channel"]), set()).add(row["covers_channel"])
    assert set(ended) == {(act, channel) for act, channel in ended if channel in ends_with}
    for (_, channel), covered in ended.items():
        assert covered == {other for other, group in ends_with.items() if group == ends_with[channel]}


def test_our_own_targets_are_within_the_law() -> None:
    unit = {"minutes": 60, "hours": 3600, "days": 86400, "business_days": 86400, "months": 28 * 86400}
    clocks = [row for row in seed("honour_clocks") if int(row["legal_limit"])]
    assert clocks
    for row in clocks:
        limit = int(row["legal_limit"]) * unit[row["legal_unit"]]
        assert int(row["target_seconds"]) <= int(row["confirmed_seconds"]) <= limit, row


def test_holidays_are_weekdays_and_eleven_a_year() -> None:
    days = [date.fromisoformat(day) for day in column("public_holidays", "day")]
    assert [day for day in days if day.weekday() > 4] == []
    new_years = {date(2026, 1, 1), date(2027, 1, 1), date(2027, 12, 31)}
    assert new_years <= set(days)
    assert date(2026, 7, 3) in days
    assert len(days) == 11 * 6


def test_a_registry_s_scrub_is_no_older_than_the_law_allows() -> None:
    rows = seed("registries")
    assert {row["registry"] for row in rows} == {
        "child_protection_utah", "child_protection_michigan", "do_not_call_us", "reassigned_numbers_us",
    }  # fmt: skip
    assert all(int(row["max_days"]) <= int(row["legal_max_days"] or row["max_days"]) for row in rows)
    for row in rows:
        assert set(row["channels"].split("|")) <= CHANNELS
        assert row["categories"] == "*" or set(row["categories"].split("|")) >= RESTRICTED


def test_what_lifts_a_suppression_is_known() -> None:
    ways = {"never", "review", "fresh_double_opt_in", "express_act", "verified_delivery", "scrub", "fresh_contact"}
    told = {row["kind"]: set(row["lifted_by"].split("|")) for row in seed("suppression_kinds")}
    assert set().union(*told.values()) == ways
    assert told["spam_complaint"] == {"fresh_double_opt_in"}
    assert told["hard_bounce"] == told["invalid_address"] == {"fresh_double_opt_in", "verified_delivery"}
    assert set(told) == {
        "hard_bounce", "invalid_address", "spam_complaint", "manual_block", "carrier_block", "registry_hit",
        "reassigned_number", "minor", "erased", "stale_source", "legal", "held_for_review", "held_by_platform",
    }  # fmt: skip


# Law of places


def test_each_restricted_category_has_an_answer_for_every_country_on_each_channel() -> None:
    everywhere = {
        (row["product_category"], row["channel"]) for row in seed("channel_category_legality") if row["country"] == "*"
    }
    assert everywhere == set(product(RESTRICTED, ("email", "sms", "mms", "whatsapp", "ads_audience")))


def test_what_carriers_refuse_is_lawful_nowhere() -> None:
    lawful = {
        (row["product_category"], row["channel"], row["country"])
        for row in seed("channel_category_legality")
        if row["lawful"] == "true"
    }
    assert lawful == {
        ("alcohol", "email", "*"), ("alcohol", "sms", "US"), ("alcohol", "mms", "US"), ("vape", "email", "US"),
        ("tobacco", "email", "US"), ("cannabis", "email", "US"), ("adult", "email", "*"),
    }  # fmt: skip


def test_places_are_named_by_codes() -> None:
    countries = {row["country"] for row in seed("country_names")}
    named = [
        row["country"]
        for name in ("channel_category_legality", "minimum_age", "quiet_hours", "registries", "statement_bases")
        for row in seed(name)
    ]
    assert named
    assert {code for code in named if code != "*" and code.partition("-")[0] not in countries} == set()


def test_an_age_rule_s_value_fits_its_kind_and_what_older_readers_take() -> None:
    for row in seed("minimum_age"):
        if row["kind"] == "born_before":
            assert date.fromisoformat(row["value"])
            assert not row["minimum_age"]
        else:
            assert 13 <= int(row["value"]) <= 999
            # Older readers may be laxer only about places where no lawful shop was found.
            assert row["minimum_age"] in ("", row["value"]) or (row["category"], row["value"]) == ("cannabis", "999")


def test_readers_that_know_no_dates_find_one_age_for_a_place() -> None:
    found = Counter(
        (row["category"], row["country"], row["region"]) for row in seed("minimum_age") if row["minimum_age"]
    )
    assert {place for place, count in found.items() if count > 1} == set()


def test_a_region_has_one_age_rule_as_today_s_models_join_it() -> None:
    found = Counter((row["category"], row["country"], row["region"]) for row in seed("minimum_age"))
    assert {place for place, count in found.items() if count > 1 and place[2] != "*"} == set()


def test_an_age_rule_of_a_kind_never_overlaps_itself() -> None:
    days = {
        date.fromisoformat(row[end])
        for row in seed("minimum_age")
        for end in ("effective_from", "effective_to")
        if row[end]
    }
    for day in {date(2026, 11, 22), *days}:
        found = Counter(
            (row["category"], row["country"], row["region"], row["kind"])
            for row in seed("minimum_age")
            if in_force(row, day)
        )
        assert {place for place, count in found.items() if count > 1} == set()


@pytest.mark.parametrize(
    ("country", "day", "rules"),
    [
        ("GB", date(2026, 12, 31), {("age", "18")}),
        ("GB", date(2027, 1, 1), {("age", "18"), ("born_before", "2009-01-01")}),
        ("MV", date(2026, 11, 22), {("age", "21"), ("born_before", "2007-01-01")}),
        ("KR", date(2026, 11, 22), {("year_of", "19")}),
        ("IE", date(2028, 1, 31), {("age", "18")}),
        ("IE", date(2028, 2, 1), {("age", "21")}),
    ],
)
def test_tobacco_rules_change_on_their_day(country: str, day: date, rules: set[tuple[str, str]]) -> None:
    rows = [row for row in seed("minimum_age") if (row["category"], row["country"]) == ("tobacco", country)]
    assert {(row["kind"], row["value"]) for row in rows if in_force(row, day)} == rules


def test_quiet_hours_leave_no_day_out_and_are_never_laxer_than_the_federal_ones() -> None:
    rows = seed("quiet_hours")
    for region in {row["region"] for row in rows}:
        assert sorted(row["weekday"] for row in rows if row["region"] == region) == list("1234567"), region
    windows = [(time.fromisoformat(row["opens"]), time.fromisoformat(row["closes"])) for row in rows if row["opens"]]
    assert all(time(8) <= opens < closes <= time(21) for opens, closes in windows)
    closed = {(row["region"], row["weekday"]) for row in rows if not row["opens"]}
    assert closed == {("AL", "7"), ("LA", "7"), ("MS", "7")}


def test_only_canada_implies_consent_and_nothing_but_a_like_sale_stands_for_it_in_europe() -> None:
    granting = {(row["basis"], row["country"]) for row in seed("statement_bases") if row["grants"] == "true"}
    assert {basis for basis, _ in granting} == {"express", "implied_purchase", "implied_inquiry", "soft_opt_in"}
    assert {country for basis, country in granting if basis.startswith("implied")} == {"CA"}
    assert {("soft_opt_in", "GB"), ("soft_opt_in", "DE")} <= granting
    assert ("soft_opt_in", "*") not in granting
    assert set(column("statement_bases", "revives_after_withdrawal")) == {"false"}


# Age and identity


def test_a_tag_means_one_thing_at_a_platform_and_a_tag_set_by_hand_is_a_tick() -> None:
    rows = seed("age_tags")
    assert max(Counter((row["platform"], row["tag"]) for row in rows).values()) == 1
    assert {row["level"] for row in rows if row["provider"] == "hand"} == {"1"}
    assert all(row["threshold"] == "18" for row in rows if row["tag"] == "credit_card=OVER")
    worthless = {"Age Not Verified", "Age Verification Not Required", "Age Verification Required", "age_check_required"}
    assert worthless & {row["tag"] for row in rows} == set()


def test_the_tags_that_today_s_models_read_of_orders_and_contacts_are_the_three_that_were() -> None:
    read = {(row["platform"], row["object"]) for row in seed("age_tags")} & {
        ("shopify", "orders"),
        ("hubspot", "contacts"),
    }
    tags = {row["tag"] for row in seed("age_tags") if (row["platform"], row["object"]) in read}
    assert tags == {"Age Verified", "Age Verification Failed", "age_verified=true"}


def test_evidence_of_each_level_either_ends_or_needs_an_anchor() -> None:
    rows = {row["level"]: row for row in seed("age_level_expiry")}
    assert set(rows) == set("012345")
    assert {level for level, row in rows.items() if row["expires_after"]} == set("123")
    assert {level for level, row in rows.items() if row["anchor_months"]} == set("45")


def test_a_misspelt_domain_is_corrected_in_one_step() -> None:
    wrong, right = set(column("domain_typos", "domain")), set(column("domain_typos", "meant"))
    assert wrong & right == set()
    assert wrong & set(column("email_providers", "domain")) == set()


def test_addresses_are_written_as_they_are_compared() -> None:
    written = (
        column("role_addresses", "local_part") + column("domain_typos", "domain") + column("email_providers", "domain")
        + column("relay_domains", "domain") + column("blocked_identifiers", "identifier")
    )  # fmt: skip
    assert [text for text in written if text != text.lower()] == []
    digits = [row["identifier"] for row in seed("blocked_identifiers") if row["match"] == "digits"]
    assert all(text.isdigit() for text in digits)
    assert all(re.compile(pattern) for pattern in column("school_domains", "pattern"))


def test_no_write_that_creates_consent_is_left_out() -> None:
    forbidden = {(row["platform"], row["operation"]) for row in seed("forbidden_writes")}
    assert forbidden >= {
        ("klaviyo", "subscribe"), ("mailchimp", "status=subscribed"), ("mailchimp", "unarchive"),
        ("activecampaign", "list_status=1"), ("hubspot", "consent=SUBSCRIBED"),
        ("pipedrive", "marketing_status=subscribed"), ("shopify", "consent=subscribed"),
        ("intercom", "attach"), ("intercom", "detach"),
    }  # fmt: skip
    granted = {
        (row["platform"], f"{row['field']}={row['value']}")
        for row in seed("platform_values")
        if row["state"].startswith("granted") and row["actor"] != "import"
    }
    ours = {platform.name for platform in all_platforms() if platform.destination_class() is not None}
    assert {write for write in granted if write[0] in ours} - forbidden == {
        ("shopify", "accepts_marketing=true"),  # of an order, which nobody but the buyer places
    }


def test_every_forbidden_write_of_a_value_is_a_grant_in_the_platform_s_own_words_or_takes_an_opt_out_back() -> None:
    said = {(row["platform"], f"{row['field']}={row['value']}"): row["state"] for row in seed("platform_values")}
    spelt = [
        (row["platform"], row["operation"])
        for row in seed("forbidden_writes")
        if (row["platform"], row["operation"]) in said
    ]
    assert len(spelt) >= 12
    assert [
        key for key in spelt if not said[key].startswith("granted") and said[key] not in ("unknown", "withdrawn")
    ] == []
