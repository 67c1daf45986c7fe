"""The report: what it says of good, bad and unfinished runs, why people are out, and what it must never show."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest
from dagster import DagsterInstance, asset, build_init_resource_context, materialize
from filelock import FileLock
from sqlalchemy import insert

from dlt_sources.errors import AudiencesError
from expectations.validation import CheckResult
from orchestration import building, explaining, stations
from orchestration.activation.approvals import why_held
from orchestration.activation.changes import Change, changes
from orchestration.activation.funnel import funnels
from orchestration.activation.guards import Findings
from orchestration.activation.newly_eligible import NewlyEligible
from orchestration.activation.state import ledger, outbox
from orchestration.building import Built
from orchestration.inputs.registries import Standing
from orchestration.inputs.reviews import Waiting
from orchestration.reporting import charts, exposures, facts, latency, page, runs, why_not
from orchestration.reporting.runs import Run
from orchestration.reporting.verdict import judge
from orchestration.resources import House
from orchestration.stations import Station
from tests.activation.shop import VAPE, Shop

NOW = datetime.now(UTC)
VOID = {"meta", "link", "br", "img", "hr", "input"}
#: Person → the reasons why they are out of `buyers`.
OUT: Mapping[int, list[str]] = {
    3: ["withdrawn"],
    4: ["withdrawn", "under_age"],
    5: ["under_age"],
    6: ["age_level_low"],
    7: ["left"],
    8: ["no_identifier"],
}
LOADS = re.compile(r"""(?:src|srcset|action|data|xlink:href)\s*=|url\(|@import|<(?:script|link|iframe|object|img)\b""")


class Balance(HTMLParser):
    """Whether every element is closed in order; collects text, headings and what pictures say."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.words: list[str] = []
        self.tables = self.captions = 0
        self.labels: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag == "figure":
            self.labels.append(values.get("aria-label") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Elements of a picture that close themselves."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def read(html: str) -> Balance:
    found = Balance()
    found.feed(html)
    assert found.open == []
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Persons 1 and 2 are buyers; six more are of interest and out; figures, plan and copy are published."""
    shop = Shop(tmp_path)
    shop.audience(question=VAPE, rule="Bought <vape> goods.", leave_on=("order_placed",))
    shop.build({"buyers": [1, 2]}, refused={number: codes[0] for number, codes in OUT.items()})
    with shop.open() as connection:
        connection.execute(
            """
            CREATE SCHEMA seeds; CREATE SCHEMA intermediate;
            CREATE TABLE seeds.reason_codes AS FROM (VALUES
                ('withdrawn', 'The latest statement is an opt-out.', 'A later grant.'),
                ('under_age', 'Too young.', 'Nothing before the birthday on which the person is old enough.'),
                ('age_level_low', 'The evidence is too weak.', 'A stronger check.'),
                ('left', 'An event took the person out.', 'Nothing.'),
                ('no_identifier', 'No valid identifier.', 'Collect one.')) t(code, meaning, next_step);
            CREATE TABLE intermediate.consent_events AS FROM (VALUES
                ('c0', 'granted', 'email', 'web_form', TIMESTAMPTZ '2026-10-01 10:00:00+00', 'shop', 'main'),
                ('c1', 'withdrawn', 'email', 'link', TIMESTAMPTZ '2026-11-01 10:00:00+00', 'shop', 'main'))
                t(consent_event_id, state, channel, method, effective_hi, platform, account);
            CREATE TABLE intermediate.age_evidence AS FROM (VALUES
                ('a1', 'dob', 2, 'shop', TIMESTAMPTZ '2026-10-05 10:00:00+00', 'shop', 'main'))
                t(age_evidence_id, kind, level, provider, verified_at, platform, account);
            ALTER TABLE intermediate.consent_events ADD COLUMN source VARCHAR;
            ALTER TABLE intermediate.consent_events ADD COLUMN evidence JSON;
            ALTER TABLE intermediate.consent_events ADD COLUMN effective_lo TIMESTAMPTZ;
            ALTER TABLE intermediate.consent_events ADD COLUMN recorded_at TIMESTAMPTZ;
            ALTER TABLE intermediate.consent_events ADD COLUMN identifier VARCHAR;
            ALTER TABLE intermediate.age_evidence ADD COLUMN threshold INTEGER;
            ALTER TABLE intermediate.age_evidence ADD COLUMN expires_at TIMESTAMPTZ;
            ALTER TABLE intermediate.age_evidence ADD COLUMN recorded_at TIMESTAMPTZ;
            CREATE TABLE intermediate.age_state AS
                SELECT 'p' || n AS readers_id, 'vape' AS product_category, 'email' AS channel, 4 AS required_level,
                    21 AS minimum_age FROM range(12) t(n);
            CREATE TABLE intermediate.decided_identifiers AS
                SELECT 'p' || n AS person_id, 'email' AS identifier_type, 'p' || n || '@example.com' AS identifier,
                    'p' || n AS readers_id FROM range(12) t(n);
            CREATE TABLE marts.persons AS
                SELECT 'p' || n AS person_id, 'US' AS country, 'CA' AS region FROM range(12) t(n);
            CREATE TABLE marts.customer_events AS FROM (VALUES
                ('p7', 'order_placed', TIMESTAMPTZ '2026-11-14 10:00:00+00')) t(person_id, event_name, occurred_at);
            CREATE OR REPLACE TABLE exclusions.buyers (audience VARCHAR, person_id VARCHAR, identifier_type VARCHAR,
                identifier VARCHAR, reason_codes VARCHAR[], lead_reason VARCHAR, evidence_ids VARCHAR[],
                build_id BIGINT);
            """
        )
        for number, codes in OUT.items():
            email = None if "no_identifier" in codes else f"p{number}@example.com"
            values = ["buyers", f"p{number}", "email", email, codes, codes[0], ["c0", "c1", "a1"], 1]
            connection.execute("INSERT INTO exclusions.buyers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        connection.execute(
            "UPDATE marts.decisions SET next_change_at = TIMESTAMPTZ '2031-07-19' WHERE person_id = 'p5'"
        )
    return shop


def finished(shop: Shop, **more: Any) -> Built:
    """Put the figures of the shop's build on record and publish it, as the end of a build does."""
    plans = more.pop("plans", None) or shop.plans()
    with shop.open() as connection:
        built = Built(
            build_id=shop.build_id, as_of=NOW, problems=[], plans=plans, quarantine=[], checks=[],
            funnels=funnels(connection, shop.state, shop.catalogue),
        )  # fmt: skip
    shop.publish()
    built = replace(built, **more)
    (shop.home.published / "figures.json").write_bytes(building._adapter.dump_json(built))
    return built


def run_of(shop: Shop, *, failures: tuple[str, ...] = (), ended: bool = True) -> Run:
    started_at = NOW - timedelta(minutes=1)
    return Run(
        run_id="0123456789", job="daily", started_at=started_at, ended_at=NOW if ended else None, failures=failures
    )


def told(shop: Shop, run: Run | None = None) -> str:
    """What the report says, as text."""
    return read(page.render(shop.home, facts.collect(shop.home, run or run_of(shop)))).text


def test_a_good_run_says_so_first(shop: Shop) -> None:
    finished(shop)
    shop.apply()
    text = told(shop)
    assert "All is well. Build 1 was made, published and sent. Destinations took 2 changes. Nothing waits" in text
    assert "What to do next" not in text


def test_a_failed_run_says_where_and_whose_figures_it_shows(shop: Shop) -> None:
    finished(shop)
    earlier = replace(run_of(shop, failures=("dbt: it broke",)), started_at=NOW + timedelta(hours=1))
    text = told(shop, replace(earlier, ended_at=NOW + timedelta(hours=2)))
    assert "The run failed. The run failed at: dbt. Nothing new was published." in text
    assert "those of build 1" in text
    assert "dbt: it broke Meanwhile:" in text
    assert "Build 1 had been made and published before that." in told(shop, run_of(shop, failures=("push: no",)))


def test_a_run_that_did_not_end_is_called_under_way_or_cut_off(shop: Shop) -> None:
    finished(shop)
    run = run_of(shop, ended=False)
    assert "was cut off before its end" in told(shop, run)
    under_way = facts.collect(shop.home, run, under_way=True)
    assert under_way.verdict is not None
    assert "is still under way" in under_way.verdict.sentence


def test_a_house_that_has_built_nothing_has_a_report_all_the_same(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    text = read(page.write(shop.home, None).read_text()).text
    assert "No build has been published yet" in text
    assert "No audience has been built yet." in text


def test_figures_that_cannot_be_read_are_named_and_the_rest_is_told(shop: Shop) -> None:
    finished(shop)
    (shop.home.published / "figures.json").write_text("{")
    assert "silent about it: the figures of the newest build (ValidationError)" in told(shop)


def test_a_held_plan_is_told_with_its_reason_and_the_command_that_approves_it(shop: Shop) -> None:
    findings = Findings(of_audience={"buyers": ("check_failed: buyers everybody_is_eligible",)})
    built = finished(shop, plans=shop.plans(findings))
    [held] = [plan for plan in built.plans if plan.status == "held"]
    text = told(shop)
    assert "Something waits." in text
    assert "Held at mailer:main: buyers (list:Buyers): check_failed: buyers everybody_is_eligible" in text
    assert f"audiences apply {held.plan_id[:12]} --approve" in text


def test_plans_that_one_approval_releases_are_told_together(shop: Shop) -> None:
    reason = why_held("mailer:main")
    [changed] = [plan for plan in finished(shop).plans if plan.audience]
    held = [
        replace(changed, plan_id=name, target=f"list:{name}", status="held", held_because=(reason,), adds=5)
        for name in ("one", "two", "three", "four", "five", "six")
    ]
    finished(shop, plans=held)
    report = facts.collect(shop.home, run_of(shop))
    assert report.verdict is not None
    [todo] = report.verdict.todo
    assert todo.command.startswith("audiences approve mailer:main")
    assert "list:one" in todo.what
    assert " and 2 more: first_push" in todo.what
    assert todo.meanwhile.startswith("30 additions")


def test_who_must_be_taken_out_by_hand_is_counted(shop: Shop) -> None:
    plans = [replace(plan, by_hand=3) if plan.audience else plan for plan in finished(shop).plans]
    finished(shop, plans=plans)
    assert "3 members must leave buyers at mailer:main list:Buyers" in told(shop)


def test_failed_checks_broken_segments_and_silent_sources_are_things_to_do(shop: Shop) -> None:
    failing = CheckResult(
        boundary="audience", subject="buyers", check_name="nobody_listed_twice",
        description="No identifier is listed twice.", success=False, evaluated=9, unexpected=2,
    )  # fmt: skip
    finished(shop, checks=[failing], problems=["sellers: no twin"])
    stations.report(
        shop.home,
        Station(name="pull Shop", rows_in=0, quarantined=0, rows_out=0, seconds=1, note="shop (main): no answer"),
    )
    report = facts.collect(shop.home, run_of(shop))
    assert report.verdict is not None
    assert [one.what for one in report.verdict.todo] == [
        "sellers: no twin",
        "pull Shop: shop (main): no answer",
        "Check failed on buyers: No identifier is listed twice. 2 of 9 rows break it.",
    ]
    assert all(one.meanwhile and one.do for one in report.verdict.todo)


def test_what_stays_closed_for_want_of_a_comparison_is_a_thing_to_do(shop: Shop) -> None:
    finished(shop)
    report = facts.collect(shop.home, run_of(shop))
    about = {"channels": ["email"], "categories": ["vape"], "asked": ["email about vape"], "until": None, "compared": 0}
    utah = Standing(
        registry="child_protection_utah", state="closed", last_checked_on=None, waiting=7, unloaded=0, **about
    )  # type: ignore[arg-type]
    open_now = replace(utah, registry="child_protection_michigan", state="open", waiting=0)
    report.registries, report.undecided = [utah, open_now], [waiting("held"), waiting("vocabulary")]
    report.verdict = judge(
        run_of(shop), report.built, published_here=True, under_way=False, stations=[], deliveries=[], dead=[],
        sources=[], registries=report.registries, undecided=report.undecided, changes=None,
    )  # fmt: skip
    text = read(page.render(shop.home, report)).text
    assert "The registry child_protection_utah was never compared." in text
    assert "Closed in the United States: email about vape. 7 people wait for it." in text
    assert "audiences registry import FILE --registry child_protection_utah" in text
    assert "The registry child_protection_michigan" not in text
    assert "1 messages or states wait until a person has read them." in text
    assert "1 values of platforms are not in the vocabulary." in text
    assert report.verdict.level == "attention"


def waiting(kind: Literal["held", "vocabulary"]) -> Waiting:
    return Waiting(
        id=kind, kind=kind, platform="shop", account="main", channel="sms", identifier="", words="", since=NOW
    )  # fmt: skip


def test_what_was_given_up_is_counted_by_place_and_code(shop: Shop) -> None:
    finished(shop)
    shop.mailer.bad = {"r1"}
    shop.apply()
    assert "Given up: 1 of kind “planned row” at mailer:main list:Buyers (bad_row)." in told(shop)


def reasons(shop: Shop) -> dict[str, why_not.Reason]:
    with shop.open() as connection:
        figures = funnels(connection, shop.state, shop.catalogue)
        return {one.code: one for one in why_not.why_not(connection, shop.catalogue, figures)["buyers"]}


def test_each_lead_reason_has_its_people_meaning_next_step_and_an_example(shop: Shop) -> None:
    found = reasons(shop)
    assert {code: one.people for code, one in found.items()} == {
        "withdrawn": 2, "under_age": 1, "age_level_low": 1, "left": 1, "no_identifier": 1,
    }  # fmt: skip
    withdrawn = found["withdrawn"]
    assert (withdrawn.meaning, withdrawn.next_step) == ("The latest statement is an opt-out.", "A later grant.")
    assert withdrawn.example is not None
    assert (withdrawn.example.person_id, list(withdrawn.example.also)) == ("p3", [])
    assert withdrawn.example.chain[:3] == [
        "On 2026-10-01 shop (main) stated: granted on email (web form).",
        "On 2026-10-05 shop (main) holds: a birth date, evidence of level 2 by shop.",
        "On 2026-11-01 shop (main) stated: withdrawn on email (link).",
    ]


def test_an_example_says_what_the_rules_ask_for_and_which_event_took_the_person_out(shop: Shop) -> None:
    found = {code: one.example.chain[-1] for code, one in reasons(shop).items() if one.example}
    assert found["age_level_low"] == "In US-CA, vape needs proof of level 4 or more that the person is 21 or older."
    assert found["left"] == "On 2026-11-14 the event “order_placed” took the person out."


def test_a_birthday_is_told_by_its_year_alone(shop: Shop) -> None:
    under_age = reasons(shop)["under_age"].example
    assert under_age is not None
    assert under_age.changes == "2031"
    finished(shop)
    assert "2031-07" not in told(shop)


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [
        ("jane@doe-family.co.uk", "j***@d***.uk"),
        ("+14155550123", "+14***23"),
        (None, "no identifier"),
        ("", "no identifier"),
    ],
)
def test_an_identifier_is_masked_with_its_domain(identifier: str | None, shown: str) -> None:
    assert why_not.masked(identifier) == shown


def test_no_identifier_of_anybody_is_on_the_page(shop: Shop) -> None:
    finished(shop)
    shop.apply()
    html = page.write(shop.home, run_of(shop)).read_text()
    assert [n for n in range(12) if f"p{n}@example" in html or f"+1415555{n:04d}" in html] == []
    assert "p***@e***.com" in html


def test_the_page_loads_nothing_and_names_no_other_host(shop: Shop) -> None:
    finished(shop)
    html = page.render(shop.home, facts.collect(shop.home, run_of(shop)))
    assert LOADS.findall(html) == []
    assert set(re.findall(r"https?://[^\s\"<]+", html)) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.045, "45 ms"), (1.24, "1.2 s"), (59.9, "59.9 s"), (126, "2 min 6 s"), (7_380, "2 h 3 min")]
)
def test_a_duration_is_told_as_people_say_it(seconds: float, said: str) -> None:
    assert page._lasts(seconds) == said


