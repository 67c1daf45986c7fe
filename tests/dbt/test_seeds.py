"""The seeds as rules: each row sourced, platforms' own words whole, and today's models read them as before."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import date
from functools import cache
from itertools import pairwise

import pytest

from dlt_sources.platforms.twilio import words
from tests.dbt.conftest import PROJECT, Build

SEEDS = PROJECT / "seeds"
#: Vocabularies without rules: names of places, prefixes of numbers, codes and channels of this house.
NAMES_ONLY = {"channels", "country_names", "phone_countries", "reason_codes", "region_names"}
RULES = sorted(path.stem for path in SEEDS.glob("*.csv") if path.stem not in NAMES_ONLY)
#: What makes two rows of a seed the same rule, of which one at a time is in force.
DATED = {
    "age_level_expiry": "level",
    "age_levels_required": "product_category",
    "age_tags": "platform object tag",
    "category_fallbacks": "category",
    "channel_category_legality": "product_category channel country",
    "event_names": "platform raw_name",
    "honour_clocks": "clock channel jurisdiction",
    "honour_limits": "channel",
    "minimum_age": "category country region kind",
    "placeholder_birth_dates": "birth_date",
    "platform_values": "platform field value detail",
    "quiet_hours": "country region weekday",
    "registries": "registry",
    "school_domains": "pattern",
    "statement_bases": "basis country channel",
    "stop_words": "language word",
    "suppression_kinds": "kind",
    "withdrawal_scopes": "act of_channel covers_channel covers_purpose covers_scope basis",
}
#: Vocabulary of this house and lists that identifiers are read by once: these hold whatever the day.
UNDATED = {
    "blocked_identifiers", "channel_kinds", "domain_typos", "email_providers", "forbidden_writes", "policies",
    "product_categories", "public_holidays", "relay_domains", "role_addresses", "scope_lattice",
}  # fmt: skip
CHANNELS = {"email", "sms", "mms", "whatsapp", "voice", "push", "postal", "ads_audience"}
Row = dict[str, str]


@cache
def seed(name: str) -> list[Row]:
    with (SEEDS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(name: str, of: str) -> list[str]:
    return [row[of] for row in seed(name)]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_tells_its_source_how_sure_it_is_and_when_it_holds(name: str) -> None:
    for row in seed(name):
        assert row["source"].strip(), row
        assert row["confidence"] in {"high", "medium", "low", "policy", "unverified"}, row
        days = [date.fromisoformat(row[end]) for end in ("effective_from", "effective_to") if row[end]]
        assert days == sorted(set(days)), row


def test_every_seed_of_rules_is_asked_by_date_or_has_no_dates() -> None:
    assert {*DATED, *UNDATED} == set(RULES)
    assert not UNDATED.intersection(DATED)
    assert [row for name in UNDATED for row in seed(name) if row["effective_from"] or row["effective_to"]] == []


@pytest.mark.parametrize("name", DATED)
def test_one_row_of_a_rule_at_a_time_is_in_force(name: str) -> None:
    rows: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for row in seed(name):
        key = tuple(row[column] for column in DATED[name].split())
        rows.setdefault(key, []).append((row["effective_from"] or "0001-01-01", row["effective_to"] or "9999-12-31"))
    for key, spans in rows.items():
        ordered = sorted(spans)
        assert all(one[1] <= other[0] for one, other in pairwise(ordered)), key


@pytest.mark.parametrize("name", DATED)
def test_whoever_reads_a_dated_seed_asks_for_its_dates(name: str) -> None:
    """But for the numbers on a registry's list, which are read by its country whenever it was or will be asked."""
    told = f"ref('{name}')"
    files = [file for folder in ("models", "macros") for file in (PROJECT / folder).rglob("*.sql")]
    texts = {file.stem: file.read_text() for file in files}
    careless = [
        stem
        for stem, text in texts.items()
        if told in text and not re.search(r"in_force\(|effective_|proving_tags\(", text)
    ]
    assert careless == (["identifier_values"] if name == "registries" else [])


@pytest.mark.parametrize("name", RULES)
def test_no_source_says_unverified_while_the_row_looks_sure(name: str) -> None:
    doubtful = [row for row in seed(name) if re.search(r"unverified|to be verified|from memory", row["source"])]
    assert [row for row in doubtful if row["confidence"] != "unverified"] == []


@pytest.mark.parametrize("name", sorted({*RULES, *NAMES_ONLY}))
def test_no_cell_has_spaces_around_it_or_reads_as_null(name: str) -> None:
    """dbt takes the word null for nothing."""
    cells = [cell for row in seed(name) for cell in row.values()]
    assert [cell for cell in cells if cell != cell.strip() or cell.lower() == "null"] == []


def test_reasons_stand_in_the_order_of_evaluation() -> None:
    ordered = [row["code"] for row in sorted(seed("reason_codes"), key=lambda row: int(row["position"]))]
    groups = (
        "erased legal_block minor registry_hit registry_stale category_prohibited_there category_prohibited_on_channel"
        " invalid_address hard_bounce carrier_block spam_complaint manual_block withdrawn held_for_review no_grant"
        " pending not_granted unknown implied_expired jurisdiction_unknown age_no_evidence age_level_low age_conflict"
        " under_age capacity_void capacity_unproven identity_ambiguous stale_source no_identifier left holdout"
        " quiet_hours frequency_cap ok"
    )
    assert ordered == groups.split()
    assert column("reason_codes", "position") == [str(place) for place in range(1, len(ordered) + 1)]


