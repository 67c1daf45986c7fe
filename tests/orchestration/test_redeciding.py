"""The clock decides too: the sensor that waits for the next change, and the job that it starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterInstance, DagsterRunStatus, Definitions, SensorResult, build_sensor_context, job, op
from dagster import in_process_executor as in_process
from sqlalchemy import insert

from dbt_project.prepare_segments import prepare
from dlt_sources import registry
from orchestration import building, ingestion, parsing, redeciding, resources, reverse_etl, transformation, warehouse
from orchestration.activation.next_change import next_change
from orchestration.activation.state import State, builds
from orchestration.home import DBT_PROJECT, Home
from orchestration.schedules import near_real_time
from tests.dbt.raw import NOT_SUBSCRIBED, REGISTRIES, Raw
from tests.landing.senders import make_home

NOW = datetime.now(UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = make_home(tmp_path)
    monkeypatch.setenv("AUDIENCES_HOME", str(made.folder))
    return made


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def published(
    home: Home, *changes: timedelta | None, build_id: int = 1, decided: timedelta = -timedelta(days=1)
) -> None:
    """Publish a build whose decisions, one per person, change that far from now."""
    home.published.mkdir(parents=True, exist_ok=True)
    draft = home.published / "draft"
    with duckdb.connect(str(draft)) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute(
            "CREATE TABLE marts.clock AS SELECT ?::BIGINT AS build_id, ? AS as_of", [build_id, NOW + decided]
        )
        connection.execute("CREATE TABLE marts.decisions (person_id VARCHAR, next_change_at TIMESTAMPTZ)")
        for number, change in enumerate(changes):
            at = None if change is None else NOW + change
            connection.execute("INSERT INTO marts.decisions VALUES (?, ?)", [f"p{number}", at])
    draft.replace(home.published_warehouse)


def whole(home: Home, build_id: int = 1, *, problems: tuple[str, ...] = ()) -> None:
    """Let that build be the newest that began, with these problems."""
    state = State.of(home)
    with state.write_ledger() as ledger:
        ledger.execute(insert(builds).values(build_id=build_id, as_of=NOW, started_at=NOW))
    state.close()
    figures = {"build_id": build_id, "as_of": NOW.isoformat(), "problems": list(problems)}
    lists: dict[str, list[str]] = {name: [] for name in ("plans", "funnels", "quarantine", "checks")}
    (home.published / "figures.json").write_text(json.dumps({**figures, **lists}))


def ticked(instance: DagsterInstance, cursor: str | None = None) -> SensorResult:
    result = redeciding.clock_changes(build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, SensorResult)
    return result


def said(result: SensorResult) -> str:
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def jobs(result: SensorResult) -> list[str | None]:
    return [request.job_name for request in result.run_requests or ()]


def test_before_the_first_build_and_without_a_change_ahead_nothing_is_asked_for(
    home: Home, instance: DagsterInstance
) -> None:
    assert said(ticked(instance)) == "Nothing has been published yet."
    published(home, None)
    assert said(ticked(instance)) == "No answer of build 1 changes by the clock alone."


def test_the_skip_and_the_cursor_name_the_next_change(home: Home, instance: DagsterInstance) -> None:
    published(home, timedelta(days=40), timedelta(days=3), timedelta(days=3), None)
    result = ticked(instance)
    at = NOW + timedelta(days=3)
    assert said(result) == f"The next change comes at {at:%Y-%m-%d %H:%M} UTC, for 2 people."
    assert datetime.fromisoformat(json.loads(result.cursor or "")["next_change_at"]) == at


def test_a_change_that_has_passed_starts_one_run_and_no_second(home: Home, instance: DagsterInstance) -> None:
    published(home, timedelta(hours=-2), timedelta(days=3))
    whole(home)
    first = ticked(instance)
    assert jobs(first) == ["redecide"]
    again = ticked(instance, first.cursor)
    assert jobs(again) == []
    assert "a run was started already" in said(again)
    assert jobs(ticked(instance, again.cursor)) == []
    # Without its cursor the sensor asks again, by a name that Dagster has seen: it starts nothing.
    [request], [repeated] = first.run_requests or (), ticked(instance).run_requests or ()
    assert request.run_key == repeated.run_key


def test_a_change_that_the_build_has_seen_to_is_none(home: Home, instance: DagsterInstance) -> None:
    published(home, timedelta(hours=-30), timedelta(days=3), decided=timedelta(hours=-20))
    assert "The next change comes at" in said(ticked(instance))


def test_the_next_build_has_a_next_change_of_its_own(home: Home, instance: DagsterInstance) -> None:
    published(home, timedelta(hours=-2))
    whole(home)
    first = ticked(instance)
    published(home, timedelta(hours=-1), build_id=2, decided=timedelta(hours=-2))
    whole(home, 2)
    second = ticked(instance, first.cursor)
    assert jobs(second) == ["redecide"]
    assert jobs(ticked(instance, second.cursor)) == []


def test_changes_that_come_one_upon_another_are_gathered(home: Home, instance: DagsterInstance) -> None:
    since = datetime.now(UTC) - NOW
    published(home, since - timedelta(minutes=1), decided=since - timedelta(minutes=2))
    whole(home)
    assert "it is gathered with what follows" in said(ticked(instance))


def test_a_build_under_way_sees_to_it(home: Home, instance: DagsterInstance) -> None:
    @op
    def work() -> None: ...

    @job(name=near_real_time.name)
    def build() -> None:
        work()

    published(home, timedelta(hours=-2))
    whole(home)
    instance.create_run_for_job(build, status=DagsterRunStatus.STARTED)
    result = ticked(instance)
    assert jobs(result) == []
    assert "a build is under way" in said(result)
    assert json.loads(result.cursor or "")["asked"] == ""


def test_after_a_build_that_was_not_made_whole_the_whole_way_is_gone(home: Home, instance: DagsterInstance) -> None:
    published(home, timedelta(hours=-2))
    assert jobs(ticked(instance)) == ["near_real_time"]
    whole(home, problems=("klaviyo__acts: Binder Error",))
    assert jobs(ticked(instance)) == ["near_real_time"]
    whole(home, 2)
    figures = json.loads((home.published / "figures.json").read_text()) | {"build_id": 1}
    (home.published / "figures.json").write_text(json.dumps(figures))
    assert jobs(ticked(instance)) == ["near_real_time"]


SEGMENT = "select person_id from {{ ref('persons') }}\n"
TWIN = """
version: 2
models:
  - name: wine_lovers
    description: Everybody. One row per person.
    config:
      meta:
        owner: wine-shop
        rule: Everybody.
        audience:
          channel: email
          purpose: marketing
          topic: marketing
          product_category: alcohol
          destinations:
            - {platform: klaviyo, account: main, list: Wine lovers}
    columns:
      - name: person_id
        description: The person.
