"""Section 2, rule 20: a write of ours never creates consent."""

from __future__ import annotations

import re
from datetime import datetime

from orchestration.deciding.cases import Case, Plan, Question
from tests.oracle import assumed
from tests.oracle.consent import covers
from tests.oracle.rules import Rules
from tests.oracle.statement import CLOSING
from tests.oracle.world import World, ask


def judge(case: Case, rules: Rules) -> list[bool]:
    """Whether each planned write of a case may be made, in order."""
    world = World.known(case, rules.beside(case.rules), case.known_at or case.as_of)
    return [not grants(plan) or _freshly_granted(world, plan, case.as_of) for plan in case.plans]


def grants(plan: Plan) -> bool:
    """Whether a write is of the grant type."""
    operation = re.sub(r"\s+", "", plan.operation).casefold()
    named = assumed.GRANT_OPERATIONS.get(plan.platform, ("subscribe",))
    if re.search(r"unsubscri|withdraw|suppress|remove", operation):
        return False
    return any(one in operation for one in named) or bool(re.search(r"subscribe|grant|opt_?in", operation))


def _freshly_granted(world: World, plan: Plan, at: datetime) -> bool:
    """A grant by the customer, with evidence, on that very platform, which nothing said since has closed."""
    target = world.identity.target(plan.identifier)
    for one in world.statements:
        if one.platform != plan.platform or one.target != target or not one.lifts or one.when.hi > at:
            continue
        for channel in sorted(one.channels or ()):
            asked = ask(world, Question(channel=channel, topic=one.topic, identifier=plan.identifier), at)
            closing = [other for other in asked.statements if other.state in CLOSING or other.kind]
            if all(one.when.lo > other.when.hi for other in closing if other.kind or covers(asked, other)):
                return True
    return False