def test_every_link_on_the_page_leads_somewhere_on_it(shop: Shop) -> None:
    finished(shop)
    html = page.render(shop.home, facts.collect(shop.home, run_of(shop)))
    links = set(re.findall(r'href="#([^"]+)"', html))
    assert "a-buyers" in links
    assert links <= set(re.findall(r'id="([^"]+)"', html))


def test_the_page_can_be_read_without_seeing_it(shop: Shop) -> None:
    finished(shop)
    html = page.render(shop.home, facts.collect(shop.home, run_of(shop)))
    found = read(html)
    assert '<html lang="en">' in html
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    assert found.tables == found.captions >= 3
    assert found.labels[0] == (
        "Funnel of buyers, in people: 8 interested, 7 identified, 5 consented, 3 of age, 2 admitted, 0 accepted."
    )


def test_what_people_wrote_cannot_become_markup(shop: Shop) -> None:
    finished(shop, problems=["<script>alert(1)</script>"])
    html = page.render(shop.home, facts.collect(shop.home, run_of(shop)))
    assert "&lt;vape&gt;" in html
    assert "<script" not in html
    assert "<b>" not in charts.funnel([("<b>", 1)])


def test_twenty_audiences_stay_below_a_megabyte(shop: Shop) -> None:
    built = finished(shop)
    report = facts.collect(shop.home, run_of(shop))
    names = [f"audience_{number}" for number in range(20)]
    many = {f"code_{n}": replace(report.reasons["buyers"][0], code=f"code_{n}") for n in range(15)}
    report.funnels = [replace(built.funnels[0], audience=name) for name in names]
    report.reasons = {name: list(many.values()) for name in names}
    assert len(page.render(shop.home, report)) < 1_000_000


