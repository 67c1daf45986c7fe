"""A published copy with what the queue of reviews, links and registries read of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.home import Home

NOW = datetime.now(UTC)
TABLES = """
CREATE SCHEMA IF NOT EXISTS intermediate;
CREATE SCHEMA IF NOT EXISTS marts;
CREATE TABLE intermediate.suppressions (
    suppression_id VARCHAR, platform VARCHAR, account VARCHAR, record_id VARCHAR, kind VARCHAR, identifier_type VARCHAR,
    told VARCHAR, identifier VARCHAR, source VARCHAR, effective_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, said_on VARCHAR,
    words VARCHAR
);
CREATE TABLE intermediate.consent_events (
    consent_event_id VARCHAR, platform VARCHAR, account VARCHAR, channel VARCHAR, method VARCHAR, evidence JSON,
    recorded_at TIMESTAMPTZ
);
CREATE TABLE intermediate.person_keys (person_id VARCHAR, identifier_type VARCHAR, identifier VARCHAR);
CREATE TABLE intermediate.person_records (person_id VARCHAR, platform VARCHAR, account VARCHAR, record_id VARCHAR);
CREATE TABLE intermediate.registry_receipts (
    registry VARCHAR, identifier VARCHAR, is_domain BOOLEAN, result VARCHAR, compared_at TIMESTAMPTZ
);
CREATE TABLE intermediate.registry_guards (question_id VARCHAR, registry VARCHAR, stale_at TIMESTAMPTZ);
CREATE TABLE marts.questions (question_id VARCHAR, channel VARCHAR, product_category VARCHAR, topic VARCHAR);
CREATE TABLE marts.clock (build_id BIGINT, policies MAP(VARCHAR, VARCHAR));
CREATE TABLE marts.decisions (
    person_id VARCHAR, question_id VARCHAR, reason_codes VARCHAR[], decided_as_of TIMESTAMPTZ, identifier_type VARCHAR,
    identifier VARCHAR
);
INSERT INTO marts.clock VALUES (1, MAP {'registry_max_days': '30'});
"""


def publish(home: Home, *statements: tuple[str, list[Any]]) -> None:
    """Make the copy: the house's raw tables, the tables above, and whatever the statements put into them."""
    home.published.mkdir(parents=True, exist_ok=True)
    home.published_warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(home.published_warehouse)) as connection:
        warehouse.ensure_raw(connection, [], [])
        connection.execute(TABLES)
        for sql, values in statements:
            connection.execute(sql, values)


def held(
    suppression_id: str,
    identifier: str | None,
    *,
    said_on: str | None = "sms",
    words: str = "dont stop the deals",
    kind: str = "held_for_review",
    record_id: str | None = None,
    ended: bool = False,
    days: int = 1,
) -> tuple[str, list[Any]]:
    """A reason in the published build, by default a text that may mean stop."""
    at = NOW - timedelta(days=days)
    values = [suppression_id, "twilio", "main", record_id, kind, "email" if "@" in (identifier or "") else "phone"]
    values += [identifier, identifier, "twilio wording", at, NOW if ended else None, said_on, words]  # type: ignore[list-item]
    return "INSERT INTO intermediate.suppressions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values


def person(person_id: str, *identifiers: str) -> tuple[str, list[Any]]:
    """A person with identifiers."""
    pairs = [("email" if "@" in one else "phone", one) for one in identifiers]
    rows = ", ".join("(?, ?, ?)" for _ in pairs)
    return (
        f"INSERT INTO intermediate.person_keys VALUES {rows}",
        [value for kind, one in pairs for value in (person_id, kind, one)],
    )


def record(person_id: str, platform: str, record_id: str) -> tuple[str, list[Any]]:
    """A record of a person."""
    return "INSERT INTO intermediate.person_records VALUES (?, ?, 'main', ?)", [person_id, platform, record_id]
