"""The ten properties as trials: a history and what it is compared with are two worlds of the same build.

Each property makes, of one random history, a second case and says how the answers to both must hang together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from orchestration.deciding.cases import Age, Case, Event, Fact, Link, Record, Review, Scrub, Status, Write
from orchestration.deciding.decide import Answer
from tests.oracle.histories import NOW, REGISTRIES

#: What is wrong with the second answer, given the first; empty if nothing.
Relation = Callable[[Answer, Answer], str]
END = datetime(2032, 1, 1, tzinfo=UTC)
#: The trials of the moment after a next change.
PASSED = "P10: when its time has passed, the next is later"
#: What nothing but its own end may take away.
BLOCKS = frozenset(
    {
        "erased", "legal_block", "minor", "registry_hit", "invalid_address", "hard_bounce", "carrier_block",
        "spam_complaint", "manual_block", "withdrawn", "held_for_review",
    }
)  # fmt: skip
#: Edges that carry no proof of age.
MERGES = ("platform_merge", "by_hand")
#: What a proof of age may take away.
AGE = frozenset({"age_no_evidence", "age_level_low", "age_conflict", "under_age", "capacity_void", "capacity_unproven"})


@dataclass(frozen=True)
class Trial:
    """Two cases with the same number of questions, and what must hold between each pair of answers."""

    name: str
    first: Case
    second: Case
    relation: Relation


def same(one: Answer, other: Answer) -> str:
    told = (one.reason_codes, one.next_change_at), (other.reason_codes, other.next_change_at)
    return "" if told[0] == told[1] else f"{told[0]} became {told[1]}"


def same_codes(one: Answer, other: Answer) -> str:
    return "" if one.reason_codes == other.reason_codes else f"{one.reason_codes} became {other.reason_codes}"


def not_more(one: Answer, other: Answer) -> str:
    return f"{one.reason_codes} became eligible" if other.eligible and not one.eligible else ""


def blocks_stay(one: Answer, other: Answer) -> str:
    lost = BLOCKS.intersection(one.reason_codes).difference(other.reason_codes)
    return f"{sorted(lost)} of {one.reason_codes} went: {other.reason_codes}" if lost else ""


def not_weaker(one: Answer, other: Answer) -> str:
    return blocks_stay(one, other) or not_more(one, other)


def not_weaker_but_for_age(one: Answer, other: Answer) -> str:
    """Proof of age may come with an authenticated edge, and nothing else does."""
    return blocks_stay(one, other) or ("" if AGE.issuperset(one.reason_codes) else not_more(one, other))


def own_refusal_stays(one: Answer, other: Answer) -> str:
    """What the identifier's own refusal closed, as far as the first answer rests on it, is closed in the second."""
    closed = "withdrawn" in one.reason_codes and "refused" in one.evidence
    return f"{one.reason_codes} became {other.reason_codes}" if closed and "withdrawn" not in other.reason_codes else ""


def as_known(case: Case) -> Case:
    """The case with each question's as-of and known-at spelt out, so that a change of facts moves neither."""
    asked = []
    for question in case.questions:
        as_of = question.as_of or case.as_of
        asked.append(question.model_copy(update={"as_of": as_of, "known_at": question.known_at or as_of}))
    return case.model_copy(update={"questions": asked, "plans": []})


def with_facts(case: Case, facts: Sequence[Fact]) -> Case:
    return case.model_copy(update={"facts": list(facts)})