EXPOSED = """
CREATE TABLE marts.exposures AS SELECT
    'p' || n AS person_id, 'sms' AS channel, 's' || n AS consent_event_id, 'message' AS send_kind, 'm' || n AS send_id,
    'twilio' AS platform, 'main' AS account, TIMESTAMPTZ '2026-11-01 10:00:00+00' AS withdrawn_at,
    TIMESTAMPTZ '2026-11-01 10:00:00+00' AS received_at, TIMESTAMPTZ '2026-11-02 10:00:00+00' AS sent_at,
    TIMESTAMPTZ '2026-11-03 16:00:00+00' AS honoured_at, n = 3 AS is_after_honouring, n = 0 AS may_be_confirmation,
    'sms_revocation' AS honour_clock, 'US' AS jurisdiction, TIMESTAMPTZ '2026-11-17 00:00:00+00' AS honour_by,
    n = 1 AS is_clock_kept
FROM range(4) t(n)
"""


def test_what_was_sent_after_a_withdrawal_is_told_with_what_became_of_the_deadline(shop: Shop) -> None:
    with shop.open() as connection:
        connection.execute(EXPOSED)
        [found] = exposures.exposures(connection)
        [*_, last] = exposures.latest(connection)
    counts = (found.sends, found.within_clock, found.past_clock, found.after_honouring, found.longest_hours)
    assert counts == (3, 1, 1, 1, 54.0), "a text that may confirm the stop is not counted"
    assert (last.send_id, last.is_clock_kept) == ("m3", False)
    finished(shop)
    page = told(shop)
    assert "twilio:main sms messages 3 3 3 1 1 1 54.0 h" in page
    assert "Nothing that is known of was sent" not in page


