"""Section 2, rule 19: sources that have not answered for two of their schedules."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestration.deciding import cases
from tests.oracle.times import LOW
from tests.oracle.world import World


def stale(world: World, at: datetime) -> frozenset[tuple[str, str]]:
    """Platform and account of every source without a successful contact for two schedules; unnamed ones are fresh."""
    return frozenset(source for source, ends in _ends(world).items() if any(end <= at for end in ends.values()))


def _ends(world: World) -> dict[tuple[str, str], dict[str, datetime]]:
    """Source -> object -> when its last contact stops to count."""
    if "_ends" not in world.__dict__:
        found: dict[tuple[str, str], dict[str, datetime]] = {}
        schedules = int(world.policy.get("stale_after_schedules", 2))
        for fact, when, _ in world.of(cases.Contact):
            objects = found.setdefault((fact.platform, fact.account), {})
            end = LOW if when.lo == LOW else when.lo + schedules * timedelta(seconds=fact.schedule_seconds)
            objects[fact.object] = max(end, objects.get(fact.object, LOW))
        world.__dict__["_ends"] = found
    return world.__dict__["_ends"]


def turning_points(world: World) -> set[datetime]:
    """Times at which a source turns stale."""
    return {end for ends in _ends(world).values() for end in ends.values()}