def trials(case: Case, chance: Random) -> list[Trial]:
    """The trials of one history that need no answer beforehand."""
    case = as_known(case)
    return [
        Trial("P1: the order of arrival changes nothing", case, _shuffled(case, chance), same),
        Trial("P2: what is told twice changes nothing", case, _repeated(case, chance), same_codes),
        Trial("P3: an objection makes nobody eligible", *_objected(case, chance), not_more),
        Trial("P3: a merge makes nobody eligible", *_merged(case, chance.choice(MERGES), chance), not_weaker),
        Trial(
            "P3: an authenticated edge brings proof of age alone",
            *_merged(case, "authenticated", chance),
            not_weaker_but_for_age,
        ),
        Trial("P3: somebody else at the same address makes nobody eligible", *_shared(case), not_weaker),
        Trial("P4: a proof less makes nobody eligible", case, _unproven(case, chance), not_more),
        Trial("P5: a split leaves what was so before the merge", *_split(case, chance), not_weaker),
        Trial("P5: a split leaves an identifier its own refusal", *_refused_and_split(case, chance), own_refusal_stays),
        Trial("P6: what was learnt later changes no answer", *_then(case, chance), same),
        Trial("P8: one place more makes nobody eligible", *_elsewhere(case, chance), not_more),
        Trial("P8: restricted goods go to no one to whom others may not", *_goods(case, chance), not_more),
    ]


def later_trials(case: Case, answers: Sequence[Answer], chance: Random) -> list[Trial]:
    """P7 and P10, which start from the answers; a next change may be told too early and never too late."""
    case = as_known(case)
    made = []
    for question, answer in zip(case.questions, answers, strict=True):
        one = case.model_copy(update={"questions": [question]})
        assert question.as_of is not None
        until = min(answer.next_change_at or END, END)
        if until > question.as_of:
            within = (until - question.as_of) * chance.random()
            moments = (question.as_of + within, max(until - timedelta(seconds=1), question.as_of))
            made += [Trial("P10: nothing flips before its time", one, _asked_at(one, at), _unflipped) for at in moments]
        if answer.next_change_at:
            then = _asked_at(one, answer.next_change_at + timedelta.resolution)
            made.append(Trial(PASSED, one, then, _goes_on))
        named = set(answer.evidence)
        if not answer.eligible and named:
            left = with_facts(one, [fact for fact in one.facts if fact.id not in named])
            made.append(Trial("P7: without its evidence the answer is another", one, left, _other))
    return made


def _asked_at(case: Case, moment: datetime) -> Case:
    return case.model_copy(
        update={"questions": [question.model_copy(update={"as_of": moment}) for question in case.questions]}
    )


def _goes_on(one: Answer, other: Answer) -> str:
    """Else a build would be made for that moment again and again."""
    assert one.next_change_at is not None
    waits = other.next_change_at is None or other.next_change_at > one.next_change_at
    return "" if waits else f"at {one.next_change_at} the next is {other.next_change_at}"


def _unflipped(one: Answer, other: Answer) -> str:
    return "" if one.eligible == other.eligible else f"{one.reason_codes} became {other.reason_codes}"


def _other(one: Answer, other: Answer) -> str:
    told = (list(one.reason_codes), sorted(one.evidence)), (list(other.reason_codes), sorted(other.evidence))
    return "" if told[0] != told[1] else f"still {told[0]}"


def _shuffled(case: Case, chance: Random) -> Case:
    return with_facts(case, chance.sample(list(case.facts), len(case.facts)))


def _repeated(case: Case, chance: Random) -> Case:
    """Some facts twice; not what a person has read, since they read no more than one."""
    read = {fact.of for fact in case.facts if isinstance(fact, Review)}
    unread = [fact for fact in case.facts if fact.id not in read]
    chosen = chance.sample(unread, min(4, len(unread)))
    return with_facts(case, [*case.facts, *(fact.model_copy(update={"id": f"{fact.id}-again"}) for fact in chosen)])


