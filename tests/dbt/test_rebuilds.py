"""What a second build does: the same, no more than the new, and never more than the broken part fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dbt.conftest import Build
from tests.dbt.raw import UNSUBSCRIBED, ago

RESULTS = (
    "marts.decisions",
    "marts.customer_events",
    "marts.person_activity",
    "marts.quarantine",
    "marts.withdrawals",
    "marts.absorbed_landings",
    "intermediate.consent_events",
    "intermediate.customer_records",
    "audiences.recent_buyers",
    "exclusions.vape_buyers_of_age",
)
SEGMENTS = ("recent_buyers", "lapsed_customers", "high_spenders", "vape_buyers_of_age", "webinar_follow_up")


def fingerprints(build: Build) -> dict[str, object]:
    """A hash per result table, whatever the order of its rows."""
    return {
        table: build.rows(f"select count(*), bit_xor(hash(row::varchar)) from (select * from {table}) as row")
        for table in RESULTS
    }


def land_news(build: Build) -> None:
    """New rows of every kind: repeats, a late older sight, changed records and a webhook."""
    with build.raw() as raw:
        raw.connection.execute("insert into raw_shopify.orders select * from raw_shopify.orders")
        raw.connection.execute(
            "insert into raw_shopify.customers"
            " select * replace (extracted_at - interval 1 day as extracted_at) from raw_shopify.customers"
        )
        raw.connection.execute(
            "insert into raw_twilio.webhooks"
            " select * replace (landing_id || ' again' as landing_id) from raw_twilio.webhooks"
        )
        raw.customer(1, "ann@example.com", email_consent=UNSUBSCRIBED, updated_at=ago(hours=5))
        raw.order(901, 4, ago(days=1))
        raw.profile("K90", "new@example.com", location={"country": "United Kingdom"})
        raw.message("SM90", "+14155550121", ago(hours=3), body="stop")


def test_a_second_build_of_the_same_rows_gives_the_same_result(copy: Build) -> None:
    before = fingerprints(copy)
    assert copy.run() == set()
    assert fingerprints(copy) == before


def test_incremental_staging_ends_as_a_full_refresh_does(copy: Build) -> None:
    land_news(copy)
    assert copy.run() == set()
    incremental = fingerprints(copy)
    assert copy.rows("select identifier from audiences.recent_buyers where identifier like 'ann%'") == []
    assert copy.run("--full-refresh") == set()
    assert fingerprints(copy) == incremental


def test_what_breaks_fails_alone_and_keeps_its_last_good_audience(copy: Build) -> None:
    segments = copy.project / "models" / "segments"
    edit(segments / "recent_buyers.yml", "          topic: marketing\n", "")
    edit(segments / "high_spenders.sql", "activity.amount_365d as spent", "activity.no_such_column as spent")
    edit(segments / "webinar_follow_up.sql", "person_id,", "person_id, 'x' as identifier,")
    before = {name: copy.rows(f"select * from audiences.{name} order by all") for name in SEGMENTS}
    land_news(copy)
    with copy.raw() as raw:
        raw.build(2)

    assert copy.run() == {"recent_buyers", "high_spenders", "webinar_follow_up"}

    assert builds(copy, "lapsed_customers") == {2}
    assert builds(copy, "vape_buyers_of_age") == {2}
    for name in ("recent_buyers", "high_spenders", "webinar_follow_up"):
        assert copy.rows(f"select * from audiences.{name} order by all") == before[name]
        assert builds(copy, name) == {1}
    # What the broken twin's audience asked is still decided, so that it can lose whoever must go.
    decided = copy.rows(
        "select eligible from marts.decisions where identifier = 'ann@example.com' and question_id like 'email%none%'"
    )
    assert decided == [(False,)]


def test_a_broken_model_leaves_the_last_good_audiences_as_they_were(copy: Build) -> None:
    edit(
        copy.project / "models" / "marts" / "decisions.sql", "select * from {{ ref('person_keys') }}", "select nothing"
    )
    with copy.raw() as raw:
        raw.build(2)
    failed = copy.run()
    assert {"decisions", "absorbed_landings", *SEGMENTS} == failed
    assert builds(copy, "recent_buyers") == {1}
    assert copy.values("select build_id from marts.clock") == {2}


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (("          channel: email\n", ""), r'channel is missing. Write "channel: email" or "channel: sms"'),
        (("purpose: marketing", "purpose: spam"), r'purpose is "spam". Write one of: marketing, transactional'),
        (("        owner: lifecycle\n", ""), r'config.meta.owner is missing. Write "owner: lifecycle"'),
        (("tag: aud-recent-buyer", "tags: aud-recent-buyer"), r"destinations\[1\] needs platform, account and one of"),
        (
            ("product_category: none\n", "product_category: none\n          holdout: half\n"),
            "Write a share from 0 to 1",
        ),
        (("product_category: none\n", "product_category: none\n          leave_on: order\n"), "leave_on is not a list"),
    ],
    ids=["no channel", "unknown purpose", "no owner", "no target", "holdout", "leave_on"],
)
def test_a_broken_twin_is_told_what_to_write(shop: Build, copy: Build, change: tuple[str, str], advice: str) -> None:
    edit(copy.project / "models" / "segments" / "recent_buyers.yml", *change)
    result = copy.dbt("run", "--select", "recent_buyers")
    (failed,) = [one for one in result.result.results if one.status == "error"]
    assert "models/segments/recent_buyers.yml: " in failed.message
    assert re.search(advice, failed.message), failed.message


def test_holdout_and_enter_on_draw_and_add_the_same_people_each_time(copy: Build) -> None:
    twin = copy.project / "models" / "segments" / "webinar_follow_up.yml"
    edit(twin, "leave_on: [order_placed]", "leave_on: [order_placed]\n          enter_on: [customer_created]")
    with copy.raw() as raw:
        raw.webhook("shopify", "customers/create", {"id": 21, "updated_at": ago(hours=4).isoformat()})
        raw.webhook("shopify", "customers/create", {"id": 31, "updated_at": ago(days=200).isoformat()})
    assert copy.run() == set()
    admitted = "select identifier from audiences.webinar_follow_up"
    entered = {"guest@example.com", "earlier@example.com", "lapsed@example.com"}
    assert copy.values(admitted) == entered
    edit(twin, "leave_on: [order_placed]", "leave_on: [order_placed]\n          holdout: 0.5")
    assert copy.dbt("run", "--select", "webinar_follow_up").success
    kept = copy.values(admitted)
    held = copy.values("select identifier from exclusions.webinar_follow_up where lead_reason = 'holdout'")
    assert kept | held == entered
    assert not kept & held
    assert copy.dbt("run", "--select", "webinar_follow_up").success
    assert copy.values(admitted) == kept


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in a file of the copied project."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def builds(build: Build, name: str) -> set[int]:
    """Ids of the builds that wrote an audience and its exclusions."""
    return build.values(f"select build_id from audiences.{name} union select build_id from exclusions.{name}")
