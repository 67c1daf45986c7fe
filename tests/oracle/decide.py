"""The order of evaluation: every reason against contact, the first of them in the lead, and when the answer changes.

Eligible is who has no suppression, good consent for the place, channel and purpose, proof of age for the category and
place, a category that is lawful on that channel there, and fresh sources. Whatever is unknown is not eligible.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from orchestration.deciding.cases import Case, Event, Question
from tests.oracle import age as ages
from tests.oracle import freshness, registries, suppressions
from tests.oracle import identifiers as ids
from tests.oracle.consent import REVOKED_TOGETHER, Consent, consent, missing, needed
from tests.oracle.places import Place, Requirement, lawful_on_channel, places, requirements, rule_days, signals, window
from tests.oracle.rules import Rules
from tests.oracle.statement import GRANTS
from tests.oracle.times import LAST_PLACE, local_day, midnight, plus_months, zone
from tests.oracle.world import Ask, World, ask

Reasons = list[tuple[str, list[str]]]
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    eligible: bool
    codes: tuple[str, ...]
    lead: str
    evidence: tuple[str, ...]
    next_change_at: datetime | None


def decide(case: Case, rules: Rules) -> list[Answer]:
    """An answer per question of a case, in order."""
    rules = rules.beside(case.rules)
    worlds: dict[datetime, World] = {}
    answers = []
    for question in case.questions:
        as_of = question.as_of or case.as_of
        known_at = question.known_at or case.known_at or as_of
        if known_at not in worlds:
            worlds[known_at] = World.known(case, rules, known_at)
        answers.append(_answer(worlds[known_at], question, as_of))
    return answers


def _answer(world: World, question: Question, as_of: datetime) -> Answer:
    asked = ask(world, question, as_of)
    reasons, good = evaluate(asked, as_of)
    codes = _ordered(world.rules, reasons)
    named = {fact for _, facts in reasons for fact in facts} if reasons else set(good)
    return Answer(
        eligible=not reasons,
        codes=codes or ("ok",),
        lead=codes[0] if codes else "ok",
        evidence=tuple(sorted(named)),
        next_change_at=next_change(asked, as_of, codes),
    )


def _ordered(rules: Rules, reasons: Reasons) -> tuple[str, ...]:
    return tuple(sorted({code for code, _ in reasons}, key=rules.positions.__getitem__))


def evaluate(asked: Ask, at: datetime, *, quick: bool = False) -> tuple[Reasons, list[str]]:
    """All reasons against at a time, and the facts that speak for it; if quick, one reason is enough."""
    if asked.question.purpose == "suppression":
        gone = suppressions.erased(asked, at)
        return ([("erased", gone)] if gone else []), []
    if asked.question.purpose == "transactional":
        return _transactional(asked, at), []
    return _marketing(asked, at, quick)


def _transactional(asked: Ask, at: datetime) -> Reasons:
    """Rule 13: marketing withdrawals do not touch it; erasure, a dead address and that sender's STOP do."""
    reasons = _identifier(asked)
    if gone := suppressions.erased(asked, at):
        reasons.append(("erased", gone))
    reasons += suppressions.codes(asked, at)
    where, _ = places(asked, at)
    found = consent(asked, at, where, None, None)
    reasons += [("withdrawn", [one.id]) for one in found.closed]
    # Carriers refuse the whole business of cannabis by text, account notices too.
    if asked.channel in ("sms", "mms") and "cannabis" in {world_parent(asked, one) for one in asked.categories}:
        reasons.append(("category_prohibited_on_channel", []))
    if gap := registries.disconnected(asked, at):
        voided = not any(
            one.state in GRANTS
            and one.target == asked.target
            and one.channels is not None
            and asked.channel in one.channels
            and gap[0] < one.when.lo.date()
            and one.when.hi <= at
            for one in asked.statements
        )
        reasons += [("carrier_block", [gap[1]])] if voided else []
    return reasons


