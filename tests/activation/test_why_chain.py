"""The chain behind an answer: the law, the platform's own words, what was sent, and what is known of strangers."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from orchestration.activation import sent
from orchestration.activation.evidence import rows_behind
from orchestration.activation.keys import keyed_hash
from orchestration.activation.rules_behind import rules_behind
from orchestration.activation.state import reviews
from orchestration.activation.why import why
from orchestration.warehouse import published
from tests.activation.shop import Shop

_HOLD = """
import sys
from pathlib import Path
from orchestration import warehouse
from orchestration.home import Home
with warehouse.opened(Home(Path(sys.argv[1]))) as connection:
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE under_way AS SELECT 1")
    print("held", flush=True)
    sys.stdin.read()
"""


FACTS = """
CREATE SCHEMA seeds;
CREATE SCHEMA intermediate;
CREATE TABLE seeds.reason_codes AS SELECT
    'under_age' AS code, 24 AS position, 'Too young.' AS meaning, 'Wait.' AS next_step, 'the seed minimum_age' AS law;
CREATE TABLE seeds.platform_values AS SELECT
    'shop' AS platform, 'consent' AS field, 'unsubscribed' AS "value", '*' AS detail, 'withdrawn' AS state,
    'its manual' AS source, 'high' AS confidence, NULL::DATE AS effective_from, DATE '2026-11-02' AS effective_to
UNION ALL
SELECT 'shop', 'consent', 'unsubscribed', 'single', 'withdrawn', 'its manual on single', 'high', NULL, DATE '2026-11-03'
UNION ALL
SELECT 'shop', 'consent', 'unsubscribed', '*', 'withdrawn', 'its later manual', 'high', DATE '2026-11-02', NULL
UNION ALL
SELECT 'shop', 'consent', 'unsubscribed', 'single', 'withdrawn', 'its last manual', 'high', DATE '2026-11-03', NULL;
CREATE TABLE intermediate.consent_events AS SELECT
    'shop:main:customer:2:email' AS consent_event_id, 'withdrawn' AS state, 'email' AS channel, 'link' AS method,
    'shop consent state' AS source, json_object('value', 'unsubscribed', 'detail', 'single') AS evidence,
    'shop' AS platform, 'main' AS account, '2' AS record_id, 'p2@example.com' AS identifier,
    TIMESTAMPTZ '2026-10-01 10:00:00+00' AS effective_lo, TIMESTAMPTZ '2026-11-01 10:00:00+00' AS effective_hi,
    TIMESTAMPTZ '2026-11-02 10:00:00+00' AS recorded_at;
CREATE TABLE intermediate.age_evidence AS SELECT
    'shop:main:customer:2:abc' AS age_evidence_id, 'dob' AS kind, 2 AS level, 'shop' AS provider,
    NULL::INTEGER AS threshold, DATE '2009-03-14' AS "value", 'p2' AS person_id, 'shop' AS platform,
    'main' AS account, '2' AS record_id, TIMESTAMPTZ '2026-09-01 10:00:00+00' AS verified_at,
    TIMESTAMPTZ '2026-09-01 10:00:00+00' AS recorded_at, NULL::TIMESTAMPTZ AS expires_at;
CREATE TABLE intermediate.suppressions AS SELECT
    's1' AS suppression_id, 'spam_complaint' AS kind, 'mailer event' AS source, 'spam_complaint' AS reason_code,
    'mailer' AS platform, 'main' AS account, NULL::VARCHAR AS record_id, 'stranger@example.com' AS identifier,
    TIMESTAMPTZ '2026-11-01 10:00:00+00' AS effective_at, TIMESTAMPTZ '2026-11-01 10:00:00+00' AS recorded_at,
    NULL::TIMESTAMPTZ AS ended_at;
UPDATE marts.decisions SET
    evidence_ids = ['shop:main:customer:2:email', 'shop:main:customer:2:abc'],
    next_change_at = TIMESTAMPTZ '2027-03-14 08:00:00+00'
WHERE person_id = 'p2';
CREATE OR REPLACE TABLE exclusions.buyers AS SELECT 'p2' AS person_id, ['under_age'] AS reason_codes;
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Person 1 is a member; person 2 opted out and has a typed birth date; a stranger's address is blocked."""
    return Shop.of_two(tmp_path, FACTS, reason="under_age")


def test_a_verdict_tells_the_law_the_platforms_own_word_and_when_it_reached_us(shop: Shop) -> None:
    [person] = why(shop.home, "p2@example.com").people
    [verdict] = person.audiences[0].verdicts
    assert [(one.code, one.law) for one in verdict.reasons] == [("under_age", "the seed minimum_age")]
    statement = next(one for one in verdict.evidence if one.kind == "statement")
    assert (statement.field, statement.value) == ("shop consent state", "unsubscribed (single)")
    assert [f"{at:%m-%d}" for at in (statement.effective_lo, statement.effective_hi, statement.recorded_at) if at] == [
        "10-01",
        "11-01",
        "11-02",
    ]
    assert [(rule.seed, rule.source) for rule in verdict.rules] == [("platform_values", "its manual on single")]


