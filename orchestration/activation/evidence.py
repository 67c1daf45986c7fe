"""What stands behind a decision: evidence rows by their ids or by what they are about, and acts by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
from sqlalchemy import select

from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import chunks, reading
from orchestration.activation.state import State, builds, ledger, ledger_keys, lifts, reviews
from orchestration.warehouse import has_table

#: Codes that each kind of evidence row can stand behind; a suppression names its own.
_GRANTED = ("no_grant", "implied_expired", "capacity_void", "capacity_unproven", "stale_source")
_AGES = (
    "minor", "age_no_evidence", "age_level_low", "age_conflict", "under_age", "capacity_void", "capacity_unproven",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """How rows of one table are told: SQL for each thing that is shown, never a payload or a birth date."""

    schema: str
    table: str
    key: str
    kind: str
    what: str
    field: str
    value: str
    at: str
    lo: str = "NULL"
    hi: str = "NULL"
    codes: str
    identifier: str = "identifier"
    #: Which rows are about somebody: a condition over `$1`, a list of identifiers, record keys and person ids.
    about: str = (
        "identifier IN (SELECT unnest($1::VARCHAR[])) "
        "OR concat_ws(':', platform, account, record_id) IN (SELECT unnest($1::VARCHAR[]))"
    )


def _list(codes: Sequence[str]) -> str:
    return "['" + "', '".join((*codes, "ok")) + "']"


SOURCES = (
    _Source(
        schema="intermediate",
        table="consent_events",
        key="consent_event_id",
        kind="statement",
        what="concat_ws(' ', state, 'on', channel, CASE WHEN method IS NOT NULL THEN '(' || method || ')' END)",
        field="source",
        value="left(concat_ws(' ', coalesce(evidence ->> '$.value', evidence ->> '$.event', evidence ->> '$.reason', "
        "evidence ->> '$.word', evidence ->> '$.error_code'), '(' || (evidence ->> '$.detail') || ')'), 60)",
        at="effective_hi",
        lo="effective_lo",
        hi="effective_hi",
        codes="CASE WHEN state IN ('withdrawn', 'erased') THEN ['withdrawn', 'erased'] "
        f"WHEN starts_with(state, 'granted') THEN {_list(_GRANTED)} ELSE [state, 'no_grant', 'held_for_review'] END",
    ),
    _Source(
        schema="intermediate",
        table="suppressions",
        key="suppression_id",
        kind="suppression",
        what="kind",
        field="source",
        value="kind",
        at="effective_at",
        lo="effective_at",
        hi="ended_at",
        codes="[reason_code]",
    ),
    _Source(
        schema="intermediate",
        table="age_evidence",
        key="age_evidence_id",
        kind="age evidence",
        what="concat_ws(' ', kind, 'of level', level, CASE WHEN provider IS NOT NULL THEN 'by ' || provider END)",
        field="provider",
        value="concat_ws(' ', kind, CASE WHEN kind IN ('over', 'under') THEN threshold END, '(level ' || level || ')')",
        at="verified_at",
        lo="verified_at",
        hi="expires_at",
        codes=_list(_AGES),
        identifier="NULL",
        about="person_id IN (SELECT unnest($1::VARCHAR[]))",
    ),
    _Source(
        schema="intermediate",
        table="registry_receipts",
        key="fact_id",
        kind="registry",
        what="concat_ws(' ', result, 'at', registry)",
        field="registry",
        value="result",
        at="compared_at",
        lo="since",
        codes=_list(("registry_hit", "registry_stale", "carrier_block")),
        about="identifier IN (SELECT unnest($1::VARCHAR[]))",
    ),
    _Source(
        schema="marts",
        table="customer_events",
        key="event_id",
        kind="act",
        what="event_name",
        field="raw_name",
        value="event_name",
        at="occurred_at",
        lo="occurred_at",
        hi="occurred_at",
        codes=_list(("implied_expired",)),
        identifier="coalesce(email, phone)",
        about="",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One row that a decision rests on: what it says, as whose word, since when, and when we learnt of it.

    `field` and `value` are as the platform has them; it happened, or holds, from `effective_lo` to `effective_hi`;
    `codes` are the reasons that it can stand behind.
    """

    id: str
    kind: str
    what: str
    at: datetime | None
    platform: str
    account: str
    field: str = ""
    value: str = ""
    effective_lo: datetime | None = None
    effective_hi: datetime | None = None
    recorded_at: datetime | None = None
    identifier: str = ""
    codes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What people of ours did about the subject: blocked, lifted or judged; `known` once a build has it."""

    act: str
    channel: str
    topic: str
    actor: str
    reason: str
    at: datetime
    known: bool


def mask(identifier: str) -> str:
    """An identifier that its owner recognises and nobody else can use."""
    name, at, domain = identifier.partition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    return f"{identifier[:3]}***{identifier[-2:]}"


def rows_behind(connection: duckdb.DuckDBPyConnection, ids: Sequence[str], *, show: bool = False) -> list[Evidence]:
    """The evidence rows with these ids, newest first; `show` gives the identifiers they name in full."""
    found: list[Evidence] = []
    for source in SOURCES:
        # Acts are many, so they are looked through for what nothing else explains.
        wanted = sorted(set(ids) - {one.id for one in found})
        if wanted:
            found += rows_where(
                connection, source, f"{source.key} IN (SELECT unnest($1::VARCHAR[]))", wanted, show=show
            )
    return sorted(found, key=_newest_first)


def rows_about(connection: duckdb.DuckDBPyConnection, names: Sequence[str], *, show: bool = False) -> list[Evidence]:
    """Every statement, suppression, proof and listing about any of these, newest first.

    `names` are identifiers, whoever holds them, record keys (`platform:account:record`) and person ids.
    """
    found: list[Evidence] = []
    for source in SOURCES:
        if source.about:
            found += rows_where(connection, source, source.about, names, show=show)
    return sorted(found, key=_newest_first)


def rows_where(
    connection: duckdb.DuckDBPyConnection, source: _Source, condition: str, values: Sequence[str], *, show: bool
) -> list[Evidence]:
    """The rows of one kind that meet a condition over `$1`, a list; none where the table was never built."""
    if not has_table(connection, source.schema, source.table):
        return []
    registry = source.kind == "registry"
    place, recorded = ("'audiences', ''", source.at) if registry else ("platform, account", "recorded_at")
    rows = connection.execute(
        f"SELECT DISTINCT {source.key}, {source.what}, {source.at}, {place}, {source.field}, {source.value}, "
        f"{source.lo}::TIMESTAMPTZ, {source.hi}::TIMESTAMPTZ, {recorded}, {source.identifier}, {source.codes} "
        f"FROM {source.schema}.{source.table} WHERE {condition}",
        [list(values)],
    ).fetchall()
    return [
        Evidence(
            id=row[0],
            kind=source.kind,
            what=row[1] or "",
            at=row[2],
            platform=row[3] or "",
            account=row[4] or "",
            field=row[5] or "",
            value=row[6] or "",
            effective_lo=row[7],
            effective_hi=row[8],
            recorded_at=row[9],
            identifier=(row[10] if show else mask(row[10])) if row[10] else "",
            codes=tuple(row[11]),
        )
        for row in rows
    ]


def _newest_first(one: Evidence) -> tuple[bool, float, str]:
    return one.at is None, -one.at.timestamp() if one.at else 0.0, one.id


def by_hand(state: State, keys: Sequence[str], build_id: int) -> list[ByHand]:
    """Blocks and lifts by hand on any of the keys, and verdicts on what was held of them, oldest first."""
    found: dict[str, ByHand] = {}
    with reading(state.ledger) as connection:
        published = connection.execute(select(builds.c.started_at).where(builds.c.build_id == build_id)).scalar()
        for part in chunks([keyed_hash(state.key, key) for key in keys]):
            blocks = select(ledger).join(ledger_keys).where(ledger_keys.c.key_hash.in_(part))
            for row in connection.execute(blocks.where(ledger.c.actor != "")):
                known = row.absorbed_build is not None and row.absorbed_build <= build_id
                about = {name: getattr(row, name) for name in ("channel", "topic", "actor", "reason")}
                found[row.ledger_id] = ByHand(act="blocked", at=row.occurred_at, known=known, **about)
            for row in connection.execute(select(lifts).where(lifts.c.key_hash.in_(part))):
                known = published is not None and row.lifted_at < published
                about = {name: getattr(row, name) for name in ("channel", "topic", "actor", "reason")}
                found[row.lift_id] = ByHand(act="lifted", at=row.lifted_at, known=known, **about)
            for row in connection.execute(select(reviews).where(reviews.c.key_hash.in_(part))):
                about = {"channel": "*", "topic": "*", "actor": row.actor, "reason": row.reason}
                known = published is not None and row.recorded_at < published
                act = f"judged {row.verdict}: {row.reviewed_id}"
                found[row.review_id] = ByHand(act=act, at=row.recorded_at, known=known, **about)
    return sorted(found.values(), key=lambda one: one.at)
