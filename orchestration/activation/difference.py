"""Desired minus accepted, by set-based SQL on the open warehouse: the rows of every plan.

Each function fills the temp table `plan_rows`, in the shape of plan files, from the tables that `members` and `desired`
leave in the session. Members are matched by destination record: a person may hold several at one destination.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.activation.catalogue import Audience, Place
from orchestration.activation.members import PERSON, UNSEEN, identifier_type
from orchestration.activation.owing import ECHO
from orchestration.warehouse import Build

#: Removals first. Inside a target by row id, so that booking writes neighbouring keys; withdrawals by identifier.
_ORDER = "CASE op WHEN 'remove' THEN 0 WHEN 'suppress' THEN 1 ELSE 2 END, channel, target, identifier, row_id"


def removals(connection: duckdb.DuckDBPyConnection, build: Build, platform: str, account: str) -> None:
    """Rows of one account: members who must go."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_rows AS
        SELECT
            membership_id AS row_id, 'remove' AS op, audience, platform, account, target,
            CASE WHEN starts_with(ref, $unseen) THEN NULL ELSE ref END AS record_id, person_id, channel, topic, brand,
            CASE WHEN starts_with(ref, $unseen) THEN identifier_type END AS identifier_kind,
            CASE WHEN starts_with(ref, $unseen) THEN identifier END AS identifier,
            NULL::VARCHAR AS traits, payload_hash, reason, []::VARCHAR[] AS suppression_keys, $build::BIGINT AS build_id
        FROM plan_must_go
        WHERE platform = $platform AND account = $account
        """,
        {"unseen": UNSEEN, "build": build.build_id, "platform": platform, "account": account},
    )


def suppressions(
    connection: duckdb.DuckDBPyConnection, build: Build, platform: str, account: str, channels: Sequence[str]
) -> None:
    """Add rows of one account: withdrawals of identifiers that it holds, and that neither it nor we wrote there."""
    connection.execute(
        """
        INSERT INTO plan_rows
        WITH missing AS (
            SELECT withdrawals.*, records.record_id, records.person_id, records.brand,
                keyed_hash(withdrawals.identifier_type || ':' || withdrawals.identifier) AS key_hash
            FROM marts.withdrawals AS withdrawals
            JOIN marts.destination_records AS records
                ON withdrawals.identifier
                = CASE withdrawals.identifier_type WHEN 'email' THEN records.email ELSE records.phone END
            WHERE records.platform = $platform AND records.account = $account
                AND list_contains($channels::VARCHAR[], withdrawals.channel)
                AND NOT list_contains(withdrawals.held_by, $platform || ':' || $account)
        )
        SELECT DISTINCT ON (row_id)
            sha256(concat_ws(chr(31), $platform, $account, missing.channel, record_id, missing.key_hash)) AS row_id,
            'suppress', '', $platform, $account, '', record_id, person_id, missing.channel, '*', brand,
            identifier_type, identifier, NULL, '', reason, [missing.key_hash], $build
        FROM missing
        LEFT JOIN plan_written AS written
            ON written.platform = $platform AND written.account = $account AND written.channel = missing.channel
            AND written.key_hash = missing.key_hash
        WHERE written.key_hash IS NULL
            OR written.accepted_at::TIMESTAMPTZ + to_seconds($echo) < missing.effective_at
        ORDER BY row_id, reason
        """,
        {
            "platform": platform,
            "account": account,
            "channels": list(channels),
            "build": build.build_id,
            "echo": int(ECHO.total_seconds()),
        },
    )


def changes(connection: duckdb.DuckDBPyConnection, build: Build, audience: Audience, place: Place, brand: str) -> int:
    """Rows of one audience at one place: members to add, to update, and to remove though they may be contacted.

    Returns how many rows were left out because the decisions do not admit them, which admission should have seen.
    """
    about = {
        "audience": audience.name,
        "platform": place.platform,
        "account": place.account,
        "target": place.target,
        "unseen": UNSEEN,
    }
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_differing AS
        WITH desired AS (
            SELECT * FROM plan_desired AS desired
            ANTI JOIN (
                SELECT * FROM plan_must_go
                WHERE audience = $audience AND platform = $platform AND account = $account AND target = $target
            ) AS must_go ON must_go.ref = desired.ref
        ),
        members AS (
            SELECT * FROM plan_members
            ANTI JOIN plan_must_go USING (membership_id)
            WHERE audience = $audience AND platform = $platform AND account = $account AND target = $target
        )
        SELECT
            coalesce(
                members.membership_id,
                sha256(concat_ws(chr(31), $audience, $platform, $account, $target, desired.ref))
            ) AS row_id,
            CASE
                WHEN desired.ref IS NULL THEN 'remove'
                WHEN members.membership_id IS NULL OR members.status = 'pending' THEN 'add'
                ELSE 'update'
            END AS op,
            coalesce(desired.ref, members.ref) AS ref,
            coalesce(desired.person_id, members.person_id) AS person_id,
            desired.identifier_type, desired.identifier, desired.traits,
            coalesce(desired.fingerprint, members.payload_hash) AS payload_hash
        FROM desired
        FULL JOIN members ON desired.ref = members.ref
        WHERE (members.membership_id IS NULL OR desired.ref IS NULL OR members.status = 'pending'
            OR members.payload_hash <> desired.fingerprint OR members.record_id <> desired.ref)
            -- Whom we know by an identifier only cannot be removed by record; the record comes with the next pull.
            AND NOT (desired.ref IS NULL AND starts_with(members.ref, $unseen))
            AND NOT (desired.ref IS NULL AND members.person_id IN (SELECT person_id FROM plan_remaining))
        """,
        about,
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE plan_rows AS
        WITH eligible AS (SELECT * FROM marts.decisions WHERE eligible AND question_id = $question),
        allowed AS (
            SELECT * FROM plan_differing WHERE op = 'remove'
            UNION ALL
            SELECT * FROM plan_differing AS differing
            SEMI JOIN eligible
                -- Equalities alone, so that the join is by hash: one OR in it makes it quadratic.
                ON eligible.person_id = differing.person_id
                AND eligible.identifier_type = CASE WHEN $about_people THEN $person ELSE differing.identifier_type END
                AND eligible.identifier = CASE WHEN $about_people THEN differing.person_id ELSE differing.identifier END
            WHERE op <> 'remove'
        )
        SELECT
            row_id, op, $audience AS audience, $platform AS platform, $account AS account, $target AS target,
            CASE WHEN starts_with(ref, $unseen) THEN NULL ELSE ref END AS record_id,
            allowed.person_id, $channel AS channel, $topic AS topic, $brand AS brand,
            CASE WHEN starts_with(ref, $unseen) THEN identifier_type END AS identifier_kind,
            CASE WHEN starts_with(ref, $unseen) THEN identifier END AS identifier,
            traits, payload_hash,
            CASE WHEN op = 'remove' THEN coalesce(left_for.reason, $otherwise) ELSE 'admitted' END AS reason,
            CASE WHEN op = 'remove' THEN [] ELSE list_sort(list_transform(list_distinct(list_concat(
                known.suppression_keys,
                [identifier_type || ':' || identifier, 'record:' || $platform || ':' || $account || ':' || ref]
            )), lambda key: keyed_hash(key))) END AS suppression_keys,
            $build::BIGINT AS build_id
        FROM allowed
        LEFT JOIN plan_left AS left_for ON left_for.person_id = allowed.person_id
        LEFT JOIN marts.person_suppression_keys AS known ON known.person_id = allowed.person_id
        """,
        about
        | {
            "channel": audience.channel,
            "topic": audience.topic,
            "brand": brand,
            "question": audience.question_id,
            "person": PERSON,
            "about_people": identifier_type(audience.channel) == PERSON,
            "otherwise": "retired" if audience.retired else "no_longer_interested",
            "build": build.build_id,
        },
    )
    different = connection.execute("SELECT (SELECT count(*) FROM plan_differing) - (SELECT count(*) FROM plan_rows)")
    return int((different.fetchone() or (0,))[0])


def set_aside_removals(connection: duckdb.DuckDBPyConnection) -> int:
    """Take removals out of `plan_rows`, where the destination offers none; returns how many a person must see to."""
    counted = connection.execute("SELECT count(*) FROM plan_rows WHERE op = 'remove'").fetchone()
    connection.execute("DELETE FROM plan_rows WHERE op = 'remove'")
    return int((counted or (0,))[0])


def write(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    """Write `plan_rows` as Parquet, durably and in an order that is always the same; returns the file's SHA-256."""
    connection.execute(
        f"COPY (SELECT * FROM plan_rows ORDER BY {_ORDER}) TO $file (FORMAT parquet, COMPRESSION zstd)",
        {"file": str(file)},
    )
    with file.open("rb") as content:
        os.fsync(content.fileno())
        return hashlib.file_digest(content, "sha256").hexdigest()