def test_the_rows_of_rules_are_those_that_were_in_force_and_nearest_to_the_place(shop: Shop) -> None:
    nothing = "'policy' AS source, 'policy' AS confidence, NULL::DATE AS effective_from, NULL::DATE AS effective_to"
    with shop.open() as connection:
        connection.execute(f"""
            CREATE TABLE intermediate.person_places AS SELECT 'p' AS person_id, 'CA' AS country, 'QC' AS region;
            CREATE TABLE seeds.category_fallbacks AS SELECT 'stout' AS category, 'alcohol' AS takes_rules_of;
            CREATE TABLE seeds.minimum_age AS SELECT *, {nothing} FROM (VALUES
                ('alcohol', '*', '*', 25), ('alcohol', 'CA', '*', 19), ('alcohol', 'CA', 'QC', 18),
                ('alcohol', 'CA', 'AB', 17), ('vape', 'CA', 'QC', 20), ('vape', 'CA', '*', 21))
                AS rows (category, country, region, value);
            INSERT INTO seeds.minimum_age
                SELECT 'alcohol', 'CA', 'QC', 20, 'a law to come', 'high', DATE '2026-11-23', NULL;
            CREATE TABLE seeds.channel_category_legality AS SELECT *, {nothing} FROM (VALUES
                ('alcohol', 'sms', 'CA', false), ('alcohol', 'sms', '*', false), ('alcohol', 'sms', 'CA-QC', true))
                AS rows (product_category, channel, country, lawful);
            CREATE TABLE seeds.channel_kinds AS SELECT 'sms' AS channel, true AS quiet_hours;
            CREATE TABLE seeds.quiet_hours AS SELECT *, {nothing} FROM (VALUES
                ('CA', '*', 7, '08:00'), ('CA', 'QC', 7, '09:00'), ('CA', 'QC', 1, '10:00'))
                AS rows (country, region, weekday, opens);
        """)
        about = ("sms|marketing|marketing|any|alcohol|default", "p", ["ok"], [])
        rules = rules_behind(connection, *about, datetime(2026, 11, 22, 18, tzinfo=UTC))
    assert [(rule.seed, rule.row) for rule in rules] == [
        ("minimum_age", {"category": "alcohol", "country": "CA", "region": "QC", "value": "18"}),
        (
            "channel_category_legality",
            {"product_category": "alcohol", "channel": "sms", "country": "CA-QC", "lawful": "True"},
        ),
        ("quiet_hours", {"country": "CA", "region": "QC", "weekday": "7", "opens": "09:00"}),
    ]


def test_no_answer_tells_a_date_of_birth_nor_the_birthday_that_gives_it_away(shop: Shop) -> None:
    answer = why(shop.home, "p2@example.com", show=True)
    [verdict] = answer.people[0].audiences[0].verdicts
    assert (verdict.changes, verdict.next_change_at) == ("2027", None)
    assert "2009" not in repr(answer)
    assert "3, 14" not in repr(answer)


def test_what_was_sent_is_told_with_the_answer_of_the_destination(shop: Shop) -> None:
    [person] = why(shop.home, "p1@example.com").people
    [push] = person.pushes
    assert (push.op, push.audience, push.state, push.target) == ("add", "buyers", "accepted", "list:Buyers")
    assert push.decided_as_of is not None
    found = sent.push(shop.home.data, shop.state, push.write_id)
    assert found is not None
    assert (found[0], found[1]) == (push, "p1")
    assert sent.push(shop.home.data, shop.state, "nothing:nothing") is None


def test_of_an_identifier_that_nobody_holds_the_recorded_reasons_are_told(shop: Shop) -> None:
    answer = why(shop.home, "stranger@example.com")
    assert answer.people == []
    assert [(one.kind, one.what, one.identifier) for one in answer.facts] == [
        ("suppression", "spam_complaint", "s***@example.com")
    ]
    assert why(shop.home, "nobody@example.com").facts == []


def test_the_verdict_of_a_person_on_what_was_held_is_told_with_who_and_why(shop: Shop) -> None:
    with shop.state.write_ledger() as connection:
        connection.execute(
            insert(reviews).values(
                review_id="v1",
                reviewed_id="twilio:main:message:SM1",
                verdict="stop",
                key_hash=keyed_hash(shop.state.key, "email:p2@example.com"),
                actor="jo",
                reason="they meant it",
                recorded_at=datetime.now(UTC),
            )
        )
    [act] = why(shop.home, "p2@example.com").by_hand
    assert (act.act, act.actor, act.reason) == ("judged stop: twilio:main:message:SM1", "jo", "they meant it")
    assert not act.known, "no build has been made since"
    assert why(shop.home, "p1@example.com").by_hand == []


def test_evidence_names_identifiers_in_full_only_when_asked(shop: Shop) -> None:
    with published(shop.home) as connection:
        [masked] = rows_behind(connection, ["s1"])
        [full] = rows_behind(connection, ["s1"], show=True)
    assert (masked.identifier, full.identifier) == ("s***@example.com", "stranger@example.com")


def test_why_answers_beside_a_build_that_holds_the_warehouse(shop: Shop) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(shop.home.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as build:
        assert build.stdout is not None
        assert build.stdout.readline().strip() == "held"
        assert why(shop.home, "p1@example.com").people[0].audiences[0].stands == "in"
        assert build.poll() is None
        build.communicate("")
    assert build.returncode == 0


def test_a_build_publishes_while_somebody_reads_the_copy(shop: Shop) -> None:
    with published(shop.home) as connection:
        build = shop.build({"buyers": [1, 2]})
        shop.publish()
        assert connection.execute("SELECT build_id FROM marts.clock").fetchone() == (build - 1,)
    assert why(shop.home, "p1@example.com").build_id == build
