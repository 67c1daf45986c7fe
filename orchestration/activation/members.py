"""The accepted side of a plan: what destinations hold, loaded into the warehouse's session, and who must go from it.

Who must go is decided by the record's own identifier and the audience's question, whatever any segment, check or guard
says. Left in the session: `plan_members` (a view of what state gave), `plan_places` (how many there are where),
`plan_written`, `plan_audiences`, `plan_refused`, `plan_doubted`, `plan_must_go`.
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
    connection.register("plan_accepted", accepted.members(state))
    connection.register("plan_written", accepted.written_withdrawals(state))
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_places AS
        SELECT audience, platform, account, target, min(channel) AS channel, min(topic) AS topic, min(brand) AS brand,
            count(*) AS members, bool_or(starts_with(record_id, $unseen)) AS unseen
        FROM plan_accepted GROUP BY ALL
        """,
        {"unseen": UNSEEN},
    )
    _match_unseen(connection)
    _load_audiences(connection, catalogue)
    _find_refused(connection)
    _find_doubted(connection)
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_must_go AS
        SELECT
            members.*, doubted.* EXCLUDE (membership_id),
            CASE
                WHEN doubted.gone THEN 'record_gone'
                WHEN doubted.identifier IS NULL THEN 'no_identifier'
                ELSE coalesce(decisions.reason_codes[1], refused.reason, 'no_decision')
            END AS reason
        FROM plan_members AS members
        JOIN plan_doubted AS doubted USING (membership_id)
        LEFT JOIN marts.decisions AS decisions
            ON decisions.person_id = doubted.holder AND decisions.identifier_type = doubted.identifier_type
            AND decisions.identifier = doubted.identifier AND decisions.question_id = doubted.question_id
        LEFT JOIN plan_refused AS refused
            ON refused.channel = members.channel AND refused.identifier = doubted.identifier
        WHERE doubted.gone OR doubted.identifier IS NULL OR doubted.decided OR refused.channel IS NOT NULL
        """
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


def _load_audiences(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Which question decides for each audience that exists or has members, and whether this build decided it."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE plan_audiences "
        "(audience VARCHAR, channel VARCHAR, question_id VARCHAR, identifier_type VARCHAR, decided BOOLEAN)"
    )
    asked = {(audience.name, audience.channel): audience.question_id for audience in catalogue.audiences}
    known = {audience.name for audience in catalogue.audiences}
    members = connection.execute("SELECT audience, min(channel) FROM plan_places GROUP BY 1").fetchall()
    asked |= {(name, channel): "" for name, channel in members if name not in known}
    for (name, channel), question_id in asked.items():
        connection.execute(
            "INSERT INTO plan_audiences SELECT $1, $2, $3, $4, "
            "EXISTS (FROM marts.questions WHERE questions.question_id = $3)",
            [name, channel, question_id, identifier_type(channel)],
        )


def _find_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """Who must go from audiences whose own question was not decided, because their twin is broken or gone.

    They lose whoever withdrew from the channel, and whomever no decided question of the channel lets remain.
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
            HAVING NOT bool_or(decisions.may_remain)
        )
        SELECT channel, identifier, min(reason) AS reason FROM refused GROUP BY ALL
        """
    )


def _find_doubted(connection: duckdb.DuckDBPyConnection) -> None:
    """Members whom no decided question of theirs lets remain, in few columns: almost everybody is let go of here."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_doubted AS
        WITH held AS (
            SELECT
                members.membership_id, asked.question_id, asked.decided, asked.identifier_type,
                records.person_id AS holder, records.record_id IS NULL AS gone,
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
        SELECT held.* FROM held
        ANTI JOIN (
            SELECT * FROM marts.decisions
            WHERE may_remain AND question_id IN (SELECT question_id FROM plan_audiences WHERE decided)
        ) AS remaining
            ON remaining.person_id = held.holder AND remaining.identifier_type = held.identifier_type
            AND remaining.identifier = held.identifier AND remaining.question_id = held.question_id
        """,
        {"unseen": UNSEEN},
    )


def _match_unseen(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `plan_members`: those accepted, each with its record, also where that has appeared since."""
    seen = "SELECT *, record_id AS ref FROM plan_accepted"
    if _any_unseen(connection):
        _find_seen(connection)
        seen = (
            "SELECT accepted.*, coalesce(seen.ref, accepted.record_id) AS ref FROM plan_accepted AS accepted "
            "LEFT JOIN plan_seen AS seen USING (platform, account, record_id)"
        )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW plan_members AS {seen}")


def _find_seen(connection: duckdb.DuckDBPyConnection) -> None:
    """The record of each identifier that a destination holds, by what an unseen member of it is named."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_seen AS
        SELECT platform, account, $unseen || keyed_hash(kind || ':' || value) AS record_id, min(record_id) AS ref
        FROM (
            SELECT platform, account, record_id, 'email' AS kind, email AS value FROM marts.destination_records
            UNION ALL
            SELECT platform, account, record_id, 'phone', phone FROM marts.destination_records
        )
        WHERE value IS NOT NULL
        GROUP BY ALL
        """,
        {"unseen": UNSEEN},
    )


def _add_unseen(connection: duckdb.DuckDBPyConnection) -> None:
    """Members without a record yet must go when no decision lets their identifier remain; the call names it."""
    if not _any_unseen(connection):
        return
    connection.execute(
        """
        INSERT INTO plan_must_go BY NAME
        -- Where several people share an identifier, none of them may be let remain.
        WITH decisions AS (
            SELECT question_id, identifier_type, identifier, min(reason_codes[1]) AS reason
            FROM marts.decisions GROUP BY ALL HAVING NOT bool_or(may_remain)
        )
        SELECT members.*, asked.question_id, asked.identifier_type, decisions.identifier, decisions.reason
        FROM plan_members AS members
        JOIN plan_audiences AS asked USING (audience)
        JOIN decisions
            ON decisions.question_id = asked.question_id
            AND $unseen || keyed_hash(decisions.identifier_type || ':' || decisions.identifier) = members.ref
        WHERE starts_with(members.ref, $unseen)
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
        WHERE starts_with(members.ref, $unseen) AND asked.identifier_type = $person AND NOT decisions.may_remain
        """,
        {"unseen": UNSEEN, "person": PERSON},
    )


def _any_unseen(connection: duckdb.DuckDBPyConnection) -> bool:
    return connection.execute("SELECT 1 FROM plan_places WHERE unseen").fetchone() is not None