# Platforms' own words


def test_every_platform_of_the_rules_has_words() -> None:
    wanted = (
        "shopify klaviyo mailchimp hubspot salesforce twilio sendgrid activecampaign intercom zendesk square"
        " woocommerce magento pipedrive freshsales typeform facebook_lead_ads stripe csv"
    )
    assert set(column("platform_values", "platform")) == set(wanted.split())


def test_only_an_act_of_the_person_is_evidence_of_consent() -> None:
    granted = [row for row in seed("platform_values") if row["state"].startswith("granted")]
    assert any(row["evidence"] == "true" for row in granted)
    assert [row for row in granted if row["evidence"] == "true" and row["actor"] != "customer"] == []
    assert [row for row in granted if row["evidence"] == "true" and row["method"] == "import"] == []


def test_a_default_value_grants_nothing() -> None:
    said = {
        (row["platform"], row["field"], row["value"], row["detail"]): row["state"] for row in seed("platform_values")
    }
    for platform, field, value in (
        ("shopify", "consent", "not_subscribed"),
        ("klaviyo", "consent", "NEVER_SUBSCRIBED"),
        ("hubspot", "consent", "NOT_SPECIFIED"),
        ("salesforce", "HasOptedOutOfEmail", "false"),
        ("intercom", "unsubscribed_from_emails", "false"),
        ("square", "email_unsubscribed", "false"),
        ("freshsales", "subscription_status", "1"),
    ):
        assert said[platform, field, value, "*"] == "unknown"
    assert said["typeform", "answer", "absent", "*"] == "not_granted"
    assert said["intercom", "subscription", "attached", "opt_out"] == "withdrawn"
    assert said["intercom", "subscription", "attached", "opt_in"] == "granted"


def test_each_statement_has_a_scope_that_the_lattice_knows() -> None:
    scopes = set(column("scope_lattice", "scope"))
    assert {row["scope"] for row in seed("platform_values") if row["state"] not in ("", "erased")} <= scopes | {
        "identifier",
        "person",
    }
    assert {row["scope"] for row in seed("platform_values") if row["state"] == "withdrawn"} <= scopes


def test_today_s_models_find_one_row_where_they_ask_without_a_detail() -> None:
    asked = {("klaviyo", "suppression"), ("twilio", "error")}
    found = Counter(
        (row["platform"], row["field"], row["value"])
        for row in seed("platform_values")
        if (row["platform"], row["field"]) in asked
        or (row["platform"] == "hubspot" and row["value"].startswith("hs_email_optout="))
        or ((row["platform"], row["field"]) == ("shopify", "consent") and row["suppression_kind"])
    )
    assert found
    assert {key: count for key, count in found.items() if count > 1} == {}


def test_channels_that_are_pushed_today_are_the_two_that_were() -> None:
    """Each row of `channels` is pushed a withdrawal by every complaint; others belong to `channel_kinds`."""
    today = {row["channel"]: row["identifier_type"] for row in seed("channels")}
    assert today == {"email": "email", "sms": "phone"}
    kinds = {row["channel"]: row["identifier_type"] for row in seed("channel_kinds")}
    assert set(kinds) == CHANNELS | {"none"}
    assert today.items() <= kinds.items()


def test_the_speed_lane_hears_the_same_words_as_the_models() -> None:
    """A word added to `stop_words` belongs into dlt_sources/platforms/twilio/words.py too, and is acted on at once."""
    heard = {
        reading: {row["word"] for row in seed("stop_words") if row["reading"] == reading}
        for reading in ("stop", "start", "start_after_stop")
    }
    assert {word.upper() for word in words.STOP} == heard["stop"]
    assert {word.upper() for word in words.START} == heard["start"] | heard["start_after_stop"]


def test_a_stop_word_is_a_bare_word_and_no_word_means_stop_and_start() -> None:
    rows = seed("stop_words")
    assert [row["word"] for row in rows if not re.fullmatch(r"[A-Z]+", row["word"])] == []
    assert all(
        len({row["reading"] for row in rows if row["word"] == word}) == 1 for word in column("stop_words", "word")
    )


# Types, as DuckDB holds them


def test_codes_keep_their_text_and_numbers_their_type(shop: Build) -> None:
    types = dict(
        shop.rows(
            "select table_name || '.' || column_name, data_type from information_schema.columns"
            " where table_schema = 'seeds'"
        )
    )
    text: tuple[str, ...] = (
        "platform_values.value",
        "platform_values.detail",
        "blocked_identifiers.identifier",
        "quiet_hours.opens",
    )
    text += ("minimum_age.value", "policies.value", "minimum_age.region", "channel_category_legality.unless_policy")
    assert {name: types[name] for name in text if types[name] != "VARCHAR"} == {}
    assert {types[f"{name}.{end}"] for name in RULES for end in ("effective_from", "effective_to")} == {"DATE"}
    flags: tuple[str, ...] = (
        "platform_values.evidence",
        "channel_category_legality.lawful",
        "registries.needed",
        "channel_kinds.quiet_hours",
    )
    assert {name: types[name] for name in flags if types[name] != "BOOLEAN"} == {}
    assert shop.values("select identifier from seeds.blocked_identifiers where match = 'digits'") >= {"0000000000"}
