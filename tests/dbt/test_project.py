"""The project itself: generated files are fresh, its own tests pass, every model is documented."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from dbt_project import generate_platforms, generate_policies, prepare_segments
from tests.dbt.conftest import PROJECT, Build
from tests.dbt.raw import Raw


def test_the_generated_macro_is_fresh() -> None:
    written = (PROJECT / "macros" / "generated" / "platforms.sql").read_text()
    assert written == generate_platforms.render(), "run python dbt_project/generate_platforms.py"


def test_the_analysts_page_has_every_policy_that_is_read_with_its_default() -> None:
    page = generate_policies.PAGE.read_text()
    assert page == generate_policies.insert(page), "run python dbt_project/generate_policies.py"
    assert "| `us_email_requires_grant` | `true` |" in page
    assert "| `cannabis_informational_promotion` |" in page


def test_a_new_folder_of_staging_is_a_new_platform(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "staging" / "acme"
    folder.mkdir(parents=True)
    (folder / "stg_acme__people.sql").touch()
    (folder / "acme__customer_records.sql").touch()
    assert generate_platforms.platforms_with("customer_records", tmp_path) == ["acme"]
    assert generate_platforms.platforms_with("suppressions", tmp_path) == []
    assert "'stg_acme__people'" in generate_platforms.render(tmp_path)


def test_unit_and_data_tests_pass(shop: Build) -> None:
    result = shop.dbt("test")
    failed = {one.node.name for one in result.result.results if one.status not in ("pass", "success")}
    assert failed == set()
    assert any(one.node.resource_type == "unit_test" for one in result.result.results)


def test_every_model_and_seed_is_described_with_its_columns(shop: Build) -> None:
    manifest = json.loads((shop.target / "manifest.json").read_text())
    documented = {
        node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")
    }
    bare = {name for name, node in documented.items() if "ne row" not in node["description"]}
    assert bare == set(), "say what one row is"
    built = shop.rows(
        "select table_name, column_name from information_schema.columns"
        " where table_schema in ('staging', 'intermediate', 'marts', 'segments', 'seeds')"
    )
    undescribed = {
        f"{table}.{column}"
        for table, column in built
        if not documented[table]["columns"].get(column, {}).get("description")
    }
    assert undescribed == set()


def test_parsing_gives_no_warning(copy: Build) -> None:
    result = copy.dbt("parse", "--no-partial-parse", "--warn-error")
    assert result.success, result.exception


def test_text_payloads_stage_like_json_ones(tmp_path: Path, shop: Build) -> None:
    build = Build(shop.project, tmp_path / "warehouse.duckdb", shop.target)
    with Raw(build.warehouse, payload_type="VARCHAR") as raw:
        raw.build(1)
        raw.customer(1, "ann@example.com")
        raw.webhook("twilio", "message.stop", {"MessageSid": "SM1", "From": "+14155550101", "Body": "stop"})
    assert build.run("--select", "stg_shopify__customers", "stg_twilio__webhooks") == set()
    assert build.values("select email from staging.stg_shopify__customers") == {"ann@example.com"}


def test_exposures_name_every_destination_of_every_twin(copy: Build) -> None:
    assert prepare_segments.prepare(copy.project) == []
    written = yaml.safe_load((copy.project / "models" / "generated" / "_exposures.yml").read_text())
    wanted = {
        (f"ref('{path.stem}')", destination["platform"], destination.get("list") or destination.get("tag"))
        for path in (copy.project / "models" / "segments").glob("*.yml")
        for destination in yaml.safe_load(path.read_text())["models"][0]["config"]["meta"]["audience"]["destinations"]
    }
    shown = {
        (exposure["depends_on"][0], exposure["config"]["meta"]["platform"], exposure["config"]["meta"]["target"])
        for exposure in written["exposures"]
    }
    assert shown == wanted
    assert len(wanted) == 11
    result = copy.dbt("parse", "--warn-error")
    assert result.success, result.exception
    assert len(result.result.exposures) == len(wanted)


def test_a_segment_that_dbt_could_not_read_is_set_aside_with_advice(copy: Build) -> None:
    segments = copy.project / "models" / "segments"
    (segments / "recent_buyers.sql").write_text("select person_id from {{ ref('person_activty') }}")
    (segments / "high_spenders.yml").write_text("models: [")
    (segments / "lapsed_customers.yml").unlink()
    (segments / "vape_buyers_of_age.sql").write_text("select {{ from nowhere")
    advice = {fault.segment: str(fault) for fault in prepare_segments.prepare(copy.project)}
    assert set(advice) == {"recent_buyers", "high_spenders", "lapsed_customers", "vape_buyers_of_age"}
    assert "models/segments/recent_buyers.sql: ref('person_activty') names no model" in advice["recent_buyers"]
    assert "models/segments/lapsed_customers.yml: is missing" in advice["lapsed_customers"]
    parsed = copy.dbt("parse")
    assert parsed.success, parsed.exception
    left = {node.name for node in parsed.result.nodes.values() if node.fqn[1] == "segments"} & set(advice)
    assert left == set()


def test_segments_that_dbt_complains_about_are_found_in_its_message(copy: Build) -> None:
    message = "Invalid models config given in models/segments/recent_buyers.yml @ models: at path []"
    (name,) = prepare_segments.segments_named_in(message)
    (fault,) = prepare_segments.prepare(copy.project, also={name: "dbt cannot read it"})
    assert str(fault) == "models/segments/recent_buyers.sql: dbt cannot read it"
    assert (copy.project / ".dbtignore").read_text() == "models/segments/recent_buyers.*\n"
    assert prepare_segments.prepare(copy.project) == []
    assert (copy.project / ".dbtignore").read_text() == ""
