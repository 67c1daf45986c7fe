"""The oracle agrees with every expectation that stands in the case file, and the ten properties hold of it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.deciding.cases import Age, Case, Fact, Link, Question, Scrub, Status, load
from tests.oracle import Answer, Rules, decide, judge
from tests.oracle.decide import evaluate
from tests.oracle.histories import NOW, REGISTRIES, histories, numbered
from tests.oracle.places import Place, lawful_on_channel, requirements
from tests.oracle.plans import grants
from tests.oracle.statement import CLOSING, GRANTS
from tests.oracle.world import World, ask, recorded_at

CASES = load(Path(__file__).parents[1] / "cases" / "consent_and_age.yaml")
RULES = Rules.load()
#: Expectations that the rules, read by their words, do not bear out: case and question -> the oracle's reading.
DISPUTED: dict[tuple[str, int], str] = {}
few = settings(max_examples=400, derandomize=True)  # the same histories every time; other numbers find new ones
numbers = st.integers(0, 999_999)
plenty = numbers.map(numbered)
chances = numbers.map(Random)


def with_facts(case: Case, facts: Sequence[Fact], **changes: Any) -> Case:
    return case.model_copy(update={"facts": list(facts), **changes})


def eligible(answers: Sequence[Answer]) -> list[bool]:
    return [answer.eligible for answer in answers]


def as_known(case: Case) -> Case:
    """The case with each question's as-of and known-at spelt out, so that a change of facts moves neither."""
    asked = []
    for question in case.questions:
        as_of = question.as_of or case.as_of
        asked.append(question.model_copy(update={"as_of": as_of, "known_at": question.known_at or as_of}))
    return case.model_copy(update={"questions": asked})


@cache
def answers(place: int) -> list[Answer]:
    return decide(CASES[place], RULES)


EXPECTED = [
    pytest.param(place, number, id=f"{case.id}-{number}")
    for place, case in enumerate(CASES)
    for number, question in enumerate(case.questions)
    if (question.eligible, question.lead, question.codes, question.next_change_at) != (None,) * 4
]


def disagreement(place: int, number: int) -> str:
    """What the oracle answers otherwise than a question expects; empty if nothing."""
    wanted, answer = CASES[place].questions[number], answers(place)[number]
    wrong = []
    if wanted.eligible is not None and wanted.eligible != answer.eligible:
        wrong.append(f"eligible is {answer.eligible}")
    if wanted.lead is not None and wanted.lead != answer.lead:
        wrong.append(f"lead is {answer.lead}")
    if wanted.codes is not None and not set(wanted.codes) <= set(answer.codes):
        wrong.append(f"codes are {answer.codes}")
    if wanted.next_change_at is not None:
        change = answer.next_change_at or "never"
        wrong += [f"next change is at {change}"] if wanted.next_change_at != change else []
    return "; ".join(wrong)


@pytest.mark.parametrize(("place", "number"), EXPECTED)
def test_the_oracle_answers_as_the_case_file_expects_or_the_dispute_is_named(place: int, number: int) -> None:
    disputed = (CASES[place].id, number) in DISPUTED
    assert bool(disagreement(place, number)) == disputed, disagreement(place, number) or "agreed: no dispute any more"


@pytest.mark.parametrize("case", [case for case in CASES if case.plans], ids=lambda case: case.id)
def test_the_oracle_judges_planned_writes_as_the_case_file_expects(case: Case) -> None:
    expected = [plan.allowed for plan in case.plans]
    judged = judge(case, RULES)
    assert [told for told, wanted in zip(judged, expected, strict=True) if wanted is not None] == [
        wanted for wanted in expected if wanted is not None
    ]


def test_numbered_histories_are_the_same_every_time_and_meet_most_reasons() -> None:
    assert numbered(7) == numbered(7) != numbered(8)
    met = {code for number in range(150) for answer in decide(numbered(number), RULES) for code in answer.codes}
    rare = {"legal_block", "invalid_address", "left", "holdout", "quiet_hours", "frequency_cap", "no_identifier"}
    assert set(RULES.positions) - rare - met <= {"not_granted", "unknown", "implied_expired", "pending"}


