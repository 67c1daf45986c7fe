"""Case files: how defaults reach cases, what is refused in which words, and that the shipped file keeps its word."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from dlt_sources.errors import ConfigurationError
from orchestration.deciding import cases
from orchestration.deciding.case_rules import Rule
from orchestration.deciding.cases import Age, Case, Plan, Question, Record, Review, Scrub, Status, load

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "tests" / "cases" / "consent_and_age.yaml"
FORTY = {str(number) for number in range(1, 41)}
FACTS: tuple[type[BaseModel], ...] = get_args(get_args(cases.Fact)[0])

DEFAULTS = """
defaults:
  as_of: 2026-11-22T18:00:00Z
  policy: {markets: [US], registry_max_days: 30}
  facts:
    - {id: jane, fact: record, platform: shopify, record: jane, email: jane@example.com, country: US, region: CA}
    - {id: grant, fact: status, platform: klaviyo, record: jane, field: consent, value: SUBSCRIBED, evidence: true,
       at: 2025-01-10T12:00:00Z}
"""

Loading = Callable[[str], list[Case]]


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    """What the text of a file loads as."""

    def loaded(text: str) -> list[Case]:
        path = tmp_path / "cases.yaml"
        path.write_text(text)
        return load(path)

    return loaded


def refused(loading: Loading, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        loading(text)
    assert "cases.yaml" in str(caught.value)
    return str(caught.value)


def test_a_case_gets_the_facts_and_policies_of_the_defaults_before_its_own(loading: Loading) -> None:
    [case] = loading(
        DEFAULTS
        + """
cases:
  - id: 1
    policy: {registry_max_days: 7, apply_registries: false}
    facts: [{id: scrubbed, fact: scrub, registry: child_protection_utah}]
"""
    )
    assert case.id == "1"
    assert case.as_of == datetime(2026, 11, 22, 18, tzinfo=UTC)
    assert [fact.id for fact in case.facts] == ["jane", "grant", "scrubbed"]
    assert [type(fact) for fact in case.facts] == [Record, Status, Scrub]
    assert case.policy == {"markets": ["US"], "registry_max_days": 7, "apply_registries": False}


def test_one_case_leaves_the_defaults_of_the_next_as_they_were(loading: Loading) -> None:
    first, second = loading(
        DEFAULTS
        + """
cases:
  - {id: changed, as_of: 2025-03-01T20:00:00Z, policy: {markets: [GB]}, facts: [{id: jane, country: GB, region: null}]}
  - {id: untouched}
