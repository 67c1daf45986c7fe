"""The accepted side of a plan: what destinations hold, loaded into the warehouse's session, and who must go from it.

Who must go is decided by the record's own identifier and the audience's question, whatever any segment, check or guard
says. Temp tables: `plan_members`, `plan_written`, `plan_audiences`, `plan_refused`, `plan_must_go`.
"""

from __future__ import annotations

import duckdb

from dlt_sources.errors import AudiencesError
from orchestration.activation import accepted
from orchestration.activation.catalogue import NO_CHANNEL, Catalogue
from orchestration.activation.keys import keyed_hash_sql
from orchestration.activation.state import State

#: The kind of identifier of decisions about people as a whole; the identifier is the person's id.
PERSON = "person"
#: Marks a member known by the hash of its identifier only: the destination has not told us its record yet.
UNSEEN = "@"


def load(connection: duckdb.DuckDBPyConnection, state: State, catalogue: Catalogue) -> None:
    """Bring in what destinations have accepted, and work out which members must go whatever any segment says."""
    install_key(connection, state.key)
    _replace_from_arrow(connection, "plan_members", "SELECT *, record_id AS ref FROM arrow", accepted.members(state))
    _replace_from_arrow(connection, "plan_written", "SELECT * FROM arrow", accepted.written_withdrawals(state))
    _load_audiences(connection, catalogue)
    _match_unseen(connection)
    _find_refused(connection)
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_must_go AS
        WITH held AS (
            SELECT
                members.*, asked.question_id, asked.decided, asked.identifier_type, records.person_id AS holder,
                records.record_id IS NULL AS gone,
                CASE asked.identifier_type
                    WHEN 'email' THEN records.email WHEN 'phone' THEN records.phone ELSE records.person_id
                END AS identifier
            FROM plan_members AS members
            JOIN plan_audiences AS asked USING (audience)
            LEFT JOIN marts.destination_records AS records
                ON records.platform = members.platform AND records.account = members.account
                AND records.record_id = members.ref
            WHERE NOT starts_with(members.ref, $unseen)
        )
        SELECT
            held.*,
            CASE
                WHEN held.gone THEN 'record_gone'
                WHEN held.identifier IS NULL THEN 'no_identifier'
                ELSE coalesce(decisions.reason_codes[1], refused.reason, 'no_decision')
            END AS reason
        FROM held
        LEFT JOIN marts.decisions AS decisions
            ON decisions.person_id = held.holder AND decisions.identifier_type = held.identifier_type
            AND decisions.identifier = held.identifier AND decisions.question_id = held.question_id
        LEFT JOIN plan_refused AS refused
            ON refused.channel = held.channel AND refused.identifier = held.identifier
        WHERE
            held.gone OR held.identifier IS NULL
            OR CASE WHEN held.decided THEN NOT coalesce(decisions.eligible, false) ELSE refused.channel IS NOT NULL END
        """,
        {"unseen": UNSEEN},
    )
    _add_unseen(connection)


def identifier_type(channel: str) -> str:
    """The kind of identifier that a channel reaches people by; without a channel it is the person."""
    return {"email": "email", NO_CHANNEL: PERSON}.get(channel, "phone")


def install_key(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Give the session `keyed_hash(text)`, so that no later statement, nor its error, spells the key."""
    try:
        connection.execute(f"CREATE OR REPLACE TEMP MACRO keyed_hash(text) AS {keyed_hash_sql(key, 'text')}")
    except duckdb.Error as error:
        raise AudiencesError(f"The keyed hash cannot be set up in the warehouse ({type(error).__name__}).") from None


def _replace_from_arrow(connection: duckdb.DuckDBPyConnection, name: str, query: str, arrow: object) -> None:
    connection.register("arrow", arrow)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
    connection.unregister("arrow")