def test_a_picture_has_no_script_and_no_colours_of_its_own() -> None:
    for svg in (charts.funnel([("a", 3), ("b", 0)]), charts.shares(["x", "y"], [("p", [1, 2]), ("q", [0, 5])])):
        assert "script" not in svg
        assert "style" not in svg
        assert "#" not in svg


def test_the_funnel_s_first_step_stands_on_top() -> None:
    labels = re.findall(r'<text x="-5" y="([\d.]+)"[^>]*>(\w+)<', charts.funnel([("first", 9), ("last", 1)]))
    assert [name for _, name in sorted(labels, key=lambda one: float(one[0]))] == ["first", "last"]


def opt_out(shop: Shop, name: str, received: datetime, **seconds: float) -> None:
    """An opt-out of a member: when it came in, and after how many seconds its call was owed and done."""
    common = {"platform": "mailer", "account": "main", "channel": "email"}
    with shop.state.write_ledger() as connection:
        connection.execute(
            insert(ledger).values(
                **common, ledger_id=name, landing_id=name, brand="*", event_name="email_unsubscribed",
                kind="withdrawn", occurred_at=received, recorded_at=received,
            )
        )  # fmt: skip
    done = received + timedelta(seconds=seconds["done"]) if "done" in seconds else None
    with shop.state.write_deliveries() as connection:
        connection.execute(
            insert(outbox).values(
                **common, outbox_id=name, ledger_id=name, operation="remove", reason="withdrawn",
                state="done" if done else "due", next_attempt_at=received,
                created_at=received + timedelta(seconds=seconds["owed"]), done_at=done,
            )
        )  # fmt: skip