@few
@given(plenty, chances)
def test_p1_the_order_in_which_facts_arrive_changes_nothing(case: Case, chance: Random) -> None:
    shuffled = list(case.facts)
    chance.shuffle(shuffled)
    assert decide(with_facts(case, shuffled), RULES) == decide(case, RULES)


@few
@given(histories() | plenty, chances)
def test_p2_facts_told_twice_change_nothing(case: Case, chance: Random) -> None:
    repeated = [*case.facts, *chance.sample(list(case.facts), min(4, len(case.facts)))]
    assert decide(with_facts(case, repeated), RULES) == decide(case, RULES)


def against(case: Case, question: Question, chance: Random) -> Fact:
    """Something that can only speak against contact: an exact refusal, a suppression, a young or failed check."""
    at = NOW - timedelta(days=chance.choice((1, 20, 400)))
    record = question.record or "shopify:main:r0"
    platform, _, name = record.split(":")
    told = {"id": "added", "at": at, "recorded": at}
    refusal: dict[str, Any] = {"platform": "sendgrid", "identifier": question.identifier, "field": "event"}
    refusal |= {"fact": "status", "channel": "email", "value": chance.choice(("unsubscribe", "spamreport", "bounce"))}
    young: dict[str, Any] = {"fact": "age", "platform": platform, "record": name, "level": chance.randint(1, 5)}
    young |= chance.choice(({"kind": "dob", "value": "2013-02-03"}, {"kind": "fail"}))
    listed = {"fact": "scrub", "registry": REGISTRIES[0], "identifier": question.identifier}
    listed |= {"result": "listed"}
    added = chance.choice((refusal, young, listed))
    kind = {"status": Status, "age": Age, "scrub": Scrub}[str(added["fact"])]
    return kind.model_validate(added | told)


@few
@given(plenty, chances)
def test_p3_a_refusal_a_suppression_or_a_younger_birth_date_makes_nobody_eligible(case: Case, chance: Random) -> None:
    added = against(case, chance.choice(list(case.questions)), chance)
    before, after = decide(case, RULES), decide(with_facts(case, [*case.facts, added]), RULES)
    assert all(old or not new for old, new in zip(eligible(before), eligible(after), strict=True))


@few
@given(plenty, chances)
def test_p3_a_link_removes_no_block_and_only_an_authenticated_one_carries_proof_of_age(
    case: Case, chance: Random
) -> None:
    records = sorted({question.record or "" for question in case.questions} | {"shopify:main:r0", "klaviyo:main:r1"})
    reason = chance.choice(("by_hand", "platform_merge", "authenticated"))
    told = {"fact": "link", "id": "added", "records": tuple(chance.sample(records, 2)), "reason": reason}
    # Whoever merges two again whom somebody took apart says that their address and name are one person's after all.
    case = with_facts(case, [fact for fact in case.facts if not isinstance(fact, Link) or fact.retracted is None])
    link = Link.model_validate(told | {"at": NOW - timedelta(days=900)})
    before, after = decide(case, RULES), decide(with_facts(case, [*case.facts, link]), RULES)
    blocks = {"erased", "manual_block", "withdrawn", "held_for_review", "hard_bounce", "spam_complaint"}
    if reason != "authenticated":  # whoever has logged in as both also tells the place, and with it whose registries
        blocks |= {"registry_hit", "minor", "age_conflict"}
    for old, new in zip(before, after, strict=True):
        assert blocks & set(old.codes) <= set(new.codes)
        assert reason == "authenticated" or old.eligible or not new.eligible


def is_grant(case: Case, fact: Fact) -> bool:
    world = World.known(case, RULES, case.as_of)
    return isinstance(fact, Status) and any(
        one.id == fact.id and one.state in GRANTS and fact.at is not None and fact.platform != "mailchimp"
        for one in world.statements
    )


