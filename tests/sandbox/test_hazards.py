"""People who are hard to judge: what the rules say of each, told by hand, one story a line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.hazards import HAZARDS
from sandbox.population import generate
from sandbox.truth import AUDIENCES, Truth

AS_OF = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
BUYERS, TEXTS, VAPES = "recent_buyers", "lapsed_customers", "vape_buyers_of_age"

#: Story, audience, and the lead reason of each person in the audience's interest, by first name.
TOLD: list[tuple[str, str, dict[str, str]]] = [
    ("single_opt_in_after_opt_out", BUYERS, {"Robin": "withdrawn"}),
    ("double_opt_in_after_opt_out", BUYERS, {"Robin": "ok"}),
    ("double_opt_in_after_complaint", BUYERS, {"Robin": "ok"}),
    ("single_opt_in_after_bounce", BUYERS, {"Robin": "hard_bounce"}),
    ("double_opt_in_after_bounce", BUYERS, {"Robin": "ok"}),
    ("double_opt_in_after_block", BUYERS, {"Robin": "manual_block"}),
    ("imported_at_home", BUYERS, {"Robin": "ok"}),
    ("imported_abroad", BUYERS, {"Robin": "unknown"}),
    ("imported_abroad_alone", BUYERS, {"Robin": "no_grant"}),
    ("bought_in_canada", BUYERS, {"Robin": "ok"}),
    ("bought_in_canada_after_opt_out", BUYERS, {"Robin": "withdrawn"}),
    ("bought_in_britain", BUYERS, {"Robin": "unknown"}),
    ("grant_from_the_future", BUYERS, {"Robin": "ok"}),
    ("opt_out_from_the_future", BUYERS, {"Robin": "withdrawn"}),
    ("came_back_after_erasure", BUYERS, {"Robin": "ok"}),
    ("start_to_one_sender", TEXTS, {"Robin": "withdrawn"}),
    ("start_without_stop", TEXTS, {"Robin": "ok"}),
    ("stop_and_form", TEXTS, {"Robin": "ok"}),
    ("asks_to_stop", TEXTS, {"Robin": "held_for_review"}),
    ("stops_in_another_word", TEXTS, {"Robin": "withdrawn"}),
    ("stops_in_french", TEXTS, {"Robin": "withdrawn"}),
    ("family_phone", TEXTS, {"Ida": "withdrawn", "Juno": "withdrawn"}),
    ("family_phone", BUYERS, {"Mira": "ok"}),
    ("number_of_somebody_else_now", TEXTS, {"Robin": "carrier_block"}),
    ("number_given_up_before", TEXTS, {"Robin": "ok"}),
    ("plus_and_dots", BUYERS, {"Robin": "withdrawn"}),
    ("dots_elsewhere", BUYERS, {"Robin": "ok"}),
    ("international_domain", BUYERS, {"Robin": "withdrawn"}),
    ("mistyped_domain", BUYERS, {"Robin": "withdrawn"}),
    ("invisible_opt_out", BUYERS, {"Robin": "withdrawn"}),
    ("invisible_address", BUYERS, {"Robin": "no_identifier"}),
    ("name_in_any_script", VAPES, {"\U0001f338 נועה": "ok"}),
    ("role_address", BUYERS, {"Robin": "ok"}),
    ("role_address", VAPES, {"Robin": "identity_ambiguous"}),
    ("role_opt_out", BUYERS, {"Robin": "withdrawn"}),
    ("nobodys_address", BUYERS, {"Robin": "invalid_address"}),
    ("relay_address", BUYERS, {"Robin": "ok"}),
    ("relay_address_somewhere", BUYERS, {"Robin": "jurisdiction_unknown"}),
    ("minor_in_the_family", VAPES, {"Otto": "minor"}),
    ("minor_in_the_family", BUYERS, {"Otto": "ok"}),
    ("unproven_in_the_family", VAPES, {"Otto": "age_no_evidence"}),
    ("unproven_in_the_family", BUYERS, {"Otto": "ok"}),
    ("school_address", VAPES, {"Robin": "minor"}),
    ("school_address", BUYERS, {"Robin": "ok"}),
    ("joined_by_the_crm", BUYERS, {"Robin": "withdrawn"}),
    ("consented_before_coming_of_age", VAPES, {"Robin": "capacity_void"}),
    ("consented_before_coming_of_age", BUYERS, {"Robin": "ok"}),
    ("consented_again_of_age", VAPES, {"Robin": "ok"}),
    ("birth_date_outweighed", VAPES, {"Robin": "ok"}),
    ("turned_21_today", VAPES, {"Robin": "age_level_low"}),
    ("turns_21_tomorrow", VAPES, {"Robin": "age_level_low"}),
    ("born_on_a_leap_day", VAPES, {"Robin": "ok"}),
    ("born_on_a_default_day", VAPES, {"Robin": "age_no_evidence"}),
    ("child", BUYERS, {"Robin": "minor"}),
    ("thirteen_in_new_york", BUYERS, {"Robin": "ok"}),
    ("consented_before_thirteen", BUYERS, {"Robin": "capacity_void"}),
    ("fifteen_in_california", BUYERS, {"Robin": "minor"}),
    ("gift", VAPES, {"Robin": "age_no_evidence"}),
    ("shared_login", VAPES, {"Robin": "age_level_low"}),
    ("changed_name", VAPES, {"Robin": "age_no_evidence"}),
    ("check_out_of_use", VAPES, {"Robin": "age_no_evidence"}),
    ("check_still_in_use", VAPES, {"Robin": "ok"}),
    ("failed_later", VAPES, {"Robin": "age_conflict"}),
    ("failed_before", VAPES, {"Robin": "ok"}),
    ("human_tag", VAPES, {"Robin": "age_level_low"}),
    ("no_check_required", VAPES, {"Robin": "age_no_evidence"}),
    ("moved_within_a_year", VAPES, {"Robin": "category_prohibited_on_channel"}),
    ("moved_long_ago", VAPES, {"Robin": "ok"}),
    ("foreign_number", VAPES, {"Robin": "category_prohibited_on_channel"}),
    ("on_a_registry", VAPES, {"Robin": "registry_hit"}),
    ("on_a_registry", BUYERS, {"Robin": "ok"}),
    ("domain_on_a_registry", VAPES, {"Robin": "registry_hit"}),
]


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(generate(100, 1, AS_OF), AS_OF)


@pytest.mark.parametrize(("story", "audience", "expected"), TOLD, ids=[f"{one[0]}-{one[1]}" for one in TOLD])
def test_each_is_reachable_or_not_for_the_reason_of_the_rules(
    truth: Truth, story: str, audience: str, expected: dict[str, str]
) -> None:
    outcomes = truth.outcomes(audience)
    told = {
        truth.people[name].first: outcome.reason
        for name, outcome in outcomes.items()
        if truth.people[name].story == story
    }
    assert told == expected


def test_every_story_is_told() -> None:
    assert {story for story, *_ in TOLD} == set(HAZARDS)


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("day", [datetime(2027, 2, 28, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)])
def test_the_stories_end_the_same_at_any_hour_of_any_day(day: datetime, hour: int) -> None:
    """Whenever the demo is run, the same people are in."""
    as_of = day.replace(hour=hour)
    truth = Truth(generate(100, 1, as_of), as_of)
    for story, audience, expected in TOLD:
        outcomes = truth.outcomes(audience)
        told = {truth.people[n].first: o.reason for n, o in outcomes.items() if truth.people[n].story == story}
        assert told == expected, (story, audience)


def test_small_populations_do_without_them() -> None:
    assert not {person.story for person in generate(99, 1, AS_OF).people.values()} & set(HAZARDS)
    assert {person.story for person in generate(100, 1, AS_OF).people.values()} >= set(HAZARDS)
    assert set(AUDIENCES) >= {audience for _, audience, _ in TOLD}