"""
    )
    assert isinstance(first.facts[0], Record)
    assert isinstance(second.facts[0], Record)
    assert (first.facts[0].country, second.facts[0].country) == ("GB", "US")
    assert (first.policy["markets"], second.policy["markets"]) == (["GB"], ["US"])
    assert (first.as_of.year, second.as_of.year) == (2025, 2026)


def test_without_leaves_out_the_defaults_it_names_and_a_star_all_of_them(loading: Loading) -> None:
    some, none = loading(DEFAULTS + "cases: [{id: some, without: [grant]}, {id: none, without: ['*']}]")
    assert [fact.id for fact in some.facts] == ["jane"]
    assert none.facts == []


def test_a_fact_with_the_id_of_a_default_stands_in_its_place_and_keeps_what_it_does_not_say(loading: Loading) -> None:
    own = "[{fact: scrub, registry: r}, {id: jane, region: TX, name: J}]"
    [case] = loading(DEFAULTS + f"cases: [{{id: a, facts: {own}}}]")
    jane, grant, scrub = case.facts
    assert isinstance(jane, Record)
    assert (jane.email, jane.country, jane.region, jane.name) == ("jane@example.com", "US", "TX", "J")
    assert (grant.id, scrub.id) == ("grant", "fact-1")


def test_a_null_takes_a_value_of_the_default_away(loading: Loading) -> None:
    [case] = loading(DEFAULTS + "cases: [{id: a, facts: [{id: grant, at: null}]}]")
    assert isinstance(case.facts[1], Status)
    assert case.facts[1].at is None


def test_a_fact_left_out_and_written_anew_keeps_nothing_of_the_default(loading: Loading) -> None:
    own = "{id: grant, fact: status, platform: shopify, field: consent, value: pending}"
    [case] = loading(DEFAULTS + f"cases: [{{id: a, without: [grant], facts: [{own}]}}]")
    assert isinstance(case.facts[1], Status)
    assert (case.facts[1].platform, case.facts[1].evidence, case.facts[1].at) == ("shopify", False, None)


def test_facts_without_an_id_are_numbered_in_their_order(loading: Loading) -> None:
    [case] = loading(DEFAULTS + "cases: [{id: a, facts: [{fact: scrub, registry: one}, {fact: scrub, registry: two}]}]")
    numbered = {fact.id: fact.registry for fact in case.facts if isinstance(fact, Scrub)}
    assert numbered == {"fact-1": "one", "fact-2": "two"}


@pytest.mark.parametrize(
    ("ask", "channel", "purpose", "category"),
    [
        ("E", "email", "marketing", "none"),
        ("S", "sms", "marketing", "none"),
        ("W", "whatsapp", "marketing", "none"),
        ("A", "ads_audience", "marketing", "none"),
        ("T", "email", "transactional", "none"),
        ("E:alcohol", "email", "marketing", "alcohol"),
        ("S:vape", "sms", "marketing", "vape"),
    ],
)
def test_a_letter_spells_channel_and_purpose_and_what_follows_it_the_goods(
    loading: Loading, ask: str, channel: str, purpose: str, category: str
) -> None:
    [case] = loading(DEFAULTS + f"cases: [{{id: a, questions: [{{ask: {ask}}}]}}]")
    [question] = case.questions
    assert (question.channel, question.purpose, question.category) == (channel, purpose, category)
    assert (question.topic, question.sender, question.as_of, question.known_at) == ("*", "any", None, None)


def test_what_a_question_spells_out_goes_before_its_letter(loading: Loading) -> None:
    [case] = loading(DEFAULTS + "cases: [{id: a, questions: [{ask: T, channel: sms, category: vape}]}]")
    [question] = case.questions
    assert (question.channel, question.purpose, question.category) == ("sms", "transactional", "vape")


def test_a_letter_that_means_nothing_is_refused_with_those_that_do(loading: Loading) -> None:
    said = refused(loading, DEFAULTS + "cases: [{id: a, questions: [{ask: E}, {ask: X}]}]")
    assert "case a: questions.1: ask 'X' is none of E, S, W, A, T" in said


@pytest.mark.parametrize("time", ["2026-11-22T18:00:00", "2026-11-22", "'2026-11-22T18:00:00'"])
def test_a_time_without_a_zone_is_refused(loading: Loading, time: str) -> None:
    said = refused(loading, f"cases: [{{id: a, as_of: {time}}}]")
    assert "case a: as_of: " in said
    assert "timezone" in said
    in_a_fact = refused(loading, DEFAULTS + f"cases: [{{id: a, facts: [{{id: grant, at: {time}}}]}}]")
    assert "case a: facts.grant.status.at: " in in_a_fact


@pytest.mark.parametrize("time", ["2026-11-22T18:00:00Z", "2026-11-22T10:00:00-08:00", "'2026-11-22T18:00:00Z'"])
def test_a_time_counts_in_the_zone_it_names(loading: Loading, time: str) -> None:
    [case] = loading(f"cases: [{{id: a, as_of: {time}}}]")
    assert case.as_of == datetime(2026, 11, 22, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("facts: [{id: grant, valeu: x}]", "facts.grant.status.valeu: Extra inputs are not permitted"),
        ("facts: [{id: grant, value: true}]", "facts.grant.status.value: Input should be a valid string"),
        ("facts: [{fact: status, platform: klaviyo, value: x}]", "facts.fact-1.status.field: Field required"),
        ("facts: [{fact: rumour}]", "facts.fact-1: Input tag 'rumour'"),
        ("facts: [{platform: klaviyo}]", "facts.fact-1: Unable to extract tag"),
        ("facts: [{fact: age, platform: p, kind: dob, level: 6}]", "facts.fact-1.age.level: "),
        ("facts: {id: grant}", "`facts` is a list"),
        ("facts: [grant]", "`facts` is a list"),
        ("without: grant", "`without` is a list"),
        ("without: [grants]", "`without` names grants, which no default fact is called"),
        ("questions: [{channel: fax}]", "questions.0.channel: "),
        ("plans: [{platform: klaviyo}]", "plans.0.operation: Field required"),
        ("rules: [{seed: minimum_age}]", "rules.0.row: Field required"),
        ("rules: [{seed: registries, row: {registry: utah}}]", "rules.0.seed: Input should be 'minimum_age' or"),
        ("rules: [{seed: minimum_age, row: {category: vape, county: GB}}]", "rules.0.row.county: Extra inputs"),
        ("rules: [{seed: minimum_age, row: {category: vape, country: GB, value: adult}}]", "rules.0.row.value: "),
        ("policy: {us_email_requires_grnat: false}", "`policy` names us_email_requires_grnat; known are ads_require"),
        ("answer: 42", "answer: Extra inputs are not permitted"),
        ("policy: [a]", "`policy` is a name and a value each"),
    ],
)
def test_a_fault_is_told_with_its_file_case_fact_and_key(loading: Loading, own: str, said: str) -> None:
    told = refused(loading, DEFAULTS + f"cases: [{{id: before}}, {{id: a, {own}}}]")
    assert ", case a: " in told
    assert said in told


def test_a_row_of_rules_is_of_everywhere_and_an_age_unless_it_says_otherwise(loading: Loading) -> None:
    row = "{category: vape, country: GB, value: 20, effective_from: 2027-01-01}"
    [case] = loading(f"cases: [{{id: a, as_of: 2026-11-22T18:00:00Z, rules: [{{seed: minimum_age, row: {row}}}]}}]")
    assert case.rules[0].row == {
        "category": "vape",
        "country": "GB",
        "region": "*",
        "kind": "age",
        "value": "20",
        "effective_from": "2027-01-01",
    }


def test_all_faults_of_a_case_are_told_at_once(loading: Loading) -> None:
    own = "facts: [{id: grant, colour: red, value: 1}], questions: [{ask: X}]"
    told = refused(loading, DEFAULTS + f"cases: [{{id: a, {own}}}]")
    assert told.count("; ") == 2


def test_a_case_without_a_time_is_refused(loading: Loading) -> None:
    assert "case a: as_of: Field required" in refused(loading, "cases: [{id: a}]")


@pytest.mark.parametrize("case", ["{title: nameless}", "{id: ''}", "just words"])
def test_a_case_without_an_id_is_refused(loading: Loading, case: str) -> None:
    assert "a case has no id" in refused(loading, DEFAULTS + f"cases: [{case}]")


def test_two_cases_of_one_id_are_refused_though_one_is_a_number(loading: Loading) -> None:
    assert "more than one case is called 1." in refused(loading, DEFAULTS + "cases: [{id: 1}, {id: '1'}, {id: 2}]")


def test_two_facts_of_one_id_are_refused(loading: Loading) -> None:
    twice = "{id: x, fact: scrub, registry: r}"
    said = refused(loading, DEFAULTS + f"cases: [{{id: a, facts: [{twice}, {twice}]}}]")
    assert "more than one fact is called x" in said


@pytest.mark.parametrize(
    "fact",
    [
        "{id: r, fact: review, of: nothing, verdict: stop, actor: sam, reason: read}",
        "{id: r, fact: status, platform: klaviyo, field: consent, value: SUBSCRIBED, write: nothing}",
    ],
)
def test_a_fact_that_names_a_fact_which_is_not_there_is_refused(loading: Loading, fact: str) -> None:
    said = refused(loading, DEFAULTS + f"cases: [{{id: a, facts: [{fact}]}}]")
    assert "r names nothing, which no fact of the case is called" in said


def test_a_fact_may_name_one_of_the_defaults(loading: Loading) -> None:
    review = "{fact: review, of: grant, verdict: no_stop, actor: sam, reason: read}"
    [case] = loading(DEFAULTS + f"cases: [{{id: a, facts: [{review}]}}]")
    assert isinstance(case.facts[-1], Review)
    assert "grant" in refused(loading, DEFAULTS + f"cases: [{{id: a, without: [grant], facts: [{review}]}}]")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "defaults: {}", "cases:", "cases: {id: a}", "cases: []\ncase: []", "just words"],
)
def test_a_file_that_lists_no_cases_is_refused_with_what_to_write(loading: Loading, text: str) -> None:
    assert "write `cases:`, a list" in refused(loading, text)


@pytest.mark.parametrize("text", ["cases: [", "cases: [{id: a, as_of: 2026-13-01T00:00:00Z}]", "\tcases: []"])
def test_a_file_that_is_no_yaml_is_refused(loading: Loading, text: str) -> None:
    assert "is not YAML" in refused(loading, text)


@pytest.mark.parametrize(
    "defaults", ["[x]", "{facts: {a: b}}", "{facts: [{fact: scrub, registry: r}]}", "{facts: [x]}"]
)
def test_defaults_that_no_case_could_use_are_refused(loading: Loading, defaults: str) -> None:
    text = f"defaults: {defaults}\ncases: [{{id: a, as_of: 2026-11-22T18:00:00Z}}]"
    assert "`defaults`" in refused(loading, text)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml cannot be read"):
        load(tmp_path / "absent.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xfe\x00cases")
    with pytest.raises(ConfigurationError, match=r"picture\.yaml cannot be read"):
        load(tmp_path / "picture.yaml")


@cache
def shipped() -> tuple[Case, ...]:
    return tuple(load(SHIPPED))


def number(case: Case) -> str:
    """The number of the forty that a case belongs to, if any: 11 of 11b."""
    found = re.fullmatch(r"(\d+)[a-z]?", case.id)
    return found[1] if found else ""


def test_the_shipped_file_has_the_forty_and_more_than_sixty_others() -> None:
    assert {number(case) for case in shipped()} - {""} == FORTY
    assert len([case for case in shipped() if not number(case)]) >= 60
    assert len(shipped()) >= 100


def test_every_question_of_the_forty_says_what_it_expects() -> None:
    forty = [case for case in shipped() if number(case)]
    assert [case.id for case in forty if not case.questions] == []
    assert [case.id for case in forty for question in case.questions if question.eligible is None] == []


def test_every_other_case_expects_something_of_all_that_it_asks() -> None:
    others = [case for case in shipped() if not number(case)]
    assert [case.id for case in others if not case.questions and not case.plans] == []
    assert [case.id for case in others for question in case.questions if question.eligible is None] == []
    assert [case.id for case in others for plan in case.plans if plan.allowed is None] == []


def test_only_a_refusal_is_given_a_leading_reason() -> None:
    asked = [(case.id, question) for case in shipped() for question in case.questions]
    assert [name for name, question in asked if question.eligible and (question.lead or question.codes)] == []


def test_every_reason_that_the_shipped_file_names_is_a_reason_code() -> None:
    with (ROOT / "dbt_project" / "seeds" / "reason_codes.csv").open() as file:
        codes = {row["code"] for row in csv.DictReader(file)}
    asked = [question for case in shipped() for question in case.questions]
    named = {code for question in asked for code in (question.lead, *(question.codes or ())) if code}
    assert len(named) > 15
    assert named - {"held_for_review"} <= codes


def test_titles_say_one_thing_each_and_no_two_the_same() -> None:
    titles = [case.title for case in shipped()]
    assert [title for title in titles if not 15 <= len(title) <= 110 or title.endswith(".")] == []
    assert len(set(titles)) == len(titles)


def test_every_rule_of_precedence_that_a_decision_can_show_has_a_case() -> None:
    named = {int(found[1]) for case in shipped() if (found := re.match(r"rule-(\d+)-", case.id))}
    assert named == set(range(1, 21))


def test_nobody_in_the_shipped_file_is_told_of_before_it_happened() -> None:
    """But for clocks that are fast, whose cases say so."""
    early = {
        case.id
        for case in shipped()
        for fact in case.facts
        if isinstance(fact, Status | Record | Age) and fact.recorded and fact.at and fact.recorded < fact.at
    }
    assert early == {"rule-5-grant", "rule-5-withdrawal", "rule-5-small", "check-fast-clock", "bounce-fast-clock"}


def page() -> str:
    return (ROOT / "docs" / "decide.md").read_text()


def test_every_file_that_the_page_shows_loads(loading: Loading) -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", page(), re.DOTALL | re.MULTILINE)
    assert len(shown) >= 4
    assert all(case.questions for text in shown for case in loading(text))


@pytest.mark.parametrize("part", [Case, Question, Plan, Rule, *FACTS], ids=lambda part: part.__name__)
def test_the_page_explains_every_key_of_the_format(part: type[BaseModel]) -> None:
    told = set(re.findall(r"`([a-zA-Z_]+)`", page()))
    assert set(part.model_fields) - told == set()
    words = {word for field in part.model_fields.values() for word in literals(field.annotation)}
    assert words - told == set()


def literals(annotation: object) -> set[str]:
    """The words that a key may have, wherever its type names them."""
    inner = get_args(annotation)
    return {word for one in inner for word in ({one} if isinstance(one, str) else literals(one))}
