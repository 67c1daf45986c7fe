"""The funnel of each audience, in people: interested → identified → consented → of age → admitted → accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
from sqlalchemy import func, select

from orchestration.activation.catalogue import Catalogue
from orchestration.activation.ledger import reading
from orchestration.activation.state import State, memberships
from orchestration.warehouse import has_table

_AGE = (
    "minor", "category_prohibited_there", "category_prohibited_on_channel", "jurisdiction_unknown", "age_no_evidence",
    "age_level_low", "age_conflict", "under_age", "capacity_void", "capacity_unproven",
)  # fmt: skip
#: Reasons that say nothing about the identifier, the consent or the age.
_LATER = ("left", "holdout", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """How many people of a segment pass each step, and how many were not admitted by lead reason.

    A person passes a step when one of their identifiers does. `accepted` counts people whom some destination holds.
    """

    audience: str
    interested: int
    identified: int
    consented: int
    of_age: int
    admitted: int
    accepted: int
    reasons: Mapping[str, int] = field(default_factory=dict)

    def steps(self) -> list[tuple[str, int]]:
        """The steps in order, each with its people."""
        return [
            ("interested", self.interested),
            ("identified", self.identified),
            ("consented", self.consented),
            ("of age", self.of_age),
            ("admitted", self.admitted),
            ("accepted", self.accepted),
        ]


def funnels(connection: duckdb.DuckDBPyConnection, state: State, catalogue: Catalogue) -> list[Funnel]:
    """The funnel of every audience that a build has made, by name."""
    accepted = accepted_people(state)
    return [
        _funnel(connection, audience.name, accepted.get(audience.name, 0))
        for audience in catalogue.audiences
        if has_table(connection, "audiences", audience.name) and has_table(connection, "exclusions", audience.name)
    ]


def accepted_people(state: State) -> dict[str, int]:
    """Audience → people whom some destination holds as members now."""
    people = func.count(memberships.c.person_id.distinct()).label("people")
    query = select(memberships.c.audience, people).where(memberships.c.status == "accepted")
    with reading(state.deliveries) as connection:
        return {row.audience: row.people for row in connection.execute(query.group_by(memberships.c.audience))}


def _funnel(connection: duckdb.DuckDBPyConnection, name: str, accepted: int) -> Funnel:
    """Each row of the two tables passes 1 to 5 steps; a person as many as their best row."""
    counts = connection.execute(
        f"""
        WITH passed AS (
            SELECT person_id, 5 AS steps FROM audiences."{name}"
            UNION ALL
            SELECT person_id, CASE
                WHEN list_contains(reason_codes, 'no_identifier') THEN 1
                WHEN len(list_filter(reason_codes, lambda code: NOT list_contains($beyond_consent, code))) > 0 THEN 2
                WHEN list_has_any(reason_codes, $age) THEN 3
                ELSE 4
            END
            FROM exclusions."{name}"
        ),
        people AS (SELECT person_id, max(steps) AS steps FROM passed GROUP BY person_id)
        SELECT count(*), count(*) FILTER (steps >= 2), count(*) FILTER (steps >= 3), count(*) FILTER (steps >= 4),
            count(*) FILTER (steps >= 5)
        FROM people
        """,
        {"beyond_consent": [*_AGE, *_LATER], "age": list(_AGE)},
    ).fetchone() or (0, 0, 0, 0, 0)
    reasons = connection.execute(
        f'SELECT lead_reason, count(DISTINCT person_id) FROM exclusions."{name}" GROUP BY 1 ORDER BY 2 DESC, 1'
    ).fetchall()
    return Funnel(
        audience=name,
        interested=counts[0],
        identified=counts[1],
        consented=counts[2],
        of_age=counts[3],
        admitted=counts[4],
        accepted=accepted,
        reasons=dict(reasons),
    )
