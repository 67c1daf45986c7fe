"""The first push to an account is a shadow: planned with its counts, held, and sent once a person has approved it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, delete, insert, select

from dlt_sources.errors import ConfigurationError
from orchestration.activation import approvals, migrations
from orchestration.activation.guards import Findings
from orchestration.activation.state import State, memberships
from orchestration.activation.state import approvals as table
from tests.activation.shop import MAILER, PLATFORM, Shop

KEY = MAILER.key


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.audience()
    with shop.state.write_deliveries() as connection:
        connection.execute(delete(table))
    return shop


def test_nobody_is_added_before_an_approval_and_the_held_plan_has_its_counts(shop: Shop) -> None:
    shop.build({"buyers": range(5)})
    planned = shop.plan()["buyers"]
    assert (planned.status, planned.adds) == ("held", 5)
    [because] = planned.held_because
    assert because.startswith("first_push: mailer:main was never approved")
    assert "audiences approve mailer:main --actor YOU --reason WHY" in because
    shop.apply()
    assert shop.on("list:Buyers") == set()
    assert shop.mailer.log == []


def test_an_approval_releases_what_only_waited_for_it_and_counts_for_good(shop: Shop) -> None:
    shop.build({"buyers": range(5)})
    shop.plan()
    done = approvals.approve(shop.state, KEY, "jo", "counts look right")
    assert (done.ready, done.held) == (1, 0)
    shop.apply()
    assert shop.on("list:Buyers") == set(range(5))
    shop.build({"buyers": range(6)})
    assert shop.plan()["buyers"].status == "ready"


def test_what_something_else_holds_stays_held(shop: Shop) -> None:
    shop.build({"buyers": range(5)})
    shop.plan(Findings(of_all=("stale_source: shop has never answered",)))
    done = approvals.approve(shop.state, KEY, "jo", "counts look right")
    assert (done.ready, done.held) == (0, 1)
    shop.apply()
    assert shop.on("list:Buyers") == set()
    assert shop.plan(Findings(of_all=("stale_source",)))["buyers"].held_because == ("stale_source",)


def test_removals_and_withdrawals_go_without_an_approval(shop: Shop) -> None:
    approvals.approve(shop.state, KEY, "jo", "for the start")
    shop.build({"buyers": range(3)})
    shop.plan()
    shop.apply()
    with shop.state.write_deliveries() as connection:
        connection.execute(delete(table))
    shop.build({"buyers": [1, 2]}, refused={0: "withdrawn"}, withdrawals=[0])
    planned = shop.plan()
    assert (planned["removals"].status, planned["removals"].removes, planned["removals"].suppressions) == (
        "ready",
        1,
        1,
    )
    shop.apply()
    assert shop.on("list:Buyers") == {1, 2}


def test_an_account_is_named_until_it_is_approved(shop: Shop) -> None:
    assert approvals.never_approved(shop.state, [PLATFORM], [MAILER]) == [KEY]
    approvals.approve(shop.state, KEY, "jo", "counts look right")
    assert approvals.never_approved(shop.state, [PLATFORM], [MAILER]) == []


def test_approving_twice_keeps_the_first_approval(shop: Shop) -> None:
    approvals.approve(shop.state, KEY, "jo", "counts look right")
    approvals.approve(shop.state, KEY, "al", "again")
    with shop.state.deliveries.connect() as connection:
        [kept] = connection.execute(select(table)).all()
    assert (kept.approved_by, kept.reason) == ("jo", "counts look right")


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("jo", " ")])
def test_an_approval_without_name_or_reason_is_refused(shop: Shop, actor: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match="--actor and --reason"):
        approvals.approve(shop.state, KEY, actor, reason)
    assert approvals.approved(shop.state) == frozenset()


def test_an_account_that_had_members_before_approvals_existed_counts_as_approved(tmp_path: Path) -> None:
    """An upgrade changes nothing for those who push already, and is not mistaken for a loss."""
    folder = tmp_path / "state"
    State(folder).close()
    for path in folder.glob("deliveries.db*"):
        path.unlink()
    old = create_engine(f"sqlite:///{folder / 'deliveries.db'}")
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "deliveries"))
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for account, status in (("main", "accepted"), ("former", "removed")):
            texts = ("audience", "target", "record_id", "person_id", "brand", "channel", "topic", "payload_hash")
            values = {"membership_id": account, "platform": "mailer", "account": account, "status": status}
            more = {"reason": "", "build_id": 1, "changed_at": datetime.now(UTC)}
            connection.execute(insert(memberships).values(**dict.fromkeys(texts, "x"), **values, **more))
    old.dispose()
    with create_engine(f"sqlite:///{folder / 'ledger.db'}").begin() as connection:
        connection.exec_driver_sql("UPDATE installation SET deliveries_id = ''")
    upgraded = State(folder, established=True)
    assert approvals.approved(upgraded) == {KEY}
    assert upgraded.lost == ()
    upgraded.close()