def test_latency_counts_from_the_webhook_s_arrival(shop: Shop) -> None:
    for number in range(10):
        opt_out(shop, f"l{number}", NOW - timedelta(hours=1), owed=0.01, done=0.1 * (number + 1))
    opt_out(shop, "open", NOW - timedelta(hours=1), owed=0.01)
    opt_out(shop, "old", NOW - timedelta(days=8), owed=100, done=200)
    owed, removed = latency.latencies(shop.state, NOW)
    assert (owed.step, owed.times, owed.p50) == ("received → call owed", 11, pytest.approx(0.01))
    assert (removed.step, removed.place, removed.times) == ("received → removed", "mailer:main", 10)
    assert (removed.p50, removed.slowest) == (pytest.approx(0.55), pytest.approx(1.0))
    assert removed.p50 < removed.p95 < removed.slowest


def test_changes_are_counted_against_the_published_copy_with_their_reasons(shop: Shop) -> None:
    with shop.open() as connection:
        assert changes(shop.home, connection, 1, ["buyers"]) is None
    shop.publish()
    with shop.open() as connection:
        assert changes(shop.home, connection, 1, ["buyers"]) is None
        connection.execute("DELETE FROM audiences.buyers WHERE person_id = 'p1'")
        connection.execute("UPDATE audiences.buyers SET person_id = 'p3' WHERE person_id = 'p2'")
        connection.execute("DELETE FROM exclusions.buyers WHERE person_id = 'p3'")
        connection.execute(
            "INSERT INTO exclusions.buyers VALUES ('buyers', 'p1', 'email', NULL, ['withdrawn'], 'withdrawn', [], 2)"
        )
        assert changes(shop.home, connection, 2, ["buyers", "new_one"]) == [
            Change(audience="buyers", before=2, now=1, added={"withdrawn": 1}, removed={"interest": 1, "withdrawn": 1})
        ]