def world_parent(asked: Ask, category: str) -> str:
    return asked.world.rules.parents.get(category, category)


def _identifier(asked: Ask) -> Reasons:
    """Section 6: one exact key to target, and no address that is nobody's."""
    reasons: Reasons = []
    if asked.target is None:
        reasons.append(("no_identifier", []))
    elif asked.raw and ids.blocked(asked.raw):
        reasons.append(("invalid_address", []))
    return reasons


def _marketing(asked: Ask, at: datetime, quick: bool) -> tuple[Reasons, list[str]]:
    reasons = _identifier(asked)
    gone = suppressions.erasures(asked, at)
    if standing := suppressions.erased(asked, at):
        reasons.append(("erased", standing))
    erased_at = max((one.when.hi for one in gone), default=None)
    reasons += suppressions.codes(asked, at)
    if quick and reasons:
        return reasons, []

    where, known = places(asked, at)
    if not known:
        reasons.append(("jurisdiction_unknown", []))
    today = local_day(at, ages.where_of(asked, at))
    wanted, level, unlawful = _goods(asked, where, today)
    reasons += unlawful
    if quick and reasons:
        return reasons, []

    gap = registries.disconnected(asked, at)
    found = consent(asked, at, where, erased_at, gap[0] if gap else None)
    reasons += [("withdrawn" if one.state == "withdrawn" else "held_for_review", [one.id]) for one in found.closed]
    wants_grant = needed(asked, where)
    if wants_grant and not found.grants:
        reasons.append(missing(asked, found, at))
    if gap and not found.grants:
        reasons.append(("carrier_block", [gap[1]]))
    reasons += registries.codes(asked, where, at, today, found.grants)
    if asked.categories and asked.raw and (ids.role(asked.raw) or not asked.own.isdisjoint(_shared(asked))):
        reasons.append(("identity_ambiguous", []))
    if quick and reasons:
        return reasons, []

    proof = ages.AgeOf(asked, at, erased_at)
    limits = requirements(asked.world, "data_consent", where, today) or frozenset()
    reasons += _minors(asked, proof, limits)
    facts = [one.id for one in found.grants]
    if wanted is not None:
        old_enough = proof.codes(wanted, level)
        reasons += old_enough
        facts += proof.proving(wanted, level) if not old_enough else []
    if wants_grant and found.grants:
        reasons += _of_grants(asked, proof, found, at, wanted, level, limits)
    return reasons, facts


def floor(world: World) -> int:
    """Section 4: restricted goods are never marketed to anyone younger, whatever the purchase age is."""
    return int(world.policy["marketing_floor_age"])


def _shared(asked: Ask) -> frozenset[str]:
    return asked.world.identity.shared


def _goods(asked: Ask, where: frozenset[Place], today: date) -> tuple[frozenset[Requirement] | None, int, Reasons]:
    """The rules on age of the message's categories there, the level of evidence they want, and what is unlawful."""
    if not asked.categories:
        return None, 0, []
    world, reasons = asked.world, list[tuple[str, list[str]]]()
    wanted = {Requirement("age", floor(asked.world))}
    level = 0
    for category in asked.categories:
        rules = requirements(world, category, where, today)
        if rules is None:
            reasons.append(("category_prohibited_there", []))
        if not lawful_on_channel(world, category, asked.channel, where, today):
            reasons.append(("category_prohibited_on_channel", []))
        wanted |= rules or frozenset()
        levels = world.rules.levels
        level = max(level, levels.get(category, levels.get(world_parent(asked, category), 5)))
    return frozenset(wanted), level, reasons


def _minors(asked: Ask, proof: ages.AgeOf, limits: frozenset[Requirement]) -> Reasons:
    """Section 5, minors: no restricted goods and no ads to anyone suspected, no mail under the age of data consent."""
    found = proof.minors(limits)
    if asked.categories or asked.channel == "ads_audience":
        found += proof.minors(frozenset({Requirement("age", floor(asked.world))}))
        if any(ids.school(key) for key in asked.around if key.startswith("email:")):
            return [("minor", found)]
    return [("minor", found)] if found else []