def proves(fact: Fact) -> bool:
    if isinstance(fact, Scrub):
        return fact.result == "clear"
    return isinstance(fact, Age) and (fact.kind == "over" or (fact.kind == "dob" and fact.value == "1990-05-01"))


@few
@given(plenty, chances)
def test_p4_without_a_grant_a_proof_or_a_receipt_nobody_becomes_eligible(case: Case, chance: Random) -> None:
    speaking_for = [fact for fact in case.facts if proves(fact) or is_grant(case, fact)]
    receipts = [fact for fact in speaking_for if isinstance(fact, Scrub)]
    some = chance.sample(speaking_for, chance.randint(0, len(speaking_for)))
    gone = {fact.id for fact in chance.choice((receipts, some))}
    before = decide(case, RULES)
    after = decide(with_facts(case, [fact for fact in case.facts if fact.id not in gone]), RULES)
    assert all(old or not new for old, new in zip(eligible(before), eligible(after), strict=True))


@few
@given(plenty)
def test_p5_splitting_a_person_leaves_every_refusal_on_the_identifier_that_made_it(case: Case) -> None:
    facts = [fact for fact in case.facts if not isinstance(fact, Link)]
    links = [fact for fact in case.facts if isinstance(fact, Link)]
    told = {"id": "joined", "fact": "link", "records": ("shopify:main:r0", "klaviyo:main:r1"), "reason": "by_hand"}
    joined = [*links, Link.model_validate(told | {"at": NOW - timedelta(days=900)})]
    split = [link.model_copy(update={"retracted": NOW - timedelta(days=800), "recorded": link.at}) for link in joined]
    asked = [question.model_copy(update={"as_of": NOW, "known_at": NOW}) for question in case.questions]
    never = decide(with_facts(case, facts, questions=asked), RULES)
    # Whom somebody took apart no address and name join either: a proof less may count, and nothing more.
    apart = decide(with_facts(case, [*facts, *split], questions=asked), RULES)
    assert all("withdrawn" in many.codes for few, many in zip(never, apart, strict=True) if "withdrawn" in few.codes)
    assert all(few.eligible or not many.eligible for few, many in zip(never, apart, strict=True))
    once = decide(with_facts(case, [*facts, *joined], questions=asked), RULES)
    assert all("withdrawn" in many.codes for few, many in zip(never, once, strict=True) if "withdrawn" in few.codes)


@few
@given(plenty, st.integers(1, 900))
def test_p6_a_decision_by_what_was_known_then_is_the_one_that_was_made_then(case: Case, days: int) -> None:
    then = NOW - timedelta(days=days)
    asked = [question.model_copy(update={"as_of": then, "known_at": then}) for question in case.questions]
    logged = [fact for fact in case.facts if recorded_at(fact, case) <= then]
    now = decide(with_facts(case, case.facts, questions=asked), RULES)
    assert now == decide(with_facts(case, logged, questions=asked, as_of=then), RULES)


@few
@given(plenty)
def test_p7_every_no_has_a_reason_that_leaves_when_its_facts_do(case: Case) -> None:
    case = as_known(case)
    for question, answer in zip(case.questions, decide(case, RULES), strict=True):
        assert answer.eligible == (answer.codes == ("ok",)) == (answer.lead == "ok")
        if answer.eligible:
            continue
        facts = list(case.facts)
        for _ in range(len(facts) + 1):
            reasons = reasons_of(with_facts(case, facts), question)
            named = {fact for code, told in reasons for fact in told if code == answer.lead}
            if not named or answer.lead not in dict(reasons):
                break
            facts = [fact for fact in facts if fact.id not in named]
        left = reasons_of(with_facts(case, facts), question)
        assert all(code != answer.lead or not told for code, told in left)