"""


@pytest.fixture
def project(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the dbt project with one audience, for a shop that may write to the United States without a grant."""
    copied = tmp_path / "dbt_project"
    shutil.copytree(DBT_PROJECT, copied, ignore=shutil.ignore_patterns("target", "logs", "__pycache__"))
    segments = copied / "models" / "segments"
    shutil.rmtree(segments)
    segments.mkdir()
    (segments / "wine_lovers.sql").write_text(SEGMENT)
    (segments / "wine_lovers.yml").write_text(TWIN)
    settings = copied / "dbt_project.yml"
    settings.write_text(settings.read_text() + '\nvars:\n  policies: {us_email_requires_grant: "false"}\n')
    monkeypatch.setattr(parsing, "DBT_PROJECT", copied)
    monkeypatch.setattr(parsing, "prepare", partial(prepare, copied))
    monkeypatch.setattr(resources, "DBT_PROJECT", copied)
    return copied


def shop_with_two_birthdays(home: Home) -> datetime:
    """A person who has come of age since the build decided, and one who will next year; returns when that build was."""
    decided = NOW - timedelta(days=3)
    # Where no zone is known, the day begins last of all.
    today = (NOW - timedelta(hours=12)).date()
    birthday = today.replace(year=today.year - 21, day=min(today.day, 28))
    before = decided - timedelta(days=2)
    with Raw(home.warehouse) as raw:
        for number, born in ((1, birthday), (2, birthday.replace(year=birthday.year + 1))):
            raw.customer(
                number, f"p{number}@example.com", email_consent=NOT_SUBSCRIBED, sms_consent=NOT_SUBSCRIBED,
                birth_date=born.isoformat(), updated_at=before, extracted_at=before,
            )  # fmt: skip
        raw.profile("K1", "p1@example.com", updated_at=before, extracted_at=before)
        for name in REGISTRIES:
            raw.compared(name, before)
    return decided


def people(home: Home) -> set[str]:
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        return {email for (email,) in connection.execute("SELECT identifier FROM audiences.wine_lovers").fetchall()}


@pytest.mark.timeout(900)
def test_on_a_birthday_the_person_enters_the_audience_with_no_new_fact(
    home: Home, project: Path, instance: DagsterInstance
) -> None:
    decided = shop_with_two_birthdays(home)
    state = State.of(home)
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, registry.all_platforms(), registry.configured())
        warehouse.begin_build(state, connection, as_of=decided)
    definitions = Definitions(
        assets=[
            *ingestion.assets(),
            transformation.begin_build,
            transformation.dbt_models(home),
            *reverse_etl.assets(home),
        ],
        jobs=[redeciding.redecide],
        resources={"house": resources.House(), "dbt": resources.dbt_cli(home)},
        executor=in_process,
    )
    command = parsing.dbt_command("build", "--exclude", "resource_type:unit_test")
    subprocess.run(command, env={**os.environ, **parsing.environment(home)}, check=True)
    building.finish(home, state)
    assert people(home) == set()
    foreseen = next_change(home)
    assert foreseen is not None
    assert foreseen.at is not None
    assert decided < foreseen.at <= NOW

    asked = ticked(instance)
    assert jobs(asked) == ["redecide"]
    ran = definitions.resolve_job_def("redecide").execute_in_process(instance=instance)
    assert ran.success
    steps = {event.step_key for event in ran.all_events if event.step_key}
    assert steps == {"begin_build", "dbt", "activation__plans", "activation__removals", "push_wine_lovers"}
    assert people(home) == {"p1@example.com"}
    newly = building.read(home).newly_eligible
    assert newly is not None
    assert (newly.by_cause, newly.base_build_id, newly.held_because) == ({"clock_or_evidence": 1}, 1, "")
    plan = next(one for one in building.read(home).plans if one.audience == "wine_lovers")
    assert (plan.adds, plan.status) == (1, "held")
    assert plan.held_because[0].startswith("first_push")
    state.close()

    after = ticked(instance, asked.cursor)
    assert jobs(after) == []
    later = next_change(home)
    assert later is not None
    assert later.build_id > foreseen.build_id
    assert later.at is None or later.at > NOW
