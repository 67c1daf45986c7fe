"""State does not grow for ever: what ended long ago goes, and nothing that anybody still needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from orchestration.activation import sent
from orchestration.activation.kept import all_files
from orchestration.activation.pruning import KEPT, Pruned, prune
from orchestration.activation.state import outbox, outcomes, plans
from tests.activation.shop import Shop

NOW = datetime.now(UTC)
LATER = NOW + KEPT + timedelta(days=1)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """One plan applied, one ready."""
    shop = Shop(tmp_path)
    shop.audience()
    shop.build({"buyers": range(5)})
    shop.plan()
    shop.apply()
    shop.build({"buyers": range(8)})
    shop.plan()
    return shop


def files(shop: Shop) -> int:
    return len(list(shop.home.plans.rglob("*.parquet")))


def counted(shop: Shop, table: object) -> int:
    with shop.state.deliveries.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


def owe(shop: Shop, state: str, at: datetime) -> None:
    values = {
        "outbox_id": f"{state} {at}", "ledger_id": "l", "operation": "remove", "reason": "withdrawn",
        "platform": "mailer", "account": "main", "channel": "email", "state": state, "attempts": 0,
        "next_attempt_at": at, "created_at": at, "done_at": at if state == "done" else None,
    }  # fmt: skip
    with shop.state.write_deliveries() as connection:
        connection.execute(insert(outbox).values(values))


def test_nothing_goes_before_its_time(shop: Shop) -> None:
    owe(shop, "done", NOW)
    assert prune(shop.home, shop.state, NOW + KEPT - timedelta(days=1)) == Pruned()
    assert files(shop) == 2


def test_what_ended_long_ago_goes_and_the_plan_is_remembered(shop: Shop) -> None:
    assert prune(shop.home, shop.state, LATER) == Pruned(files=1, outcomes=5, calls=0)
    assert (files(shop), counted(shop, outcomes), counted(shop, plans)) == (1, 0, 2)
    assert not (shop.home.plans / "1").exists()
    assert prune(shop.home, shop.state, LATER) == Pruned()
    shop.apply()
    assert shop.on("list:Buyers") == set(range(8)), "a plan that is still open keeps its file"


def test_no_plan_can_be_applied_whose_decisions_are_not_kept(shop: Shop) -> None:
    shop.apply()
    known = counted(shop, plans)
    kept = shop.home.state / "kept"
    kept.rename(kept.with_name("away"))
    kept.touch()  # no folder can be made here
    shop.build({"buyers": range(9)})
    with pytest.raises(OSError, match="kept"):
        shop.plan()
    assert counted(shop, plans) == known
    shop.apply()
    assert shop.on("list:Buyers") == set(range(8))


def test_what_was_pushed_and_the_decision_that_led_to_it_stay(shop: Shop) -> None:
    with shop.open() as connection:
        connection.execute("UPDATE marts.decisions SET rule_version = 'later', reason_codes = ['withdrawn']")
    before = sent.pushes(shop.home.data, shop.state, "p2", [])
    assert [(one.op, one.state, one.build_id, one.reason_codes) for one in before] == [("add", "accepted", 1, ["ok"])]
    assert before[0].rule_version not in ("", "later")
    assert prune(shop.home, shop.state, LATER).outcomes == 5
    assert sent.pushes(shop.home.data, shop.state, "p2", []) == before
    found = sent.push(shop.home.data, shop.state, before[0].write_id)
    assert found is not None
    assert found[0] == before[0]
    assert found[1] == "p2"
    assert b"example.com" not in b"".join(path.read_bytes() for path in all_files(shop.home))


def test_a_plan_with_a_row_whose_end_is_not_known_is_kept(shop: Shop) -> None:
    with shop.state.write_deliveries() as connection:
        some = select(outcomes.c.row_id).limit(1).scalar_subquery()
        connection.execute(update(outcomes).where(outcomes.c.row_id == some).values(state="in_flight"))
    assert prune(shop.home, shop.state, LATER) == Pruned()


def test_only_calls_that_are_over_go(shop: Shop) -> None:
    for state in ("done", "lifted", "mended", "due", "dead"):
        owe(shop, state, NOW)
    assert prune(shop.home, shop.state, LATER).calls == 3
    with shop.state.deliveries.connect() as connection:
        assert set(connection.execute(select(outbox.c.state)).scalars()) == {"due", "dead"}