def test_who_may_be_contacted_anew_is_shown_by_cause_and_what_holds_them(shop: Shop) -> None:
    why = "mass_flip: 12 people; when this is right: audiences approve build:2 --actor YOU --reason WHY"
    causes = {"unexplained": 12, "own_new_grant": 3}
    found = NewlyEligible(build_id=2, base_build_id=1, people=900, flipped=12, by_cause=causes, held_because=why)
    finished(shop, newly_eligible=found)
    text = told(shop)
    assert "12 of 900 people count against the limits for one build, compared with build 1" in text
    assert why in text
    assert "with a new grant of their own" in text
    finished(shop, newly_eligible=None)
    assert "There is no good build to compare with." in told(shop)


def test_changes_are_shown_and_summed_up(shop: Shop) -> None:
    finished(shop, changes=[Change(audience="buyers", before=5, now=4, added={"interest": 1}, removed={"left": 2})])
    text = told(shop)
    assert "people joined audiences 1 times and left 2 times" in text
    assert "buyers 5 1 2 4 1 interest 2 left" in text


@asset
def works(house: House) -> None:
    """An op that reports its station."""
    stations.report(house.home, Station(name="works", rows_in=1, quarantined=0, rows_out=1, seconds=0.1))


@asset(deps=[works])
def breaks(house: House) -> None:
    """An op that fails with a value in its error."""
    raise RuntimeError("could not convert lee@example.com")


