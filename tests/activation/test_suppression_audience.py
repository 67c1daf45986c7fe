"""An audience of purpose suppression at a destination that adds and never lets go, from twin to apply."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dlt_sources.platform import Destination, Identifier
from orchestration.activation.catalogue import Catalogue, Question
from orchestration.activation.destinations import Destinations
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import LEFT, LedgerRow
from orchestration.activation.owing import Owing
from orchestration.activation.planned import calls
from orchestration.activation.state import outbox
from orchestration.activation.twin import Problem, event_name
from orchestration.activation.twins import collect
from tests.activation import shop as shops
from tests.activation.shop import MAILER, PLATFORM, Mailer, Shop
from tests.activation.test_catalogue import TWIN, manifest

LEAVE_ALONE = Question(channel="none", purpose="suppression", topic="webinar")


class Tagger(Mailer):
    """A destination whose members stay."""

    remove = Destination.remove
    suppress = Destination.suppress
    find = Destination.find
    read_back = Destination.read_back
    channels = ()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(shops.MailerPlatform, "destination_class", lambda self: Tagger)
    shop = Shop(tmp_path, mailer=Tagger())
    shop.audience("buyers", LEAVE_ALONE, target="tag:Buyer")
    return shop


def build(shop: Shop, admitted: list[int], **more: object) -> None:
    shop.build({"buyers": admitted}, questions=[LEAVE_ALONE], **more)


def test_people_are_added_by_record_whatever_identifiers_it_holds(shop: Shop) -> None:
    build(shop, [1, 2])
    with shop.open() as connection:
        connection.execute("UPDATE marts.destination_records SET email = NULL, phone = NULL WHERE record_id = 'r2'")
    planned = shop.plan()
    assert (planned["buyers"].adds, planned["buyers"].status) == (2, "ready")
    shop.apply()
    assert shop.on("tag:Buyer") == {1, 2}


def test_somebody_without_a_record_there_is_named_by_every_address(shop: Shop) -> None:
    shop.audience("buyers", LEAVE_ALONE, target="tag:Buyer", create_missing=True)
    build(shop, [1, 2], without_record=[2])
    with shop.open() as connection:
        for record, email in (("s1", "two@example.com"), ("s2", "zwei@example.com")):
            values = ["shop", "main", "acme", record, "p2", email, None]
            connection.execute("INSERT INTO marts.destination_records VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    planned = shop.plan()["buyers"]
    rows = [row for call in calls(shop.home.data / planned.file, {"add": 9}) for row in call.rows]
    assert planned.held_because == ()
    assert {row.named for row in rows if row.record_id is None} == {
        Identifier("email", "two@example.com"),
        Identifier("email", "zwei@example.com"),
    }
    assert [row.record_id for row in rows if row.record_id] == ["r1"]


def test_whoever_must_go_is_work_by_hand_and_no_call(shop: Shop) -> None:
    build(shop, [1, 2, 3, 4])
    shop.plan()
    shop.apply()
    build(shop, [1, 2], refused={4: "erased"})
    planned = shop.plan()
    assert (planned["buyers"].by_hand, planned["buyers"].removes, planned["buyers"].status) == (1, 0, "nothing")
    assert (planned["removals"].by_hand, planned["removals"].removes, planned["removals"].status) == (1, 0, "nothing")
    shop.apply()
    assert {operation for operation, *_ in shop.mailer.log} == {"add"}
    assert shop.memberships() == dict.fromkeys(("r1", "r2", "r3", "r4"), "accepted")


def test_an_address_of_somebody_erased_since_is_work_by_hand_too(shop: Shop) -> None:
    shop.audience("buyers", LEAVE_ALONE, target="tag:Buyer", create_missing=True)
    build(shop, [2], without_record=[2])
    with shop.open() as connection:
        values = ["shop", "main", "acme", "s1", "p2", "two@example.com", None]
        connection.execute("INSERT INTO marts.destination_records VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    shop.plan()
    shop.apply()
    build(shop, [], without_record=[2], refused={2: "erased"})
    assert shop.plan()["removals"].by_hand == 1


def test_somebody_forbidden_during_the_call_stays_on_record_for_the_next_plan(shop: Shop) -> None:
    build(shop, [1, 2])
    shop.plan()
    shop.mailer.next = [lambda: shop.gate.block("record:mailer:main:r1")]
    [applied] = [one for name, one in shop.apply().items() if name == "buyers"]
    assert (applied.accepted, applied.compensated, applied.problem) == (2, 0, "")
    assert shop.memberships() == {"r1": "accepted", "r2": "accepted"}


def row(kind: str, channel: str = "*", audience: str = "*", keys: tuple[str, ...] = ()) -> LedgerRow:
    now = datetime.now(UTC)
    return LedgerRow(
        ledger_id=f"{kind}/{channel}/{audience}",
        landing_id="landing",
        platform="shop",
        account="main",
        event_name="x",
        kind=kind,
        channel=channel,
        topic="*",
        audience=audience,
        occurred_at=now,
        recorded_at=now,
        key_hashes=keys,
    )


@pytest.mark.parametrize("kind", ["withdrawn", "spam_complaint", "manual_block", "minor", LEFT])
def test_only_an_erasure_keeps_a_person_from_being_left_alone(kind: str) -> None:
    about = {"channel": "none", "topic": "webinar", "audience": "buyers", "brand": "acme"}
    assert not row(kind).covers(**about)
    assert row("erased").covers(**about)
    assert row(kind).covers(**(about | {"channel": "email"}))


def test_an_erasure_owes_no_removal_where_none_is_offered(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    build(shop, [1])
    shop.plan()
    shop.apply()
    destinations = Destinations({MAILER.key: Tagger}, {MAILER.key: MAILER}, lambda account: shop.mailer)
    key = keyed_hash(shop.state.key, "email:p1@example.com")
    Owing(shop.state, destinations).owe([row("erased", keys=(key,)), row("withdrawn", keys=(key,))])
    with shop.state.deliveries.connect() as connection:
        assert connection.execute(select(outbox)).all() == []
    assert "1 members must go there by hand" in caplog.text


# --- the twin -------------------------------------------------------------------------------------------------------

SUPPRESSING = TWIN | {"channel": "none", "purpose": "suppression", "destinations": [{"platform": "mailer", "tag": "B"}]}


def told(folder: Path, twin: dict[str, object]) -> tuple[Catalogue, list[Problem]]:
    return collect(
        manifest(folder, buyers=twin),
        build_id=1,
        platforms=[PLATFORM],
        accounts=[MAILER],
        former=Catalogue(0, ()),
        with_members=set(),
    )


def test_a_twin_that_suppresses_is_taken_by_a_destination_that_never_lets_go(shop: Shop, tmp_path: Path) -> None:
    found, problems = told(tmp_path, SUPPRESSING | {"enter_on": ["Tag: Buyer"]})
    assert problems == []
    assert found["buyers"].question_id == "none|suppression|marketing|any|none|default"
    assert found["buyers"].enter_on == ("tag:buyer",)


def test_other_audiences_are_not(shop: Shop, tmp_path: Path) -> None:
    _, [problem] = told(tmp_path, TWIN | {"destinations": [{"platform": "mailer", "tag": "B"}]})
    assert "purpose: suppression" in problem.message


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"channel": "email"}, "channel"),
        ({"purpose": "marketing"}, "channel"),
        ({"leave_on": ["order_placed"]}, "leave_on"),
        ({"holdout": 0.1}, "holdout"),
        ({"send_event": "x"}, "send_event"),
        ({"product_category": "vape"}, "product_category"),
    ],
    ids=lambda value: str(value),
)
def test_what_makes_no_sense_of_suppressing_is_told(tmp_path: Path, change: dict[str, object], key: str) -> None:
    _, problems = told(tmp_path, SUPPRESSING | change)
    assert key in {problem.key for problem in problems}


def test_a_tag_in_any_spelling_is_one_event_and_never_adds_to_what_is_sent(tmp_path: Path) -> None:
    found, problems = told(tmp_path, TWIN | {"leave_on": ["order_placed", "TAG: Gold Buyer ", "tag:Straße"]})
    assert problems == []
    assert found["buyers"].leave_on == ("order_placed", "tag:gold buyer", "tag:strasse")
    _, [problem] = told(tmp_path, TWIN | {"enter_on": ["tag:Buyer"]})
    assert problem.key == "enter_on"
    assert event_name("order_placed") == "order_placed"
