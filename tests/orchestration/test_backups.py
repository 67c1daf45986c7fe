"""A backup taken while everything runs, and what a restored home knows, does not know, and does about it."""

from __future__ import annotations

import json
import shutil
import stat
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import func, insert, select

from dlt_sources.errors import AudiencesError, ConfigurationError
from orchestration import restoring, warehouse
from orchestration.activation import approvals, baseline, sent
from orchestration.activation.ledger import absorb, record
from orchestration.activation.state import State, builds, ledger, links, memberships, plans, reviews
from orchestration.backups import backup
from orchestration.home import Home
from orchestration.inputs import links as inputs_links
from orchestration.inputs import receipts
from orchestration.inputs import reviews as inputs_reviews
from orchestration.inputs.reading import Layout
from orchestration.landing.files import Landing
from orchestration.restoring import Restored, restore
from tests.activation.places import reader
from tests.activation.shop import MAILER, Shop
from tests.landing.senders import klaviyo_unsubscribe, land, landed_of, make_home
from tests.orchestration.test_cli import audiences

TARGET = "list:Buyers"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Six members at the mailer, published; accounts that send webhooks."""
    folder = tmp_path / "house"
    make_home(folder)
    shop = Shop(folder)
    shop.audience()
    shop.build({"buyers": range(6)})
    shop.plan()
    shop.apply()
    shop.publish()
    yield shop
    shop.state.close()


def restored(shop: Shop, tmp_path: Path, *, with_warehouse: bool = False) -> tuple[Shop, Restored]:
    """A backup of the shop in a home of its own."""
    file = tmp_path / "backup.tar"
    backup(shop.home, file, with_warehouse=with_warehouse)
    return brought_back(shop, file, tmp_path / "new")


def brought_back(shop: Shop, file: Path, folder: Path) -> tuple[Shop, Restored]:
    shutil.copytree(shop.home.folder / ".dlt", folder / ".dlt")
    done = restore(Home(folder), file)
    return Shop.reopened(folder, shop), done


def ledger_of(state: State) -> dict[str, int | None]:
    with state.ledger.connect() as connection:
        return {row.landing_id: row.absorbed_build for row in connection.execute(select(ledger))}


def test_a_backup_is_for_its_owner_alone_and_names_a_hash_of_everything_in_it(shop: Shop, tmp_path: Path) -> None:
    land(shop.home, klaviyo_unsubscribe("jane@b.c", "1"))
    file = tmp_path / "kept" / "backup.tar"
    done = backup(shop.home, file, with_warehouse=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (done.landing_files, done.with_warehouse) == (1, True)
    with tarfile.open(file) as tar:
        content = tar.extractfile("manifest.json")
        assert content is not None
        manifest = json.loads(content.read())
        names = set(tar.getnames())
    assert set(manifest["files"]) | {"manifest.json"} == names
    assert {"state/key", "state/ledger.db", "state/deliveries.db", "published/catalogue.json"} <= names
    assert "published/warehouse.duckdb" in names
    assert len([name for name in names if name.startswith("landing/speed/ready/")]) == 1
    assert [path.name for path in file.parent.iterdir()] == ["backup.tar"], "nothing is left beside it"


def test_a_restored_home_has_the_key_the_members_and_the_suppressions(shop: Shop, tmp_path: Path) -> None:
    rows = reader(shop.home, shop.state).rows(landed_of(klaviyo_unsubscribe("jane@b.c", "1")))
    record(shop.state, rows)
    new, done = restored(shop, tmp_path)
    assert new.state.key == shop.state.key
    assert new.memberships() == shop.memberships()
    assert ledger_of(new.state) == {rows[0].landing_id: None}
    assert approvals.approved(new.state) == {MAILER.key}
    assert stat.S_IMODE((new.home.state / "key").stat().st_mode) == 0o600
    assert done.baselines == 1


def test_a_home_that_is_not_empty_is_refused_and_left_alone(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    backup(shop.home, file)
    before = (shop.home.state / "ledger.db").read_bytes()
    with pytest.raises(ConfigurationError, match="not empty"):
        restore(shop.home, file)
    assert (shop.home.state / "ledger.db").read_bytes() == before


@pytest.mark.parametrize("harm", ["cut", "changed", "foreign", "missing", "incomplete"])
def test_a_damaged_or_foreign_file_is_refused_and_leaves_the_home_empty(shop: Shop, tmp_path: Path, harm: str) -> None:
    file = tmp_path / "backup.tar"
    backup(shop.home, file)
    content = bytearray(file.read_bytes())
    if harm == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif harm == "changed":
        place = content.index(shop.state.key.hex().encode())
        content[place : place + 4] = b"0000" if content[place : place + 4] != b"0000" else b"1111"
        file.write_bytes(content)
    elif harm == "foreign":
        file.write_bytes(b"something else")
    elif harm == "missing":
        file.unlink()
    else:
        with tarfile.open(file) as old, tarfile.open(tmp_path / "less.tar", "w") as less:
            for member in old:
                if member.name != "state/key":
                    less.addfile(member, old.extractfile(member))
        (tmp_path / "less.tar").rename(file)
    home = Home(tmp_path / "new")
    with pytest.raises(AudiencesError, match=r"backup\.tar"):
        restore(home, file)
    assert [path for path in home.folder.rglob("*") if path.is_file()] == []


def test_a_backup_of_a_later_version_is_refused(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup.tar"
    backup(shop.home, file)
    monkeypatch.setattr(restoring, "head", lambda _store: "0000")
    with pytest.raises(ConfigurationError, match="install the newer version"):
        restore(Home(tmp_path / "new"), file)


def test_a_backup_is_whole_while_others_write(shop: Shop, tmp_path: Path) -> None:
    """Every row in it has its keys, and nothing that was there before it began is missing."""
    stop, written = threading.Event(), []
    read = reader(shop.home, shop.state)

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            record(shop.state, read.rows(landed_of(klaviyo_unsubscribe(f"p{number}@b.c", str(number)))))
            written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while len(written) < 5:
            stop.wait(0.01)
        before = len(written)
        file = tmp_path / "backup.tar"
        backup(shop.home, file)
    finally:
        stop.set()
        thread.join()
    new, _ = brought_back(shop, file, tmp_path / "new")
    with new.state.ledger.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.execute(select(func.count()).select_from(ledger)).scalar_one() >= before


def test_what_happened_after_an_old_backup_is_read_back(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    backup(shop.home, file)
    shop.build({"buyers": range(1, 9)}, refused={0: "withdrawn"})
    shop.plan()
    shop.apply()
    assert shop.on(TARGET) == set(range(1, 9))
    new, _ = brought_back(shop, file, tmp_path / "new")
    with new.open() as connection:
        from tests.activation.shop import MARTS, PLATFORM

        warehouse.ensure_raw(connection, [PLATFORM], [MAILER])
        connection.execute(MARTS)
    new.build({"buyers": range(2, 9)}, refused={1: "withdrawn"})
    held = new.plan()["buyers"]
    assert held.held_because[0].startswith("no_baseline: ")
    assert "restored from a backup" in held.held_because[0]
    [taken] = new.take_baselines()
    assert (taken.adopted, taken.missing) == (8, 1)
    planned = new.plan()
    assert (planned["buyers"].adds, planned["buyers"].removes, planned["removals"].removes) == (0, 0, 1)
    new.apply()
    assert new.on(TARGET) == set(range(2, 9))


def test_no_plan_made_before_is_applied_and_no_row_stays_in_flight(shop: Shop, tmp_path: Path) -> None:
    shop.build({"buyers": range(8)}, refused={0: "withdrawn"})
    shop.plan()
    new, _ = restored(shop, tmp_path)
    with new.state.deliveries.connect() as connection:
        assert set(connection.execute(select(plans.c.status)).scalars()) == {"applied", "superseded"}
    assert new.apply() == {}


def test_suppressions_that_the_restored_decisions_do_not_know_block_again(shop: Shop, tmp_path: Path) -> None:
    rows = reader(shop.home, shop.state).rows(landed_of(klaviyo_unsubscribe("jane@b.c", "1")))
    record(shop.state, rows)
    absorb(shop.state, 1, [rows[0].landing_id])
    new, _ = restored(shop, tmp_path)
    assert ledger_of(new.state) == {rows[0].landing_id: None}
    with new.state.ledger.connect() as connection:
        assert set(connection.execute(select(builds.c.decided_at)).scalars()) == {None}


def test_with_its_warehouse_what_the_decisions_know_stays_absorbed(shop: Shop, tmp_path: Path) -> None:
    rows = reader(shop.home, shop.state).rows(landed_of(klaviyo_unsubscribe("jane@b.c", "1")))
    record(shop.state, rows)
    with shop.open() as connection:
        connection.execute("INSERT INTO marts.absorbed_landings VALUES (?)", [rows[0].landing_id])
        connection.execute("INSERT INTO raw_audiences.contacts VALUES ('mailer', 'main', 'people', now(), 3600)")
    shop.publish()
    new, done = restored(shop, tmp_path, with_warehouse=True)
    assert done.with_warehouse
    assert ledger_of(new.state) == {rows[0].landing_id: 1}
    with duckdb.connect(str(new.home.warehouse), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM marts.clock").fetchone() == (1,)
        contacts = connection.execute("SELECT count(*) FROM raw_audiences.contacts").fetchone()
    assert contacts == (0,), "no source counts as having answered"


def test_requests_that_were_loaded_are_loaded_again_into_a_new_warehouse(shop: Shop, tmp_path: Path) -> None:
    landing = Landing(shop.home.landing)
    [old] = land(shop.home, klaviyo_unsubscribe("jane@b.c", "1"))
    name = "0190" + old.name[4:]  # begun long ago, so that its rows are surely in the ledger
    landing.move(old.rename(old.with_name(name)), "speed", "loaded")
    land(shop.home, klaviyo_unsubscribe("john@b.c", "2"))
    new, done = restored(shop, tmp_path)
    again = Landing(new.home.landing)
    assert done.requeued == 1
    assert [path.name for path in again.waiting("speed", "settled")] == [name]
    assert again.count("speed", "ready") == 1


def test_what_was_settled_while_the_backup_was_taken_is_settled_again(shop: Shop, tmp_path: Path) -> None:
    """The ledger is copied first: rows written after that are only in the files."""
    [fresh] = land(shop.home, klaviyo_unsubscribe("jane@b.c", "1"))
    Landing(shop.home.landing).move(fresh, "speed", "settled")
    new, _ = restored(shop, tmp_path)
    again = Landing(new.home.landing)
    assert (again.count("speed", "ready"), again.count("speed", "settled")) == (1, 0)


def test_a_ledger_that_is_lost_is_written_again_from_what_no_decision_knows(shop: Shop) -> None:
    known = landed_of(klaviyo_unsubscribe("known@b.c", "1"))
    landing = Landing(shop.home.landing)
    landing.create()
    for landed, stage in ((known, "loaded"), (landed_of(klaviyo_unsubscribe("new@b.c", "2")), "settled")):
        [path] = landing.write("speed", [landed.line()])
        landing.move(path, "speed", stage)  # type: ignore[arg-type]
    with shop.open() as connection:
        connection.execute("INSERT INTO marts.absorbed_landings VALUES (?)", [known.id])
    shop.publish()
    shop.build({"buyers": range(8)})
    shop.plan()
    shop.state.close()
    for path in shop.home.state.glob("ledger.db*"):
        path.unlink()
    shop.state = State.of(shop.home)
    assert (landing.count("speed", "ready"), landing.count("speed", "loaded")) == (1, 1)
    assert shop.apply() == {}, "a plan that rests on the lost ledger is not applied"
    assert baseline.due(shop.state) == [], "the deliveries are as they were"
    assert shop.state.lost == ()


def decided_by_people(shop: Shop) -> None:
    """A verdict, a link and a receipt of a registry."""
    about = {"actor": "sam", "reason": "read", "recorded_at": datetime(2026, 11, 20, 12, tzinfo=UTC)}
    sides = {f"{side}_{name}": side for side in ("left", "right") for name in ("platform", "account", "record_id")}
    with shop.state.write_ledger() as connection:
        verdict = {"review_id": "r", "reviewed_id": "held", "verdict": "stop", "key_hash": "h"}
        connection.execute(insert(reviews).values(**verdict, **about))
        connection.execute(insert(links).values(link_id="l", verdict="merge", **sides, **about))
    file = shop.home.folder / "answer.csv"
    file.write_text("email,result\njane@b.c,listed\n")
    day, registry = date(2026, 11, 20), "child_protection_utah"
    receipts.keep(shop.home, file, Layout(), registry=registry, checked_on=day, whole_list=False, actor="jo")


def test_what_people_decided_and_brought_is_restored(shop: Shop, tmp_path: Path) -> None:
    decided_by_people(shop)
    new, _ = restored(shop, tmp_path)
    with new.state.ledger.connect() as connection:
        assert connection.execute(select(reviews.c.verdict, reviews.c.key_hash)).all() == [("stop", "h")]
        assert connection.execute(select(links.c.verdict)).all() == [("merge",)]
    assert receipts.kept(new.home) == receipts.kept(shop.home)
    with new.open() as connection:
        warehouse.ensure_raw(connection, [], [])
        assert receipts.load(new.home, connection) == 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in new.home.receipts.iterdir()} == {0o600}


def test_what_was_pushed_and_why_is_restored(shop: Shop, tmp_path: Path) -> None:
    before = [sent.pushes(shop.home.data, shop.state, f"p{n}", []) for n in range(5)]
    assert any(one.rule_version for pushes in before for one in pushes)
    new, _ = restored(shop, tmp_path)
    shutil.copytree(shop.home.plans, new.home.plans)
    assert [sent.pushes(new.home.data, new.state, f"p{n}", []) for n in range(5)] == before


def test_a_home_with_receipts_is_not_empty(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    backup(shop.home, file)
    home = Home(tmp_path / "new")
    receipts.keep(
        home, None, Layout(), registry="child_protection_utah", checked_on=date(2026, 11, 20),
        whole_list=True, actor="jo",
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="data/receipts"):
        restore(home, file)


def test_what_people_decided_survives_the_loss_of_the_ledger(shop: Shop) -> None:
    decided_by_people(shop)
    with shop.open() as connection:
        warehouse.ensure_raw(connection, [], [])
        inputs_reviews.load(shop.state, connection)
        inputs_links.load(shop.state, connection)
    shop.publish()
    shop.state.close()
    for path in shop.home.state.glob("ledger.db*"):
        path.unlink()
    shop.state = State.of(shop.home)
    with shop.state.ledger.connect() as connection:
        kept = connection.execute(select(reviews.c.reviewed_id, reviews.c.verdict, reviews.c.recorded_at)).all()
        assert kept == [("held", "stop", datetime(2026, 11, 20, 12, tzinfo=UTC))]
        assert connection.execute(select(links.c.link_id, links.c.right_record_id)).all() == [("l", "right")]


def test_a_lost_key_is_refused_beside_either_store(shop: Shop) -> None:
    shop.state.close()
    (shop.home.state / "key").unlink()
    for path in shop.home.state.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="missing beside the deliveries: restore it from your backup"):
        State.of(shop.home)


def test_the_commands_back_up_and_restore_and_say_what_follows(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    nothing = audiences(old, "backup", "kept.tar")
    assert (nothing.returncode, "no state to back up" in nothing.stderr) == (2, True)
    with State(old / "data" / "state").write_deliveries() as connection:
        values = dict.fromkeys(("membership_id", "audience", "platform", "account", "target", "record_id"), "x")
        values |= dict.fromkeys(("person_id", "brand", "channel", "topic", "payload_hash"), "x")
        more = {"status": "accepted", "build_id": 1, "changed_at": datetime.now(UTC)}
        connection.execute(insert(memberships).values(**values, **more))
    told = audiences(old, "backup", str(tmp_path / "kept.tar"), "--json")
    assert (told.returncode, json.loads(told.stdout)["landing_files"]) == (0, 0)
    assert "It holds the key" in told.stderr
    back = audiences(new, "restore", str(tmp_path / "kept.tar"))
    assert back.returncode == 0, back.stderr
    assert "1 places are read back" in back.stdout
    again = audiences(new, "restore", str(tmp_path / "kept.tar"))
    assert (again.returncode, "not empty" in again.stderr) == (2, True)
