"""A fault in the SQL that decides is noticed: each of these by a case file, a random history or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestration.deciding.cases import load
from orchestration.deciding.decide import Answer
from orchestration.home import Home
from tests.deciding.mutants import Built, Mutant
from tests.oracle.histories import numbered

HISTORIES = 150
CASES = Path(__file__).parents[1] / "cases" / "consent_and_age.yaml"
FAULTS = [
    Mutant("a tie lifts a withdrawal", "consent_state", "weighed.acted_at > weighed.withdrawn_at", "weighed.acted_at >= weighed.withdrawn_at"),
    Mutant("a withdrawal of all channels stays on its own", "reached_statements", "where statements.scope = 'all_channels' and statements.state = 'withdrawn'", "where false"),
    Mutant("an objection does not reach ad audiences", "reached_statements", "'ads_audience' as channel", "'postal' as channel"),
    Mutant("anybody's grant lifts a withdrawal", "consent_state", "resolved.basis = 'express' and resolved.actor = 'customer' and resolved.has_evidence", "true"),
    Mutant("a grant counts before it was given", "consent_state", "else resolved.effective_hi\n            end <= scopes.as_of", "else '-infinity'::timestamptz\n            end <= scopes.as_of"),
    Mutant("statements of other worlds are heard", "consent_state", "resolved.world = scopes.world\n            and ", ""),
    Mutant("what is said of all channels is not heard on one", "consent_state", "resolved.channel in ('*', scopes.channel)", "resolved.channel = scopes.channel"),
    Mutant("a stop by text leaves other texts", "consent_state", "or (resolved.state = 'withdrawn' and told.stops_with = asked.stops_with)", ""),
    Mutant("any sender is no sender", "consent_state", "or (scopes.sender = 'any' and resolved.state = 'withdrawn')", ""),
    Mutant("the oldest grant counts instead of the newest", "consent_state", "max(effective_lo) filter (where state = 'granted' and is_act) as acted_at", "min(effective_lo) filter (where state = 'granted' and is_act) as acted_at"),
    Mutant("a birthday comes a day late", "age_state", "is_proof and today >= of_age_on as is_old_enough", "is_proof and today > of_age_on as is_old_enough"),
    Mutant("a weaker proof overrules a birth date", "age_state", "proofs.level > judged.level", "proofs.level >= judged.level"),
    Mutant("a failed check yields to earlier proof", "age_state", "and proofs.verified_at > coalesce(judged.verified_at, judged.recorded_at)", ""),
    Mutant("any level of proof will do", "judged_age_evidence", "evidence.level >= rules.required_level as is_strong_enough", "true as is_strong_enough"),
    Mutant("a proof never loses its binding", "judged_age_evidence", "and evidence.is_bound\n", "\n"),
    Mutant("proof does not expire", "judged_age_evidence", "and coalesce(evidence.stands_until > rules.as_of, true) as is_proof", "as is_proof"),
    Mutant("the mildest of several places counts", "person_age_rules", "when max(jurisdictions.minimum_age) < 999 then max(jurisdictions.minimum_age)", "when max(jurisdictions.minimum_age) < 999 then min(jurisdictions.minimum_age)"),
    Mutant("a receipt is fresh for ever", "question_registries", "stale_at < as_of", "false"),
    Mutant("a listing is nothing without consent", "registry_listings", "questions.purpose = 'marketing'\n    and registries", "false\n    and registries"),
    Mutant("a block stands on marketing alone", "question_blocks", "(blocks.blocks = 'all' or questions.purpose = 'marketing')", "questions.purpose = 'marketing'"),
    Mutant("any later grant lifts a complaint", "lifted_suppressions", "and statements.state = 'granted_confirmed'", ""),
    Mutant("a bounce is lifted by what came before", "lifted_suppressions", "and suppressions.effective_at < statements.effective_lo", ""),
    Mutant("minors are asked for restricted goods only when they are children", "decisions", "minors.is_minor\n                and (", "false\n                and ("),
    Mutant("a void consent counts", "decisions", "when granted_by_day < born_of_age_on or granted_by_day < may_consent_from", "when false"),
    Mutant("the law of a country is not asked", "place_channel_laws", "and governed.governing_country = there.country", "and there.country = 'XX'"),
    Mutant("old places are forgotten at once", "person_places", "where place = 1 or is_recent", "where place = 1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("mutants")
    home = Home(folder / "home")
    home.data.mkdir(parents=True)
    return Built(home, folder, [*load(CASES), *(numbered(number) for number in range(HISTORIES))])


@pytest.fixture(scope="module")
def right(built: Built) -> Sequence[Answer]:
    return built.answers()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_noticed(built: Built, right: Sequence[Answer], fault: Mutant) -> None:
    wrong = built.with_fault(fault)
    changed = [
        (one, other)
        for one, other in zip(right, wrong, strict=True)
        if (one.eligible, one.reason_codes) != (other.eligible, other.reason_codes)
    ]
    in_cases = {other.case for _, other in changed if other.unexpected and not other.case.startswith("history-")}
    in_histories = {other.case for _, other in changed if other.case.startswith("history-")}
    print(f"{fault.name}: {len(in_cases)} cases ({', '.join(sorted(in_cases)[:3])}), {len(in_histories)} histories")
    assert in_cases or in_histories