@pytest.fixture
def home(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("AUDIENCES_HOME", str(shop.folder))
    return shop


def ran(*assets: Any) -> bool:
    with DagsterInstance.ephemeral() as instance:
        return materialize(
            list(assets), resources={"house": House()}, instance=instance, raise_on_error=False
        ).success  # fmt: skip


def test_a_run_leaves_its_report_and_keeps_it_beside_the_others(home: Shop) -> None:
    assert ran(works)
    [kept] = (home.home.published / "reports").iterdir()
    report = runs.report_path(home.home)
    assert kept.read_bytes() == report.read_bytes()
    assert "works" in read(report.read_text()).text
    assert ran(works)
    assert len(list((home.home.published / "reports").iterdir())) == 2


def test_a_failed_run_leaves_a_report_without_the_value_in_its_error(home: Shop) -> None:
    assert not ran(works, breaks)
    text = read(runs.report_path(home.home).read_text()).text
    assert "The run failed at: breaks." in text
    assert "breaks: RuntimeError; the run's page in Dagster says where." in text
    assert "lee@" not in text


def test_an_error_of_ours_is_told_in_words(home: Shop) -> None:
    @asset
    def breaks_in_words(house: House) -> None:
        raise AudiencesError("Mend the twin: line 3.")

    assert not ran(breaks_in_words)
    assert "breaks_in_words: Mend the twin: line 3." in read(runs.report_path(home.home).read_text()).text


def test_a_killed_run_is_reported_when_the_next_one_begins(home: Shop) -> None:
    killed = runs.begin(home.home, "killed-one", "daily")
    assert ran(works)
    assert "was cut off before its end" in read(runs.kept_path(home.home, killed).read_text()).text
    assert "was cut off" not in runs.report_path(home.home).read_text()


def test_a_report_that_cannot_be_written_does_not_fail_its_run(home: Shop) -> None:
    (home.home.published / "report.html").mkdir(parents=True)
    with House().yield_for_execution(build_init_resource_context()) as house:
        assert house.home == home.home
    assert runs.newest(home.home).ended_at  # type: ignore[union-attr]


def test_the_command_writes_the_newest_run_s_report_again(home: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(works)
    report = runs.report_path(home.home)
    report.unlink()
    assert explaining.write_report(as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(report)}
    assert "All is well." not in report.read_text()
    assert "works" in read(report.read_text()).text


def test_only_the_newest_reports_of_each_job_are_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "KEPT", 3)
    run = run_of(shop)
    for number in range(5):
        page.write(shop.home, replace(run, started_at=run.started_at + timedelta(seconds=number)))
    page.write(shop.home, replace(run, job="near_real_time", started_at=run.started_at - timedelta(days=9)))
    kept = sorted(path.name[:16] for path in (shop.home.published / "reports").iterdir())
    times = [run.started_at - timedelta(days=9), *(run.started_at + timedelta(seconds=number) for number in (2, 3, 4))]
    assert kept == [f"{time:%Y%m%dT%H%M%SZ}" for time in times]


def test_a_run_is_under_way_while_somebody_has_the_build_s_turn(shop: Shop) -> None:
    assert not facts.under_way(shop.home)
    with FileLock(shop.home.data / "build.lock"):
        assert facts.under_way(shop.home)
    assert not facts.under_way(shop.home)