def _load_audiences(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Which question decides for each audience that exists or has members, and whether this build decided it."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE plan_audiences "
        "(audience VARCHAR, channel VARCHAR, question_id VARCHAR, identifier_type VARCHAR, decided BOOLEAN)"
    )
    asked = {(audience.name, audience.channel): audience.question_id for audience in catalogue.audiences}
    known = {audience.name for audience in catalogue.audiences}
    members = connection.execute("SELECT audience, min(channel) FROM plan_members GROUP BY 1").fetchall()
    asked |= {(name, channel): "" for name, channel in members if name not in known}
    for (name, channel), question_id in asked.items():
        connection.execute(
            "INSERT INTO plan_audiences SELECT $1, $2, $3, $4, "
            "EXISTS (FROM marts.questions WHERE questions.question_id = $3)",
            [name, channel, question_id, identifier_type(channel)],
        )


def _find_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """Who must go from audiences whose own question was not decided, because their twin is broken or gone.

    They lose whoever withdrew from the channel, and whoever no decided question of the channel admits.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_refused AS
        WITH undecided AS (SELECT DISTINCT channel FROM plan_audiences WHERE NOT decided),
        refused AS (
            SELECT channel, identifier, reason FROM marts.withdrawals SEMI JOIN undecided USING (channel)
            UNION ALL
            SELECT questions.channel, decisions.identifier, min(decisions.reason_codes[1]) AS reason
            FROM marts.decisions AS decisions
            JOIN (SELECT DISTINCT question_id, channel FROM marts.questions) AS questions USING (question_id)
            SEMI JOIN undecided ON undecided.channel = questions.channel
            GROUP BY questions.channel, decisions.person_id, decisions.identifier
            HAVING NOT bool_or(decisions.eligible)
        )
        SELECT channel, identifier, min(reason) AS reason FROM refused GROUP BY ALL
        """
    )


def _match_unseen(connection: duckdb.DuckDBPyConnection) -> None:
    """Give members that are known by an identifier only the record that has appeared since."""
    if not _any_unseen(connection):
        return
    connection.execute(
        """
        UPDATE plan_members SET ref = seen.record_id
        FROM (
            SELECT platform, account, $unseen || keyed_hash(kind || ':' || value) AS ref, min(record_id) AS record_id
            FROM (
                SELECT platform, account, record_id, 'email' AS kind, email AS value FROM marts.destination_records
                UNION ALL
                SELECT platform, account, record_id, 'phone', phone FROM marts.destination_records
            )
            WHERE value IS NOT NULL
            GROUP BY ALL
        ) AS seen
        WHERE plan_members.platform = seen.platform AND plan_members.account = seen.account
            AND plan_members.record_id = seen.ref
        """,
        {"unseen": UNSEEN},
    )


def _add_unseen(connection: duckdb.DuckDBPyConnection) -> None:
    """Members without a record yet must go when their identifier has no eligible decision; the call names it."""
    if not _any_unseen(connection):
        return
    connection.execute(
        """
        INSERT INTO plan_must_go BY NAME
        SELECT members.*, asked.question_id, asked.identifier_type, decisions.identifier,
            decisions.reason_codes[1] AS reason
        FROM plan_members AS members
        JOIN plan_audiences AS asked USING (audience)
        JOIN marts.decisions AS decisions
            ON decisions.question_id = asked.question_id
            AND $unseen || keyed_hash(decisions.identifier_type || ':' || decisions.identifier) = members.ref
        WHERE starts_with(members.ref, $unseen) AND NOT decisions.eligible
        """,
        {"unseen": UNSEEN},
    )
    connection.execute(
        """
        INSERT INTO plan_must_go BY NAME
        SELECT members.*, asked.question_id, asked.identifier_type, decisions.reason_codes[1] AS reason
        FROM plan_members AS members
        JOIN plan_audiences AS asked USING (audience)
        JOIN marts.decisions AS decisions
            ON decisions.question_id = asked.question_id AND decisions.person_id = members.person_id
        WHERE starts_with(members.ref, $unseen) AND asked.identifier_type = $person AND NOT decisions.eligible
        """,
        {"unseen": UNSEEN, "person": PERSON},
    )


def _any_unseen(connection: duckdb.DuckDBPyConnection) -> bool:
    query = "SELECT 1 FROM plan_members WHERE starts_with(ref, ?) LIMIT 1"
    return connection.execute(query, [UNSEEN]).fetchone() is not None
