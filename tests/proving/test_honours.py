"""What destinations answered to withdrawals reaches the warehouse once, and for those alone who withdrew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from orchestration import warehouse
from orchestration.activation.keys import keyed_hash
from orchestration.activation.state import memberships, withdrawals
from orchestration.proving import honours
from tests.activation.shop import Shop

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def member(record_id: str, *, status: str = "removed", reason: str = "withdrawn", at: datetime = AT) -> dict[str, Any]:
    return {
        "membership_id": f"m-{record_id}",
        "audience": "buyers",
        "platform": "mailer",
        "account": "main",
        "target": "list:Buyers",
        "record_id": record_id,
        "person_id": "p1",
        "brand": "acme",
        "channel": "email",
        "topic": "*",
        "payload_hash": "",
        "status": status,
        "reason": reason,
        "build_id": 1,
        "changed_at": at,
    }


def test_answers_are_recorded_once_and_only_for_those_who_withdrew(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.audience()
    shop.build({"buyers": [1]})
    with shop.state.write_deliveries() as store:
        for email in ("p2@example.com", "unknown@example.com"):
            about = {"platform": "mailer", "account": "main", "channel": "email", "accepted_at": AT}
            store.execute(insert(withdrawals).values(key_hash=keyed_hash(shop.state.key, f"email:{email}"), **about))
        for row in (member("r2"), member("r3", reason="no_longer_interested"), member("r4", status="accepted")):
            store.execute(insert(memberships).values(**row))
    with shop.open() as connection:
        warehouse.ensure_raw(connection, [], [])
        connection.execute(
            "CREATE OR REPLACE TABLE marts.withdrawals AS SELECT 'email' AS identifier_type, "
            "'p2@example.com' AS identifier, 'email' AS channel"
        )
        assert honours.record(connection, shop.state) == 2
        assert honours.record(connection, shop.state) == 0
        found = connection.execute(
            "SELECT answer, platform, identifier, record_id, accepted_at AT TIME ZONE 'UTC' FROM raw_audiences.honours "
            "ORDER BY answer"
        ).fetchall()
    at = AT.replace(tzinfo=None)
    assert found == [("removal", "mailer", None, "r2", at), ("withdrawal", "mailer", "p2@example.com", None, at)]


def test_an_answer_is_matched_as_soon_as_a_build_knows_the_withdrawal(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.audience()
    shop.build({"buyers": [1]})
    with shop.state.write_deliveries() as store:
        about = {"platform": "mailer", "account": "main", "channel": "email"}
        for email, at in (("p2@example.com", AT), ("p3@example.com", AT - timedelta(days=6))):
            key_hash = keyed_hash(shop.state.key, f"email:{email}")
            store.execute(insert(withdrawals).values(key_hash=key_hash, accepted_at=at, **about))
    with shop.open() as connection:
        warehouse.ensure_raw(connection, [], [])
        for emails in (["p2@example.com"], ["p2@example.com", "p3@example.com"]):
            connection.execute(
                "CREATE OR REPLACE TABLE marts.withdrawals AS SELECT 'email' AS identifier_type, "
                "unnest($1::VARCHAR[]) AS identifier, 'email' AS channel",
                [emails],
            )
            assert honours.record(connection, shop.state) == 1