def reasons_of(case: Case, question: Question) -> list[tuple[str, list[str]]]:
    as_of = question.as_of or case.as_of
    return evaluate(ask(World.known(case, RULES, question.known_at or as_of), question, as_of), as_of)[0]


@few
@given(plenty, st.sampled_from(("alcohol", "vape", "cannabis", "adult", "tobacco")))
def test_p8_a_mixed_message_goes_to_nobody_to_whom_one_of_its_parts_may_not_go(case: Case, category: str) -> None:
    both = [one.model_copy(update={"category": f"{one.category}+{category}"}) for one in case.questions]
    alone = [one.model_copy(update={"category": category}) for one in case.questions]
    mixed = eligible(decide(case.model_copy(update={"questions": both}), RULES))
    parts = (eligible(decide(case.model_copy(update={"questions": asked}), RULES)) for asked in (alone, case.questions))
    assert all(one and other for many, one, other in zip(mixed, *parts, strict=True) if many)


@few
@given(
    st.sets(st.sampled_from(["US-CA", "US-TX", "US", "CA-AB", "CA-QC", "GB", "KR", "NO", "IN-GJ", "FR"]), min_size=2),
    st.sampled_from(["alcohol", "vape", "cannabis", "adult", "tobacco", "data_consent"]),
    st.sampled_from(["email", "sms", "whatsapp", "ads_audience"]),
)
def test_p8_more_places_never_ask_for_less(names: set[str], category: str, channel: str) -> None:
    world = World.known(Case(id="none", as_of=NOW), RULES, NOW)
    everywhere = {Place(name[:2], name[3:] or None) for name in names}
    whole = requirements(world, category, frozenset(everywhere), NOW.date())
    lawful = lawful_on_channel(world, category, channel, frozenset(everywhere), NOW.date())
    for one in everywhere:
        part = requirements(world, category, frozenset({one}), NOW.date())
        assert whole is None or (part is not None and part <= whole)
        assert not lawful or lawful_on_channel(world, category, channel, frozenset({one}), NOW.date())


@few
@given(plenty)
def test_p9_no_write_creates_consent_without_the_customer_s_own_grant_on_that_platform(case: Case) -> None:
    world = World.known(case, RULES, case.as_of)
    for plan, allowed in zip(case.plans, judge(case, RULES), strict=True):
        target = world.identity.target(plan.identifier)
        own = [one for one in world.statements if one.platform == plan.platform and one.target == target and one.lifts]
        assert allowed or grants(plan)
        assert not allowed or not grants(plan) or own


@few
@given(plenty, chances)
def test_p10_with_nothing_new_an_answer_flips_only_when_the_clock_passes_its_next_change(
    case: Case, chance: Random
) -> None:
    case = as_known(case)
    for question, answer in zip(case.questions, decide(case, RULES), strict=True):
        until = answer.next_change_at or datetime(2032, 1, 1, tzinfo=UTC)
        assert question.as_of is not None
        moments = [question.as_of + (until - question.as_of) * chance.random() for _ in range(4)]
        later = [question.model_copy(update={"as_of": moment}) for moment in moments]
        told = eligible(decide(case.model_copy(update={"questions": later}), RULES))
        assert told == [answer.eligible] * 4
        if answer.next_change_at:
            passed = question.model_copy(update={"as_of": answer.next_change_at + timedelta(microseconds=1)})
            assert decide(case.model_copy(update={"questions": [passed]}), RULES)[0].eligible != answer.eligible


def test_the_oracle_shares_no_code_with_what_it_is_compared_with() -> None:
    ours = {"dbt_project", "dlt_sources", "expectations", "orchestration", "sandbox"}
    named = set()
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                named |= {f"{node.module}.{alias.name}" for alias in node.names}
    of_ours = {name for name in named if name.partition(".")[0] in ours}
    assert of_ours
    assert all(name.startswith("orchestration.deciding.cases") for name in of_ours)


def test_what_closes_and_what_grants_have_nothing_in_common() -> None:
    assert not CLOSING & GRANTS
