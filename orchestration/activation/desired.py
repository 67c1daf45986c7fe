"""The desired side of a plan: whom an audience admits, on which records of a place, with which traits.

Temp tables: `plan_desired` (ref, person_id, identifier_type, identifier, traits as JSON text, fingerprint of traits and
keys), a row per ref, `plan_left` (why a person of the segment was not admitted) and `plan_remaining` (people of the
segment who are kept out by nothing but a silent source: they are not added, and not removed either).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from orchestration.activation.catalogue import Audience, Place
from orchestration.activation.keys import keyed_hash
from orchestration.activation.members import PERSON, UNSEEN, identifier_type
from orchestration.activation.state import State
from orchestration.warehouse import Build, has_table

#: What a member's payload is told apart by: a fingerprint, not a proof, since md5 takes half the time. The secret keeps
#: identifiers from being guessed.
_FINGERPRINT = "md5($secret || coalesce({traits}, '') || coalesce(array_to_string(known.suppression_keys, ' '), ''))"
#: The column of `destination_records` that holds each kind of identifier.
_COLUMNS = {"email": "email", "phone": "phone", PERSON: "person_id"}
#: People admitted as such, by each of their addresses.
_ADDRESSES = (
    "(SELECT people.* REPLACE ('email' AS identifier_type, addresses.email AS identifier) FROM {} AS people JOIN "
    "(SELECT DISTINCT person_id, email FROM marts.destination_records WHERE email IS NOT NULL) AS addresses "
    "USING (person_id))"
)
_TEXTS = {
    "TIMESTAMP WITH TIME ZONE": "strftime({0} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ')",
    "TIMESTAMP": "strftime({0}, '%Y-%m-%dT%H:%M:%SZ')",
    "DATE": "strftime({0}, '%Y-%m-%d')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """How the desired side turned out: rows admitted, people without a record there, and what is wrong with it."""

    built: bool = True
    admitted: int = 0
    unreachable: int = 0
    duplicates: int = 0
    nulls: int = 0
    missing_traits: tuple[str, ...] = ()


def desire(
    connection: duckdb.DuckDBPyConnection, state: State, build: Build, audience: Audience, place: Place
) -> Desired:
    """Fill the temp tables; `built` is False when the audience is not of this build, and then nobody is desired."""
    nobody(connection)
    table = f'audiences."{audience.name}"'
    if not has_table(connection, "audiences", audience.name):
        return Desired(built=False)
    newest = connection.execute(f"SELECT max(build_id) FROM {table}").fetchone()
    if newest and newest[0] is not None and newest[0] != build.build_id:
        return Desired(built=False)
    if has_table(connection, "exclusions", audience.name):
        connection.execute(
            "INSERT INTO plan_left SELECT person_id, min(lead_reason) "
            f'FROM exclusions."{audience.name}" WHERE build_id = ? GROUP BY 1',
            [build.build_id],
        )
        connection.execute(
            f'INSERT INTO plan_remaining SELECT DISTINCT person_id FROM exclusions."{audience.name}" '
            "WHERE build_id = ? AND reason_codes = ['stale_source']",
            [build.build_id],
        )
    columns = _columns(connection, audience.name)
    missing = tuple(sorted({ours for ours in place.traits.values() if ours not in columns}))
    if missing:
        return Desired(missing_traits=missing)
    nulls, admitted, distinct = _row(
        connection,
        "SELECT count(*) FILTER (person_id IS NULL OR identifier IS NULL), count(*), "
        f"count(DISTINCT (person_id, identifier)) FROM {table}",
    )
    duplicates = admitted - nulls - distinct if not nulls else 0
    kind, traits = identifier_type(audience.channel), _traits(place, columns)
    about = {"platform": place.platform, "account": place.account, "secret": keyed_hash(state.key, "payload")}
    _reach(connection, table, traits, kind, about)
    [unreachable] = _row(
        connection, f"SELECT count(DISTINCT person_id) FROM {table} ANTI JOIN plan_desired USING (person_id)"
    )
    if place.create_missing:
        _create_missing(connection, _ADDRESSES.format(table) if kind == PERSON else table, traits, about)
    _one_per_ref(connection)
    return Desired(admitted=admitted, unreachable=unreachable, duplicates=duplicates, nulls=nulls)


def nobody(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty temp tables: nobody is desired, as for an audience that has left the project."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE plan_desired (ref VARCHAR, person_id VARCHAR, identifier_type VARCHAR, "
        "identifier VARCHAR, traits VARCHAR, fingerprint VARCHAR)"
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE plan_left (person_id VARCHAR, reason VARCHAR)")
    connection.execute("CREATE OR REPLACE TEMP TABLE plan_remaining (person_id VARCHAR)")


def _reach(connection: duckdb.DuckDBPyConnection, table: str, traits: str, kind: str, about: Mapping[str, str]) -> None:
    """An admitted person reaches every record of theirs whose own identifier is the admitted one."""
    connection.execute(
        f"""
        INSERT INTO plan_desired
        SELECT
            records.record_id AS ref, admitted.person_id, admitted.identifier_type, admitted.identifier,
            {traits} AS traits, {_FINGERPRINT.format(traits=traits)} AS fingerprint
        FROM {table} AS admitted
        JOIN marts.destination_records AS records
            ON records.person_id = admitted.person_id AND records.{_COLUMNS[kind]} = admitted.identifier
        LEFT JOIN marts.person_suppression_keys AS known ON known.person_id = admitted.person_id
        WHERE records.platform = $platform AND records.account = $account AND admitted.identifier_type = $kind
        """,
        {**about, "kind": kind},
    )


def _create_missing(connection: duckdb.DuckDBPyConnection, table: str, traits: str, about: Mapping[str, str]) -> None:
    """Admitted people are desired under their identifier where neither they nor it have any record there."""
    connection.execute(
        f"""
        INSERT INTO plan_desired
        SELECT
            $unseen || keyed_hash(admitted.identifier_type || ':' || admitted.identifier) AS ref,
            admitted.person_id, admitted.identifier_type, admitted.identifier,
            {traits} AS traits, {_FINGERPRINT.format(traits=traits)} AS fingerprint
        FROM {table} AS admitted
        LEFT JOIN marts.person_suppression_keys AS known ON known.person_id = admitted.person_id
        ANTI JOIN (
            SELECT person_id FROM marts.destination_records WHERE platform = $platform AND account = $account
        ) AS records ON records.person_id = admitted.person_id
        ANTI JOIN (
            SELECT unnest([email, phone]) AS identifier FROM marts.destination_records
            WHERE platform = $platform AND account = $account
        ) AS held ON held.identifier = admitted.identifier
        """,
        {**about, "unseen": UNSEEN},
    )


def _one_per_ref(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave each ref once; few audiences repeat any, so that looking first is cheaper than sorting always."""
    rows, refs = _row(connection, "SELECT count(*), count(DISTINCT ref) FROM plan_desired")
    if rows > refs:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE plan_desired AS "
            "SELECT DISTINCT ON (ref) * FROM plan_desired ORDER BY ref, traits, person_id, identifier"
        )


def _traits(place: Place, columns: Mapping[str, str]) -> str:
    """The JSON text of the mapped traits; times and dates as ISO 8601 in UTC."""
    if not place.traits:
        return "NULL::VARCHAR"
    pairs = []
    for theirs, ours in sorted(place.traits.items()):
        column = 'admitted."' + ours.replace('"', '""') + '"'
        pairs.append("'" + theirs.replace("'", "''") + "', " + _TEXTS.get(columns[ours], "{0}").format(column))
    return f"json_object({', '.join(pairs)})::VARCHAR"


def _columns(connection: duckdb.DuckDBPyConnection, audience: str) -> dict[str, str]:
    rows = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'audiences' AND table_name = ?",
        [audience],
    ).fetchall()
    return dict(rows)


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    return tuple(connection.execute(query).fetchone() or ())
