"""What a second build does: the same, no more than the new, and never more than the broken part fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
#: What acts become, without decisions and audiences.
ACTS = ("--select", "+person_activity")
OF_ACTS = ("marts.customer_events", "marts.person_activity")
LEAVE_ON = 'leave_on: [order_placed, "tag:Buyer"]'
SEGMENTS = (
    *("recent_buyers", "lapsed_customers", "high_spenders", "vape_buyers_of_age", "webinar_follow_up"),
    "webinar_buyers",
)


def fingerprints(build: Build, tables: Sequence[str] = RESULTS) -> dict[str, object]:
    """A hash per result table, whatever the order of its rows."""
    found = {}
    for table in tables:
        # Which run wrote a row is the one thing that two ways to the same rows may tell apart.
        ours = build.values(
            "select column_name from duckdb_columns() where column_name = 'written_in'"
            f" and schema_name || '.' || table_name = '{table}'"
        )
        columns = "* exclude (written_in)" if ours else "*"
        found[table] = build.rows(
            f"select count(*), bit_xor(hash(r::varchar)) from (select {columns} from {table}) as r"
        )
    return found


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


def test_an_incremental_build_ends_as_a_full_refresh_does(copy: Build) -> None:
    land_news(copy)
    next_build(copy)
    assert copy.run() == set()
    incremental = fingerprints(copy)
    assert copy.rows("select identifier from audiences.recent_buyers where identifier like 'ann%'") == []
    written = "select min(written_in) < max(written_in) from {}"
    for table in ("staging.stg_shopify__orders", "marts.customer_events", "marts.person_activity"):
        assert copy.rows(written.format(table)) == [(True,)], f"{table} was brought up to date, not made anew"
    assert copy.run("--full-refresh") == set()
    assert fingerprints(copy) == incremental


def test_events_follow_a_record_that_turns_out_to_be_another_persons(copy: Build) -> None:
    """Orders follow their records, one of which turns out to be somebody else, and so do the counts of both people."""
    with copy.raw() as raw:
        raw.customer(901, "first-901@example.com")
        raw.customer(902, "second-902@example.com")
        raw.order(901, 901, ago(days=3))
        raw.order(902, 902, ago(days=2))
        raw.order(903, None, ago(days=1), email="third-903@example.com")
    of = "select object_id, person_id, found_by from marts.customer_events where object_id in ('901', '902', '903')"
    counts = """
        select distinct events.object_id, activity.count_ever from marts.customer_events as events
        join marts.person_activity as activity on events.person_id = activity.person_id
            and activity.event_name = 'order_placed' and activity.product_category = 'any' and activity.currency = 'any'
        where events.object_id in ('901', '902', '903')
    """
    next_build(copy)
    assert copy.run(*ACTS) == set()
    apart = {order: person for order, person, _ in copy.rows(of)}
    assert apart["901"] != apart["902"]
    assert apart["903"] is None
    assert dict(copy.rows(counts)) == {"901": 1, "902": 1}

    with copy.raw() as raw:
        raw.customer(902, "first-901@example.com", last_name="Number 901", updated_at=ago(hours=5))
        raw.customer(903, "third-903@example.com")
    next_build(copy)
    assert copy.run(*ACTS) == set()
    together = {order: person for order, person, _ in copy.rows(of)}
    assert together["901"] == together["902"]
    assert together["903"] is not None
    assert dict(copy.rows(counts)) == {"901": 2, "902": 2, "903": 1}
    left = ({apart["901"], apart["902"]} - {together["901"]}).pop()
    assert copy.rows(f"select * from marts.person_activity where person_id = '{left}'") == []
    incremental = fingerprints(copy, OF_ACTS)
    assert copy.run("--full-refresh", *ACTS) == set()
    assert fingerprints(copy, OF_ACTS) == incremental


def test_a_metric_that_becomes_known_names_the_events_that_came_before_it(copy: Build) -> None:
    named = "select raw_name, event_name from marts.customer_events where event_id like '%:event:E900'"
    with copy.raw() as raw:
        raw.event("E900", "M900", "K41", ago(days=5))
    next_build(copy)
    assert copy.run(*ACTS) == set()
    assert copy.rows(named) == [(None, "other")]
    with copy.raw() as raw:
        raw.metric("M900", "Webinar Registered")
    next_build(copy)
    assert copy.run(*ACTS) == set()
    assert copy.rows(named) == [("Webinar Registered", "webinar_registered")]


def test_counts_leave_their_windows_without_any_new_event(copy: Build) -> None:
    next_build(copy, days=20)
    assert copy.run(*ACTS) == set()
    later = fingerprints(copy, OF_ACTS)
    assert copy.run("--full-refresh", *ACTS) == set()
    assert fingerprints(copy, OF_ACTS) == later
    next_build(copy, days=-10)
    assert copy.run(*ACTS) == set()
    set_back = fingerprints(copy, OF_ACTS)
    assert copy.run("--full-refresh", *ACTS) == set()
    assert fingerprints(copy, OF_ACTS) == set_back


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


def test_another_rule_is_another_rule_version(copy: Build) -> None:
    version = "select rule_version from intermediate.rule_version"
    before = copy.values(version)
    copy.dbt("run", "--select", "rule_version")
    assert copy.values(version) == before
    edit(copy.project / "seeds" / "minimum_age.csv", "alcohol,AE,*,21", "alcohol,AE,*,22")
    copy.dbt("run", "--select", "rule_version")
    assert copy.values(version) != before


def test_a_broken_model_leaves_the_last_good_audiences_as_they_were(copy: Build) -> None:
    edit(copy.project / "models" / "marts" / "decisions.sql", "from {{ ref('rule_version') }}", "from nothing")
    with copy.raw() as raw:
        raw.build(2)
    failed = copy.run()
    assert {"decisions", "absorbed_landings", *SEGMENTS} == failed
    assert builds(copy, "recent_buyers") == {1}
    assert copy.values("select build_id from marts.clock") == {2}


def test_a_broken_twin_is_told_what_to_write(copy: Build) -> None:
    segments = copy.project / "models" / "segments"
    edit(segments / "recent_buyers.yml", "          channel: email\n", "")
    edit(segments / "recent_buyers.yml", "        owner: lifecycle\n", "")
    edit(segments / "lapsed_customers.yml", "purpose: marketing", "purpose: spam")
    edit(segments / "high_spenders.yml", "tag: aud-high-spender", "tags: aud-high-spender")
    edit(
        segments / "vape_buyers_of_age.yml",
        "product_category: vape\n",
        "product_category: vape\n          holdout: half\n",
    )
    edit(segments / "webinar_follow_up.yml", LEAVE_ON, "leave_on: order_placed")
    result = copy.dbt("run", "--select", "segments")
    said = {one.node.name: one.message for one in result.result.results if one.status == "error"}
    advice = {
        "recent_buyers": 'channel is missing. Write "channel: email" or "channel: sms" or "channel: none".',
        "lapsed_customers": 'purpose is "spam". Write one of: marketing, transactional, suppression.',
        "high_spenders": "destinations[1] needs platform, account and one of list, tag or property.",
        "vape_buyers_of_age": 'holdout is "half". Write a share from 0 to 1.',
        "webinar_follow_up": 'leave_on is not a list. Write "leave_on: [order_placed]".',
    }
    for name, words in advice.items():
        assert f"models/segments/{name}.yml: " in said[name]
        assert words in said[name]
    assert 'config.meta.owner is missing. Write "owner: lifecycle".' in said["recent_buyers"]


def test_a_segment_that_returns_a_person_twice_fails(copy: Build) -> None:
    edit(copy.project / "models" / "segments" / "recent_buyers.sql", "    and currency = 'any'\n", "")
    result = copy.dbt("run", "--select", "recent_buyers")
    (failed,) = [one for one in result.result.results if one.status == "error"]
    assert "Return one row per person_id." in failed.message


def test_holdout_and_enter_on_draw_and_add_the_same_people_each_time(copy: Build) -> None:
    twin = copy.project / "models" / "segments" / "webinar_follow_up.yml"
    edit(
        twin,
        LEAVE_ON,
        f"{LEAVE_ON}\n          enter_on: [customer_created]\n          holdout: 0.5",
    )
    with copy.raw() as raw:
        raw.webhook("shopify", "customers/create", {"id": 21, "updated_at": ago(hours=4).isoformat()})
        raw.webhook("shopify", "customers/create", {"id": 31, "updated_at": ago(days=200).isoformat()})
    assert copy.run() == set()
    kept = copy.values("select identifier from audiences.webinar_follow_up")
    held = copy.values("select identifier from exclusions.webinar_follow_up where lead_reason = 'holdout'")
    still = {"guest@example.com", "earlier@example.com", "tagged-earlier@example.com"}
    assert kept | held == still | {"lapsed@example.com"}
    assert kept
    assert held
    assert not kept & held
    assert copy.dbt("run", "--select", "webinar_follow_up").success
    assert copy.values("select identifier from audiences.webinar_follow_up") == kept


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in a file of the copied project."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def builds(build: Build, name: str) -> set[int]:
    """Ids of the builds that wrote an audience and its exclusions."""
    return build.values(f"select build_id from audiences.{name} union select build_id from exclusions.{name}")


def test_a_table_that_other_sql_or_another_seed_has_made_is_made_anew(copy: Build) -> None:
    compiled = copy.target / "compiled" / "audiences" / "models" / "staging" / "shopify" / "stg_shopify__customers.sql"
    next_build(copy)
    assert copy.run(*ACTS) == set()
    assert "as staged" in compiled.read_text(), "what is staged is not read again"

    model = copy.project / "models" / "staging" / "shopify" / "stg_shopify__customers.sql"
    edit(model, "    ('tags', 'text'),\n", "    ('tags', 'text'),\n    ('note', 'text', 'first_name'),\n")
    edit(
        copy.project / "seeds" / "event_names.csv", "Webinar Registered,webinar_registered", "Webinar Registered,other"
    )
    next_build(copy)
    assert copy.dbt("seed").success
    assert copy.run(*ACTS) == set()
    assert "as staged" not in compiled.read_text()
    assert copy.rows("select count(*) from staging.stg_shopify__customers where note is distinct from first_name") == [
        (0,)
    ]
    renamed = "select distinct event_name from marts.customer_events where raw_name = 'Webinar Registered'"
    assert copy.rows(renamed) == [("other",)]

    next_build(copy)
    assert copy.run(*ACTS) == set()
    assert "as staged" in compiled.read_text(), "what the new SQL has staged is not read again either"


def next_build(build: Build, *, days: int = 0) -> None:
    """Begin the next build, its clock that many days from the present one."""
    with build.raw() as raw:
        raw.connection.execute(
            "insert into raw_audiences.builds"
            f" select build_id + 1, as_of + to_days({days}), known_at + to_days({days}), now()"
            " from raw_audiences.builds order by build_id desc limit 1"
        )
