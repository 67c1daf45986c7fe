from pathlib import Path

import duckdb
import pytest
from sqlalchemy import insert, select

from dlt_sources.errors import AudiencesError
from orchestration.activation import catalogue as catalogues
from orchestration.activation import publish as publishing
from orchestration.activation.state import builds, ledger
from orchestration.warehouse import begin_build
from tests.activation.shop import Shop, long_ago

STEPS = ("_copy", "catalogues.write", "_known_landings", "ledger.absorb")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.audience()
    return shop


def opt_out(shop: Shop, landing_id: str) -> None:
    with shop.state.write_ledger() as connection:
        connection.execute(
            insert(ledger).values(
                ledger_id=landing_id,
                landing_id=landing_id,
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


def absorbed(shop: Shop) -> dict[str, int | None]:
    with shop.state.ledger.connect() as connection:
        return {row.landing_id: row.absorbed_build for row in connection.execute(select(ledger))}


def decided(shop: Shop) -> list[int]:
    with shop.state.ledger.connect() as connection:
        return list(connection.execute(select(builds.c.build_id).where(builds.c.decided_at.is_not(None))).scalars())


def knows(shop: Shop, *landing_ids: str) -> None:
    with shop.open() as connection:
        connection.executemany("INSERT INTO marts.absorbed_landings VALUES (?)", [[one] for one in landing_ids])


def test_a_build_is_published_whole_and_absorbs_what_its_decisions_know(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    opt_out(shop, "known")
    opt_out(shop, "unknown")
    knows(shop, "known", "long since absorbed")
    published = shop.publish()
    assert absorbed(shop) == {"known": 1, "unknown": None}
    assert (published.build_id, published.absorbed) == (1, 1)
    assert decided(shop) == [1]
    assert catalogues.read(shop.home) == shop.catalogue
    with duckdb.connect(str(shop.home.published / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM audiences.buyers").fetchone() == (1,)


def test_a_reader_keeps_the_copy_it_has_open(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    shop.publish()
    with duckdb.connect(str(shop.home.published / "warehouse.duckdb"), read_only=True) as reader:
        shop.build({"buyers": [1, 2]})
        shop.publish()
        assert reader.execute("SELECT count(*) FROM audiences.buyers").fetchone() == (1,)


def test_a_build_whose_decisions_failed_is_not_published_and_absorbs_nothing(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    shop.publish()
    opt_out(shop, "known")
    knows(shop, "known")
    with shop.open() as connection:
        build = begin_build(shop.state, connection)
        connection.execute("UPDATE marts.clock SET build_id = ?", [build.build_id])
    shop.build_id = build.build_id
    with pytest.raises(AudiencesError, match="made no decisions"):
        shop.publish()
    assert absorbed(shop) == {"known": None}
    assert decided(shop) == [1]
    assert catalogues.read(shop.home).build_id == 1


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_dying_at_any_step_absorbs_nothing_early_and_the_next_build_makes_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    shop.build({"buyers": [1]})
    opt_out(shop, "known")
    knows(shop, "known")

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"orchestration.activation.publish.{STEPS[step]}", die)
        with pytest.raises(KeyboardInterrupt):
            shop.publish()
    assert absorbed(shop) == {"known": None}
    assert decided(shop) == ([1] if step >= 2 else [])
    shop.build({"buyers": [1]})
    shop.publish()
    assert absorbed(shop) == {"known": 2}


def test_nothing_is_absorbed_before_the_build_counts_as_decided(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.build({"buyers": [1]})
    seen: list[list[int]] = []
    monkeypatch.setattr(publishing.ledger, "absorb", lambda *_: seen.append(decided(shop)) or 0)
    shop.publish()
    assert seen == [[1]]


def test_a_build_counts_as_published_once_it_is(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.audience()
    build_id = shop.build({"buyers": [1]})
    assert not publishing.is_published(shop.state, build_id)
    shop.publish()
    assert publishing.is_published(shop.state, build_id)