def _of_grants(
    asked: Ask,
    proof: ages.AgeOf,
    found: Consent,
    at: datetime,
    wanted: frozenset[Requirement] | None,
    level: int,
    limits: frozenset[Requirement],
) -> Reasons:
    """Section 5, capacity, and rule 19: one and the same grant must be of age and from a fresh source."""
    able, unproven = [], False
    for one in found.grants:
        if limits and proof.capacity(one, limits, 0) == "no":
            continue
        told = proof.capacity(one, wanted, level) if wanted is not None else "yes"
        unproven = unproven or told == "unproven"
        if told == "yes" or (told == "unproven" and asked.channel == "email"):
            able.append(one)
    reasons: Reasons = []
    if not able:
        reasons.append(("capacity_unproven" if unproven else "capacity_void", [one.id for one in found.grants]))
    silent = freshness.stale(asked.world, at)
    if silent and all((one.platform, one.account) in silent for one in able or found.grants):
        reasons.append(("stale_source", [one.id for one in able or found.grants]))
    return reasons


#: Reasons that the clock alone never takes away, unless something is already said that holds from later on.
LASTING = frozenset({
    "erased", "legal_block", "invalid_address", "hard_bounce", "spam_complaint", "manual_block", "withdrawn",
    "held_for_review", "no_identifier", "identity_ambiguous",
})  # fmt: skip


def next_change(asked: Ask, as_of: datetime, codes: tuple[str, ...]) -> datetime | None:
    """The next time at which eligibility flips without any new fact: tried at every instant that could matter.

    Each is tried a moment later, so that it does not matter whether what ends there still holds in that very instant.
    """
    said = [one.when.hi for one in asked.statements] + [when.hi for _, when, _ in asked.world.of(Event)]
    if not LASTING.isdisjoint(codes) and all(end <= as_of for end in said):
        return None
    for instant in sorted(turn for turn in _turning_points(asked, as_of) if turn >= as_of):
        reasons, _ = evaluate(asked, instant + TICK, quick=True)
        if bool(reasons) != bool(codes):
            return instant
    return None


def _turning_points(asked: Ask, as_of: datetime) -> set[datetime]:
    """Every instant at which something about a question begins or ends by the clock alone."""
    world, found = asked.world, set[datetime]()
    for one in asked.statements:
        found |= {one.closes_from, one.when.lo, one.when.hi}
        if one.expires:
            found.add(one.expires)
    if (law := world.rules.revoke_all_from) and asked.channel in REVOKED_TOGETHER:
        found.add(datetime(law.year, law.month, law.day, tzinfo=UTC))
    if asked.question.purpose != "marketing":
        return found
    found |= freshness.turning_points(world) | registries.turning_points(asked)
    zones = {zone(one.fact.time_zone) for one in asked.current(asked.owned, as_of)} | {LAST_PLACE}
    where: set[Place] = set()
    for user in asked.users:
        for signal in signals(world, user):
            where.add(signal.place)
            found |= {signal.at, plus_months(signal.at, window(world))}
    where |= places(asked, as_of)[0]
    for record in asked.owned:
        found |= {version.when.hi for version in world.identity.versions[record]}
    days = {local_day(as_of, one) for one in zones}
    rules = rule_days(world, asked.categories, frozenset(where))
    found |= {midnight(day, one) for day in rules for one in zones}
    wanted: set[Requirement] = {Requirement("age", floor(asked.world))}
    for day in days | {day for day in rules if day > as_of.date()}:
        for category in (*asked.categories, "data_consent"):
            wanted |= requirements(world, category, frozenset(where), day) or frozenset()
            for place in where:
                wanted |= requirements(world, category, frozenset({place}), day) or frozenset()
    return found | ages.turning_points(asked, frozenset(wanted))
