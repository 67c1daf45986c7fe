"""The two code locations, loaded as Dagster loads them: without a secret, in a home that has never been used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

ROOT = Path(__file__).parents[2]
SEGMENTS = sorted(path.stem for path in (ROOT / "dbt_project" / "models" / "segments").glob("*.sql"))

DESCRIBE = """
import json
from orchestration.definitions import defs

repository = defs.get_repository_def()
graph = repository.asset_graph
ancestors = {}
for key in graph.toposorted_asset_keys:
    parents = graph.get(key).parent_keys
    ancestors[key] = set(parents).union(*(ancestors[parent] for parent in parents))
print(json.dumps({
    "assets": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
    "checks": sorted(f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys),
    "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
    "schedules": sorted(f"{one.name}: {one.cron_schedule} of {one.job_name}" for one in repository.schedule_defs),
    "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    "ancestors": {
        key.to_user_string(): sorted(found.to_user_string() for found in above) for key, above in ancestors.items()
    },
    "materializable": sorted(key.to_user_string() for key in graph.materializable_asset_keys),
    "described": {key.to_user_string(): bool(graph.get(key).description) for key in graph.get_all_asset_keys()},
    "groups": {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()},
    "pools": {key.to_user_string(): sorted(graph.get(key).pools or ()) for key in graph.materializable_asset_keys},
}))
"""


def loaded(code: str, home: Path) -> str:
    """What a fresh process prints that runs `code` in `home`, without any setting of ours."""
    ours = ("AUDIENCES_", "SOURCES__", "DAGSTER_", "DBT_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home, env={**clean, "AUDIENCES_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def described(fresh: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(loaded(DESCRIBE, fresh))
    return found


@pytest.mark.parametrize("kind", ["assets", "checks", "jobs", "schedules", "sensors"])
def test_the_main_location_holds_exactly_these(
    described: dict[str, Any], kind: str, snapshot: SnapshotAssertion
) -> None:
    """A name that changes here changes what people have bookmarked, alerted on and scheduled."""
    assert described[kind] == snapshot


def test_every_place_of_every_segment_is_an_asset_that_comes_from_raw_tables_and_its_segment(
    described: dict[str, Any],
) -> None:
    expected = set()
    for segment in SEGMENTS:
        twin = yaml.safe_load((ROOT / "dbt_project" / "models" / "segments" / f"{segment}.yml").read_text())
        for place in twin["models"][0]["config"]["meta"]["audience"]["destinations"]:
            name = next(place[kind] for kind in ("list", "tag", "property") if kind in place)
            leaf = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
            key = f"destinations/{place['platform']}/{place['account']}/{leaf}"
            expected.add(key)
            ancestors = described["ancestors"][key]
            assert f"segments/{segment}" in ancestors, key
            assert [one for one in ancestors if one.startswith("raw/") and not one.startswith("raw/audiences")], key
            assert {"marts/decisions", "activation/plans", "activation/removals"} <= set(ancestors), key
    assert expected == {key for key in described["assets"] if key.startswith("destinations/")}


def test_removals_need_no_segment(described: dict[str, Any]) -> None:
    """A broken segment must not be able to stop a removal."""
    ancestors = described["ancestors"]["activation/removals"]
    assert "marts/decisions" in ancestors
    assert [key for key in ancestors if key.startswith("segments/")] == []


def test_no_destination_waits_for_another_segment(described: dict[str, Any]) -> None:
    destinations = [key for key in described["assets"] if key.startswith("destinations/")]
    assert destinations
    for key in destinations:
        assert len([one for one in described["ancestors"][key] if one.startswith("segments/")]) == 1, key


def test_every_asset_is_something_we_make_and_belongs_to_a_station(described: dict[str, Any]) -> None:
    assert described["assets"] == described["materializable"]
    stations = {"raw", "seeds", "staging", "intermediate", "marts", "segments", "activation", "destinations"}
    assert set(described["groups"].values()) == stations


def test_every_asset_says_what_it_is(described: dict[str, Any]) -> None:
    assert [key for key, told in described["described"].items() if not told] == []


def test_whatever_opens_the_warehouse_waits_for_its_slot(described: dict[str, Any]) -> None:
    outside = {key for key, pools in described["pools"].items() if pools != ["warehouse"]}
    assert outside == {key for key in described["assets"] if key.startswith("destinations/")} | {"activation/removals"}


def test_loading_writes_no_warehouse_and_no_state(described: dict[str, Any], fresh: Path) -> None:
    assert described["assets"]
    assert {path.relative_to(fresh).parts[:2] for path in fresh.rglob("*") if path.is_file()} == {("data", "dbt")}


def test_the_speed_location_loads_without_dbt_dlt_or_anything_of_the_main_one(tmp_path: Path) -> None:
    """Whatever breaks in the main location, an opt-out still takes effect."""
    code = (
        "import json, sys; from orchestration.speed import defs; import orchestration.speed as speed\n"
        "from dlt_sources import registry\n"
        "for platform in registry.all_platforms():\n"
        "    if platform.has('destination'): platform.destination_class()\n"
        "    if platform.has('webhook'): platform.webhook\n"
        "roots = ('dbt', 'dlt', 'dagster_dbt', 'great_expectations', 'pandas')\n"
        "main = ('definitions', 'ingestion', 'transformation', 'quality', 'reverse_etl', 'building')\n"
        "print(json.dumps({'sensors': [sensor.name for sensor in defs.sensors],\n"
        "    'foreign': [name for name in sys.modules if name.partition('.')[0] in roots],\n"
        "    'main': [name for name in main if f'orchestration.{name}' in sys.modules]}))"
    )
    assert json.loads(loaded(code, tmp_path)) == {"sensors": ["speed_lane"], "foreign": [], "main": []}


def test_the_workspace_names_both_locations() -> None:
    locations = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    modules = {one["python_module"]["module_name"] for one in locations}
    assert modules == {"orchestration.definitions", "orchestration.speed"}