def _objected(case: Case, chance: Random) -> tuple[Case, Case]:
    """Something that can only speak against contact: an exact refusal, a suppression, a young or failed check.

    Without writes of ours: a refusal may be the reason that makes a block our own, to end with the refusal.
    """
    case = with_facts(case, [fact for fact in case.facts if not isinstance(fact, Write)])
    question = chance.choice(list(case.questions))
    platform, _, name = (question.record or "shopify:main:r0").split(":")
    at = NOW - timedelta(days=chance.choice((1, 20, 400)))
    told: dict[str, Any] = {"id": "added", "at": at, "recorded": at}
    refusal = {"platform": "sendgrid", "identifier": question.identifier, "field": "event", "channel": "email"}
    whose = {"platform": platform, "record": name, "level": chance.randint(1, 5)}
    made: list[Fact] = [
        Status(fact="status", **told, **refusal, value=chance.choice(("unsubscribe", "spamreport", "bounce"))),
        Status(fact="status", **told, platform="shopify", identifier=question.identifier, field="consent",
               value="unsubscribed", channel=question.channel),
        Age(fact="age", **told, **whose, kind="dob", value="2013-02-03"),
        Age(fact="age", **told, **whose, kind="fail"),
        Scrub(fact="scrub", **told, registry=REGISTRIES[0], identifier=question.identifier, result="listed"),
    ]  # fmt: skip
    return case, with_facts(case, [*case.facts, chance.choice(made)])


def _earliest(case: Case) -> datetime:
    """Before whatever a question is about, and what was known of it."""
    return min(min(question.as_of or NOW, question.known_at or NOW) for question in case.questions)


def _with_stranger(case: Case, *, like: str | None = None, refused: bool = False) -> Case:
    """The case and a second person of proven age, who may be written to; `like` is an identifier that both show."""
    told: dict[str, Any] = {"at": NOW - timedelta(days=1100), "recorded": NOW - timedelta(days=1100)}
    email = "zoe@elsewhere.example"
    shown = {"phone" if like and "@" not in like else "email": like or email}
    said = {"fact": "status", "platform": "klaviyo", "identifier": email, "channel": "email", "field": "consent"}
    facts: list[Fact] = [
        Record.model_validate({"fact": "record", "id": "zoe", "platform": "shopify", "record": "zoe", "name": "Zoe Poe",
                               **shown, **told}),
        Status.model_validate({**said, "id": "zoe-grant", "value": "SUBSCRIBED", "detail": "true", "actor": "customer",
                               "evidence": True, **told}),
        Age.model_validate({"fact": "age", "id": "zoe-age", "platform": "shopify", "record": "zoe", "kind": "dob",
                            "level": 5, "value": "1980-03-04", **told}),
    ]  # fmt: skip
    for days in (1100, 700, 300, 5):  # who proves an age and is never seen again proves none
        at = NOW - timedelta(days=days)
        facts.append(Event.model_validate({"fact": "event", "id": f"zoe-{days}", "platform": "shopify", "record": "zoe",
                                           "name": "login", "at": at, "recorded": at}))  # fmt: skip
    if refused:
        facts.append(Status.model_validate({**said, "id": "zoe-left", "value": "UNSUBSCRIBED", **told}))
    return with_facts(case, [*case.facts, *facts])


def _linked(case: Case, reason: str, *, retracted: bool = False) -> Case:
    """The case whose first asked record is said to be the stranger's, long ago; perhaps no longer."""
    record = next((question.record for question in case.questions if question.record), "shopify:main:r0")
    at = NOW - timedelta(days=1090)
    link = {"fact": "link", "id": "edge", "records": (record, "shopify:main:zoe"), "reason": reason, "at": at}
    taken_back = {"retracted": min(at + timedelta(days=5), _earliest(case))} if retracted else {}
    return with_facts(case, [*case.facts, Link.model_validate({**link, "recorded": at, **taken_back})])


def _merged(case: Case, reason: str, chance: Random) -> tuple[Case, Case]:
    """Two who were apart, and the same as one; more often than not the first has proven no age."""
    if chance.random() < 0.7:
        goods = [question.model_copy(update={"category": "alcohol"}) for question in case.questions]
        ageless = [fact for fact in case.facts if not isinstance(fact, Age)]
        case = with_facts(case.model_copy(update={"questions": goods}), ageless)
    apart = _with_stranger(case, refused=chance.random() < 0.3)
    return apart, _linked(apart, reason)


def _shared(case: Case) -> tuple[Case, Case]:
    """The stranger with an address of their own, and with the one that is asked about."""
    identifier = next(question.identifier for question in case.questions if question.identifier)
    return _with_stranger(case), _with_stranger(case, like=identifier)


