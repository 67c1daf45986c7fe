"""The set-based part of comparing two builds' decisions: whom the newer lets in, and what explains it.

Works on the open warehouse, with the published copy attached as `former`. `comparison_base` is a temp view of what was
decided before; everything after the one anti join is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.warehouse import Build

#: Why somebody may be contacted now, in the order in which they are tried, as people read them.
CAUSES = {
    "first_seen": "seen for the first time",
    "own_new_grant": "with a new grant of their own",
    "suppression_ended": "whose block was lifted or ended",
    "clock_or_evidence": "by a birthday, a date that passed or new evidence",
    "rule_change": "by other rules",
    "merge": "as records of other people became theirs, or left them",
    "unexplained": "unexplained",
}
#: Causes that do not count towards the limits.
APART = ("first_seen", "own_new_grant")
#: What `judge` leaves in the session: a row per person, identifier and question.
FOUND = "comparison_found"
_BLOCKS = (
    "erased", "legal_block", "invalid_address", "hard_bounce", "carrier_block", "spam_complaint", "manual_block",
    "held_for_review",
)  # fmt: skip
_PROOFS = (
    "minor", "age_no_evidence", "age_level_low", "age_conflict", "under_age", "capacity_void", "capacity_unproven",
    "registry_hit", "registry_stale", "jurisdiction_unknown",
)  # fmt: skip
_COLUMNS = (
    "person_id, identifier_type, identifier, question_id, reason_codes, evidence_ids, rule_version, next_change_at"
)
_KEYS = "question_id, identifier_type, identifier"


@dataclass(frozen=True, slots=True)
class Base:
    """The build that is compared with."""

    build_id: int
    as_of: datetime
    known_at: datetime


def published_base(connection: duckdb.DuckDBPyConnection) -> Base:
    """Compare with the published copy."""
    columns = [row[0] for row in connection.execute("DESCRIBE former.marts.decisions").fetchall()]
    # A source that was silent kept nobody out for good: such people were in.
    was_in = "may_remain" if "may_remain" in columns else "eligible"
    _base(connection, f"SELECT {_COLUMNS}, {was_in} AS was_in FROM former.marts.decisions")
    _records(connection, "SELECT record_key, person_id FROM former.intermediate.person_records")
    [row] = connection.execute("SELECT build_id, as_of, known_at FROM former.marts.clock").fetchall()
    return Base(*row)


def kept_base(connection: duckdb.DuckDBPyConnection) -> Base:
    """Compare with what the published copy was itself held against."""
    _base(connection, "FROM former.comparison.base_decisions")
    _records(connection, "FROM former.comparison.base_records")
    [row] = connection.execute(
        "SELECT base_build_id, base_as_of, base_known_at FROM former.comparison.summary"
    ).fetchall()
    return Base(*row)


def judge(connection: duckdb.DuckDBPyConnection, build: Build, base: Base) -> None:
    """Find who is newly eligible, and why; rows stay in the temp table `comparison_found`."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE comparison_new AS
        WITH asked AS (
            SELECT question_id, channel FROM marts.questions WHERE purpose <> 'suppression'
            AND question_id IN (SELECT question_id FROM comparison_base)
        ),
        was_in AS (SELECT {_KEYS} FROM comparison_base WHERE was_in)
        SELECT now.person_id, {_KEYS}, asked.channel, now.evidence_ids, now.rule_version
        FROM marts.decisions AS now JOIN asked USING (question_id)
        ANTI JOIN was_in USING ({_KEYS})
        WHERE now.eligible
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE comparison_found AS
        WITH before AS (
            SELECT {_KEYS}, list_distinct(flatten(list(reason_codes))) AS codes,
                list_distinct(flatten(list(evidence_ids))) AS evidence_ids, list(DISTINCT person_id) AS people,
                max(rule_version) AS rule_version, min(next_change_at) AS next_change_at
            FROM comparison_base SEMI JOIN comparison_new USING ({_KEYS}) GROUP BY ALL
        ),
        known_people AS (SELECT DISTINCT person_id FROM comparison_base SEMI JOIN comparison_new USING (person_id)),
        known_identifiers AS (
            SELECT DISTINCT identifier_type, identifier
            FROM comparison_base SEMI JOIN comparison_new USING (identifier_type, identifier)
        ),
        evidence AS (SELECT person_id, {_KEYS}, unnest(evidence_ids) AS id FROM comparison_new),
        granted AS (
            SELECT DISTINCT new.question_id, new.identifier_type, new.identifier
            FROM comparison_new AS new JOIN intermediate.consent_events AS statements
                ON statements.identifier_type = new.identifier_type AND statements.identifier = new.identifier
            WHERE starts_with(statements.state, 'granted') AND statements.actor = 'customer'
                AND statements.recorded_at > $known_at AND statements.channel IN ('*', new.channel)
            UNION
            -- Where the law takes a purchase or an inquiry for consent, a new one is the person's own doing.
            SELECT {_of("evidence")} FROM evidence JOIN marts.customer_events AS events ON events.event_id = evidence.id
            WHERE events.recorded_at > $known_at AND events.occurred_at > $as_of
        ),
        former_evidence AS (SELECT {_KEYS}, unnest(evidence_ids) AS id FROM before),
        ended AS (
            SELECT {_of("former_evidence")} FROM former_evidence
            JOIN intermediate.suppressions AS blocks ON blocks.suppression_id = former_evidence.id
            WHERE blocks.ended_at IS NOT NULL
                OR blocks.suppression_id IN (SELECT suppression_id FROM intermediate.lifted_suppressions)
            UNION
            SELECT {_of("former_evidence")} FROM former_evidence
            JOIN intermediate.reviews AS reviews ON reviews.reviewed_id = former_evidence.id
            WHERE reviews.reviewed_at > $known_at
        ),
        proven AS (
            SELECT DISTINCT {_of("evidence")} FROM evidence
            JOIN intermediate.age_evidence AS proofs ON proofs.age_evidence_id = evidence.id
            WHERE proofs.recorded_at > $known_at
        ),
        compared AS (SELECT count(*) > 0 AS anew FROM intermediate.registry_receipts WHERE compared_at > $as_of),
        records AS (
            SELECT record_key, person_id FROM intermediate.person_records SEMI JOIN comparison_new USING (person_id)
        ),
        former_records AS (FROM comparison_base_records SEMI JOIN comparison_new USING (person_id)),
        moved AS (
            SELECT person_id FROM records ANTI JOIN former_records USING (record_key, person_id)
            UNION
            SELECT person_id FROM former_records ANTI JOIN records USING (record_key, person_id)
        )
        SELECT new.person_id, new.identifier_type, new.identifier, new.question_id,
            before.codes AS former_reason_codes,
            CASE
                WHEN known_people.person_id IS NULL AND known_identifiers.identifier IS NULL THEN 'first_seen'
                WHEN granted.identifier IS NOT NULL THEN 'own_new_grant'
                WHEN ended.identifier IS NOT NULL AND list_has_all($blocks, before.codes) THEN 'suppression_ended'
                WHEN before.next_change_at <= $now THEN 'clock_or_evidence'
                WHEN list_has_all($proofs, before.codes) AND (
                    proven.identifier IS NOT NULL
                    OR (compared.anew AND list_has_any(before.codes, ['registry_hit', 'registry_stale']))
                ) THEN 'clock_or_evidence'
                WHEN before.rule_version <> new.rule_version THEN 'rule_change'
                WHEN moved.person_id IS NOT NULL OR NOT coalesce(list_contains(before.people, new.person_id), false)
                    THEN 'merge'
                ELSE 'unexplained'
            END AS cause
        FROM comparison_new AS new
        CROSS JOIN compared
        LEFT JOIN before USING ({_KEYS})
        LEFT JOIN known_people USING (person_id)
        LEFT JOIN known_identifiers USING (identifier_type, identifier)
        LEFT JOIN granted USING ({_KEYS})
        LEFT JOIN ended USING ({_KEYS})
        LEFT JOIN proven USING ({_KEYS})
        LEFT JOIN moved USING (person_id)
        """,
        {
            "known_at": base.known_at,
            "as_of": base.as_of,
            "now": build.as_of,
            "blocks": list(_BLOCKS),
            "proofs": list(_PROOFS),
        },
    )


def counts(connection: duckdb.DuckDBPyConnection, table: str = FOUND) -> tuple[dict[str, int], dict[str, int], int]:
    """People by cause (each under the one that needs looking at most), who counts by question, and all who count."""
    order = list(reversed(CAUSES))
    by_cause = connection.execute(
        f"""
        WITH people AS (
            SELECT person_id, min(list_position($order, cause)) AS place FROM {table} GROUP BY person_id
        )
        SELECT list_extract($order, place), count(*) FROM people GROUP BY place ORDER BY place DESC
        """,
        {"order": order},
    ).fetchall()
    apart = {"apart": list(APART)}
    by_question = connection.execute(
        f"SELECT question_id, count(DISTINCT person_id) FROM {table} WHERE NOT list_contains($apart, cause) "
        "GROUP BY ALL ORDER BY ALL",
        apart,
    ).fetchall()
    [(flipped,)] = connection.execute(
        f"SELECT count(DISTINCT person_id) FROM {table} WHERE NOT list_contains($apart, cause)", apart
    ).fetchall()
    return dict(by_cause), dict(by_question), flipped


def limits(connection: duckdb.DuckDBPyConnection) -> tuple[float, int, int]:
    """The policies: the share of people, the number of people, and how few are never too many."""
    [(share, most, least)] = connection.execute(
        "SELECT policies['mass_flip_share']::DOUBLE, policies['mass_flip_people']::INTEGER, "
        "policies['mass_flip_least']::INTEGER FROM marts.clock"
    ).fetchall()
    return share, most, least


def _of(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in _KEYS.split(", "))


def _base(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP VIEW comparison_base AS {query}")


def _records(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP VIEW comparison_base_records AS {query}")
