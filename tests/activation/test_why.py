from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from dlt_sources.errors import AudiencesError
from dlt_sources.platform import Identifier
from orchestration.activation import blocking
from orchestration.activation.evidence import mask
from orchestration.activation.keys import keyed_hash
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import ledger, ledger_keys
from orchestration.activation.why import why
from orchestration.landing.by_hand import Order
from tests.activation.shop import Shop, long_ago


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Person 1 is a member, person 2 withdrew, person 3 is not of interest."""
    shop = Shop(tmp_path)
    shop.audience(rule="bought")
    shop.build({"buyers": [1]}, refused={2: "withdrawn"})
    with shop.open() as connection:
        connection.execute("CREATE SCHEMA seeds")
        connection.execute("CREATE SCHEMA intermediate")
        connection.execute(
            "CREATE TABLE seeds.reason_codes AS FROM (VALUES "
            "('withdrawn', 'Opted out.', 'Wait for a grant.', 'A law.'), "
            "('ok', 'Nothing speaks against it.', 'Nothing.', 'none')) t(code, meaning, next_step, law)"
        )
        connection.execute(
            "CREATE TABLE intermediate.consent_events AS SELECT 'c1' AS consent_event_id, 'withdrawn' AS state, "
            "'email' AS channel, 'link' AS method, TIMESTAMPTZ '2026-11-01 10:00:00+00' AS effective_hi, "
            "'shop' AS platform, 'main' AS account, 'shop consent' AS source, "
            "json_object('value', 'unsubscribed', 'detail', NULL) AS evidence, "
            "NULL::TIMESTAMPTZ AS effective_lo, TIMESTAMPTZ '2026-11-02 10:00:00+00' AS recorded_at, "
            "'p2@example.com' AS identifier, 'r2' AS record_id"
        )
        connection.execute("UPDATE marts.decisions SET evidence_ids = ['c1'] WHERE person_id = 'p2'")
        connection.execute(
            "CREATE OR REPLACE TABLE exclusions.buyers AS "
            "SELECT 'p2' AS person_id, ['withdrawn', 'left'] AS reason_codes"
        )
    shop.publish()
    return shop


def test_a_member_is_explained_with_the_place_that_holds_them(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.audience()
    shop.build({"buyers": [1]})
    with shop.open() as connection:
        connection.execute("CREATE SCHEMA seeds")
        connection.execute("CREATE TABLE seeds.reason_codes (code VARCHAR, meaning VARCHAR, next_step VARCHAR)")
    shop.plan()
    shop.apply()
    shop.publish()
    [person] = why(shop.home, " P1@Example.com").people
    [audience] = person.audiences
    assert (person.person_id, audience.stands, audience.verdicts[0].eligible) == ("p1", "in", True)
    [held] = audience.memberships
    assert (held.target, held.record_id, held.status) == ("list:Buyers", "r1", "accepted")


def test_somebody_who_is_out_gets_reasons_in_order_with_evidence(shop: Shop) -> None:
    [person] = why(shop.home, "p2@example.com").people
    [audience] = person.audiences
    assert audience.stands == "out"
    assert [(reason.code, reason.next_step) for reason in audience.reasons] == [
        ("withdrawn", "Wait for a grant."),
        ("left", ""),
    ]
    [evidence] = audience.verdicts[0].evidence
    assert (evidence.what, evidence.platform, f"{evidence.at:%d.%m.}") == (
        "withdrawn on email (link)",
        "shop",
        "01.11.",
    )


def test_somebody_who_was_never_of_interest_is_told_so(shop: Shop) -> None:
    [person] = why(shop.home, "+1 (415) 555-0003").people
    assert person.audiences[0].stands == "not_interested"


def test_identifiers_are_masked_unless_asked_for(shop: Shop) -> None:
    answer = why(shop.home, "p2@example.com")
    assert "p2@" not in repr(answer)
    assert why(shop.home, "p2@example.com", show=True).people[0].identifiers[0] == "p2@example.com"


def test_an_opt_out_that_no_build_knows_yet_is_shown_also_for_strangers(shop: Shop) -> None:
    with shop.state.write_ledger() as connection:
        connection.execute(
            insert(ledger).values(
                ledger_id="l1",
                landing_id="l1",
                platform="shop",
                account="main",
                brand="*",
                event_name="email_unsubscribed",
                kind="withdrawn",
                channel="email",
                occurred_at=long_ago(),
                recorded_at=long_ago(),
            )
        )
        for email in ("p1@example.com", "stranger@example.com"):
            key_hash = keyed_hash(shop.state.key, f"email:{email}")
            connection.execute(insert(ledger_keys).values(key_hash=key_hash, ledger_id="l1"))
    assert why(shop.home, "p1@example.com").waiting[0].event_name == "email_unsubscribed"
    stranger = why(shop.home, "stranger@example.com")
    assert (len(stranger.waiting), stranger.people) == (1, [])
    assert why(shop.home, "p2@example.com").waiting == []


def test_a_question_that_cannot_be_answered_says_why(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(AudiencesError, match="no e-mail address, no phone number"):
        why(shop.home, "jane")
    with pytest.raises(AudiencesError, match="known are buyers"):
        why(shop.home, "p1@example.com", "sellers")
    with pytest.raises(AudiencesError, match="No build has been published yet"):
        why(Shop(tmp_path / "empty").home, "p1@example.com")


@pytest.mark.parametrize(
    ("identifier", "masked"), [("jane@example.com", "j***@example.com"), ("+14155550123", "+14***23"), ("@", "***@")]
)
def test_a_masked_identifier_keeps_only_what_its_owner_recognises(identifier: str, masked: str) -> None:
    assert mask(identifier) == masked


def test_what_was_done_by_hand_is_told_with_who_and_why_before_and_after_a_build(shop: Shop) -> None:
    lane = Worker.of(shop.home, shop.state)
    order = Order(act="suppress", channel="*", topic="*", actor="jo", reason="complained", at=datetime.now(UTC))
    jane = [Identifier("email", "p1@example.com")]
    blocking.suppress(lane, order, jane)
    lane.close()
    [blocked] = why(shop.home, "p1@example.com").by_hand
    assert (blocked.act, blocked.channel, blocked.actor, blocked.reason) == ("blocked", "*", "jo", "complained")
    assert not blocked.known
    lifting = Order(act="lift", channel="*", topic="*", actor="al", reason="a mistake", at=datetime.now(UTC))
    blocking.lift(shop.home, shop.state, lifting, jane)
    with shop.state.write_ledger() as connection:
        connection.execute(update(ledger).values(absorbed_build=2))
    build = shop.build({"buyers": [1]})
    shop.publish()
    assert build == 2
    acts = why(shop.home, "p1@example.com").by_hand
    assert [(act.act, act.actor, act.reason, act.known) for act in acts] == [
        ("blocked", "jo", "complained", True),
        ("lifted", "al", "a mistake", True),
    ]
