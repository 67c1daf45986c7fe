"""`audiences demo` as a newcomer runs it, twice: everybody is where they belong, and nothing new is pushed again."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.population import generate
from sandbox.truth import Truth
from tests.deciding.population import differences, households, told, unexplained
from tests.deciding.shop_builds import ask_more
from tests.end_to_end.shop import PATIENCE, command, environment

# Whole runs: half a minute each on two quiet cores, minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

#: Audiences that a purchase brings people into; in the others nobody arrives between two runs.
GROWING = {"recent_buyers", "webinar_buyers"}
AUDIENCES = GROWING | {"lapsed_customers", "high_spenders", "vape_buyers_of_age", "webinar_follow_up"}


@dataclass(frozen=True)
class Demo:
    """One run of the demo: exit code, its JSON, what it said besides."""

    code: int
    told: dict[str, Any]
    noise: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("newcomer")


@pytest.fixture(scope="module")
def first(folder: Path) -> Demo:
    return demo(folder)


@pytest.fixture(scope="module")
def second(folder: Path, first: Demo) -> Demo:
    return demo(folder)


def demo(folder: Path) -> Demo:
    """Run the demo in a working folder."""
    process = subprocess.run(
        command("demo", "--people", "150", "--json"),
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert process.stdout, process.stderr
    return Demo(process.returncode, json.loads(process.stdout), process.stderr)


def planned(run: Demo, *columns: str) -> int:
    return sum(plan[column] for plan in run.told["plans"] for column in columns)


def test_the_first_run_leaves_nobody_wrongly_in_or_out(first: Demo) -> None:
    assert (first.code, first.told["right"]) == (0, True)
    assert {audience for audience, *_ in first.told["verdict"]} == AUDIENCES
    for audience, platform, expected, held, missing, surplus in first.told["verdict"]:
        assert expected == held > 0, f"{audience} at {platform}"
        assert missing == surplus == 0, f"{audience} at {platform}"


def test_whoever_is_out_is_out_for_the_reason_of_the_rules(folder: Path, first: Demo) -> None:
    """Every person of every audience, those who are hard to judge among them."""
    data = folder / "data" / "demo" / "data"
    born = json.loads((data / "sandbox" / "population.json").read_text())
    with duckdb.connect(str(data / "published" / "warehouse.duckdb"), read_only=True) as connection:
        [(as_of,)] = connection.execute("SELECT as_of FROM marts.clock").fetchall()
        known = dict(connection.execute("SELECT record_key, person_id FROM intermediate.person_records").fetchall())
        told: dict[str, dict[str, set[str]]] = {}
        for audience in AUDIENCES - {"webinar_buyers"}:
            admitted = connection.execute(f"SELECT person_id, ['ok'] FROM audiences.{audience}").fetchall()
            excluded = connection.execute(f"SELECT person_id, reason_codes FROM exclusions.{audience}").fetchall()
            told[audience] = {}
            for person, codes in admitted + excluded:
                told[audience].setdefault(person, set()).update(codes)
    truth = Truth(generate(born["people"], born["seed"], datetime.fromisoformat(born["as_of"])), as_of)
    assert first.code == 0
    for audience, found in told.items():
        for name, outcome in truth.outcomes(audience).items():
            person = truth.people[name]
            ids = {known.get(f"{record.platform}:main:{record.record_id}") for record in person.records}
            codes = {code for one in ids for code in found.get(str(one), ())}
            assert outcome.reason in codes, (audience, person.story, outcome.reasons, codes)
            assert (outcome.reason == "ok") == ("ok" in codes), (audience, person.story)


def test_the_first_run_adds_people_and_writes_withdrawals(first: Demo) -> None:
    assert planned(first, "adds") == sum(held for *_, held, _, _ in first.told["verdict"])
    assert planned(first, "suppressions") > 0
    idle = [plan for plan in first.told["plans"] if plan["status"] != "ready"]
    assert [(plan["status"], plan["platform"], plan["path"]) for plan in idle] == [("nothing", "aevent", "removals")]


def test_whoever_opts_out_or_buys_leaves_every_destination_by_webhook(first: Demo) -> None:
    """An order at the shop and a GET that bears only a registrant id both end the webinar follow-up."""
    assert {departure["act"]: set(departure["left_ms"]) for departure in first.told["departures"]} == {
        "sms_stop": {"klaviyo", "shopify"},
        "email_unsubscribe": {"klaviyo", "shopify", "hubspot"},
        "order": {"klaviyo", "hubspot"},
        "tag": {"klaviyo", "hubspot"},
    }


def test_the_funnels_narrow_and_say_why(first: Demo) -> None:
    assert {funnel["audience"] for funnel in first.told["funnels"]} == AUDIENCES
    for funnel in first.told["funnels"]:
        counts = [funnel[step] for step in ("interested", "identified", "consented", "of_age", "admitted", "accepted")]
        assert counts == sorted(counts, reverse=True), funnel["audience"]
        kept_out = funnel["interested"] - funnel["admitted"]
        assert sum(funnel["reasons"].values()) >= kept_out, funnel["audience"]
        assert (kept_out > 0) == (funnel["audience"] != "webinar_buyers"), (
            "only telling whom to leave alone needs no consent"
        )


def test_one_person_in_and_one_out_are_explained(first: Demo) -> None:
    inside, outside = (answer["people"][0]["audiences"][0] for answer in first.told["why"])
    assert (inside["stands"], outside["stands"]) == ("in", "out")
    assert "under_age" in [reason["code"] for reason in outside["reasons"]]


def test_every_station_reports_rows_and_seconds(first: Demo) -> None:
    stations = {station["name"]: station for station in first.told["stations"]}
    pulls = ("pull HubSpot", "pull Klaviyo", "pull Shopify", "pull Twilio")
    for name in (*pulls, "dbt: type and decide", "push recent_buyers", "removals"):
        assert stations[name]["rows_out"] > 0, name
        assert stations[name]["seconds"] > 0, name
        assert stations[name]["note"] == "", name


def test_with_json_only_the_document_is_printed(first: Demo, second: Demo) -> None:
    assert first.noise == second.noise == ""


def test_the_second_run_pushes_the_two_who_bought_and_nobody_out(second: Demo) -> None:
    assert planned(second, "removes", "suppressions") == 0
    changed = {plan["audience"]: plan["adds"] + plan["updates"] for plan in second.told["plans"] if plan["adds"]}
    assert changed.pop("webinar_buyers") == 2, "AEvent is told of the order and of the tag"
    assert set(changed) <= GROWING
    pushed = {one["name"]: one["rows_in"] for one in second.told["stations"] if one["name"].startswith("push")}
    assert {name.removeprefix("push ") for name in pushed} == AUDIENCES
    assert sum(pushed.values()) == planned(second, "adds", "updates")


def test_the_second_run_is_right_again_without_those_who_opted_out(first: Demo, second: Demo) -> None:
    assert (second.code, second.told["right"]) == (0, True)
    before, after = ({tuple(row[:2]): row[3] for row in run.told["verdict"]} for run in (first, second))
    left = {place: held - after[place] for place, held in before.items()}
    assert {left["lapsed_customers", platform] for platform in ("klaviyo", "shopify")} == {1}
    assert {left["webinar_follow_up", platform] for platform in ("klaviyo", "hubspot")} == {2}
    assert left["webinar_buyers", "aevent"] == -2
    assert all(count >= 0 for (audience, _), count in left.items() if audience not in GROWING)


def test_the_demo_writes_into_its_own_home_alone(folder: Path, second: Demo) -> None:
    assert second.code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["data"]
    assert sorted(path.name for path in (folder / "data").iterdir()) == ["demo"]
    assert (folder / "data" / "demo" / ".dlt" / "secrets.toml").exists()


def test_no_identifier_in_full_is_in_the_demo_s_answer_or_logs(folder: Path, first: Demo, second: Demo) -> None:
    """Masked identifiers are all that people see without --show."""
    logs = "".join(path.read_text(errors="replace") for path in (folder / "data/demo/data/logs").iterdir())
    text = json.dumps(first.told) + json.dumps(second.told) + logs
    assert "***@example." in text
    assert re.findall(r"[^*\s]+@\w+|\+1[0-9]{10}", text) == []
    secrets = (folder / "data/demo/.dlt/secrets.toml").read_text()
    values = [line.partition(" = ")[2].strip('"') for line in secrets.splitlines() if " = " in line]
    assert values
    assert not [value for value in values if value in text]


def test_no_identifier_of_the_population_is_in_the_report_or_the_data_docs(folder: Path, second: Demo) -> None:
    published = folder / "data" / "demo" / "data" / "published"
    query = "SELECT DISTINCT target_key FROM intermediate.identity_keys WHERE target_key IS NOT NULL"
    with duckdb.connect(str(published / "warehouse.duckdb"), read_only=True) as connection:
        known = [key for (key,) in connection.execute(query).fetchall()]
    assert len(known) > 200
    pages = {path: path.read_text().lower() for path in published.rglob("*.html")}
    assert Path(second.told["report"]) in pages
    assert len(pages) > 10
    found = {path.name for path, text in pages.items() for key in known if key.lower() in text}
    assert found == set()


def test_the_report_of_the_demo_tells_of_the_departures_and_of_the_one_text_that_waits(
    first: Demo, second: Demo
) -> None:
    assert (first.code, second.code) == (0, 0)
    text = Path(second.told["report"]).read_text()
    plain = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert "Something waits for you: see below." in plain
    assert "1 messages or states wait until a person has read them" in plain
    assert "received → removed" in text
    assert "Since the build before, people joined audiences" in text


def test_both_runs_of_the_demo_are_kept(folder: Path, second: Demo) -> None:
    assert second.code == 0
    assert len(list((folder / "data" / "demo" / "data" / "published" / "reports").iterdir())) == 2


def test_the_oracle_decides_alike_about_everybody_whatever_is_asked(folder: Path, second: Demo, tmp_path: Path) -> None:
    """Also what no audience asks. The bound is what was measured and a little more; it may be lowered, never raised."""
    assert second.code == 0
    asked = households(ask_more(folder / "data" / "demo" / "data" / "published" / "warehouse.duckdb", tmp_path))
    found = differences(asked)
    answers = sum(len(one.models) for one in asked)
    assert answers > 5_000
    assert unexplained(found) == [], told(asked, unexplained(found))
    assert len(found) <= 0.025 * answers, told(asked, found)