def _split(case: Case, chance: Random) -> tuple[Case, Case]:
    apart = _with_stranger(case, refused=True)
    return apart, _linked(apart, chance.choice(("platform_merge", "authenticated", "by_hand")), retracted=True)


def _refused_and_split(case: Case, chance: Random) -> tuple[Case, Case]:
    """The asked identifier refuses while its person counts as the stranger's, and then no longer does."""
    question = next(question for question in case.questions if question.identifier)
    at = _earliest(case) - timedelta(hours=1)
    refusal = Status(
        fact="status", id="refused", platform="shopify", identifier=question.identifier, field="consent",
        value="unsubscribed", channel=question.channel, at=at, recorded=at,
    )  # fmt: skip
    whole = _with_stranger(with_facts(case, [*case.facts, refusal]), refused=chance.random() < 0.5)
    reason = chance.choice(("platform_merge", "authenticated", "by_hand"))
    return _linked(whole, reason), _linked(whole, reason, retracted=True)


def _unproven(case: Case, chance: Random) -> Case:
    speaking_for = [fact.id for fact in case.facts if _speaks_for(fact)]
    gone = set(chance.sample(speaking_for, chance.randint(0, len(speaking_for))))
    return with_facts(case, [fact for fact in case.facts if fact.id not in gone])


def _speaks_for(fact: Fact) -> bool:
    if isinstance(fact, Scrub):
        return fact.result == "clear"
    if isinstance(fact, Age):
        return fact.kind == "over" or (fact.kind == "dob" and fact.value == "1990-05-01")
    # An archived audience falls back on what was last known of it, which may be the better without a weak grant.
    granted = (
        isinstance(fact, Status) and fact.value.casefold() in ("subscribed", "yes") and fact.platform != "mailchimp"
    )
    return granted and fact.at is not None


def _then(case: Case, chance: Random) -> tuple[Case, Case]:
    """What was asked of a time with all that is known now, and with nothing but what was known then."""
    then = NOW - timedelta(days=chance.choice((1, 3, 20, 45, 200, 400, 700)))
    asked = [question.model_copy(update={"as_of": then, "known_at": then}) for question in case.questions]
    whole = case.model_copy(update={"questions": asked})
    known = [fact for fact in case.facts if (fact.recorded or then) <= then]
    return whole, with_facts(whole, known).model_copy(update={"as_of": then})


def _elsewhere(case: Case, chance: Random) -> tuple[Case, Case]:
    """The person had something sent to where they live, and then, besides, to another place."""
    home = next((fact for fact in case.facts if isinstance(fact, Record) and fact.country), None)
    if home is None:
        return case, case
    told = {"fact": "event", "platform": home.platform, "record": home.record, "name": "parcel_sent"}

    def sent(name: str, days: int, country: str | None, region: str | None) -> Fact:
        at = min(question.as_of or NOW for question in case.questions) - timedelta(days=days)
        return Event.model_validate(
            {**told, "id": name, "at": at, "recorded": at, "country": country, "region": region}
        )

    country, region = chance.choice(
        (("US", "TX"), ("US", "CA"), ("GB", None), ("FR", None), ("CA", "QC"), ("KR", None))
    )
    settled = with_facts(case, [*case.facts, sent("home", 30, home.country, home.region)])
    return settled, with_facts(settled, [*settled.facts, sent("elsewhere", 40, country, region)])


def _goods(case: Case, chance: Random) -> tuple[Case, Case]:
    """The same questions about goods without any restriction, and about restricted ones."""
    like = any(isinstance(fact, Status) and fact.basis for fact in case.facts)  # a soft opt-in is for like goods alone
    if like:
        return case, case
    category = chance.choice(("alcohol", "vape", "cannabis", "adult", "tobacco"))
    marketing = [question for question in case.questions if question.purpose == "marketing"] or list(case.questions)[:0]
    plain = [question.model_copy(update={"category": "none"}) for question in marketing]
    goods = [question.model_copy(update={"category": category}) for question in marketing]
    return case.model_copy(update={"questions": plain}), case.model_copy(update={"questions": goods})
