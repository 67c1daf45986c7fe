"""Station two: the dbt project as assets, with its data tests as asset checks."""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetObservation,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from dlt_sources import registry
from dlt_sources.errors import AudiencesError
from orchestration import building, people, stations, told, warehouse
from orchestration.dbt_results import run_results
from orchestration.home import Home
from orchestration.ingestion import GROUP as RAW
from orchestration.ingestion import LANDED, raw_key
from orchestration.inputs import links, receipts, reviews
from orchestration.parsing import environment, manifest
from orchestration.proving import honours, writes
from orchestration.resources import WAREHOUSE, House
from orchestration.stations import Station

#: The job that decides again from what staging holds already.
REDECIDE = "redecide"
_OWN_TABLES = {
    "accounts": "The configured accounts with brand, region and markets.",
    "builds": "One row per build: its number and the times it decides by.",
    "contacts": "When each source last answered.",
    "honours": "When destinations took our withdrawals, and members who withdrew were removed.",
    "writes": "When withdrawals were written to destinations, or may have been.",
    "registry_imports": "One row per registry receipt that somebody imported.",
    "registry_receipts": "What was compared with registries, and what they have.",
    "registry_misfits": "Rows of imported receipts that did not fit.",
    "reviews": "Verdicts of people on what was held.",
    "links": "Records that people joined or parted by hand.",
    "person_ids": "Which person each record belonged to in the last good build.",
    "person_history": "How ids of persons began and ended.",
}
_EXPOSURES = AssetKey(["marts", "exposures"])


class Translator(DagsterDbtTranslator):
    """Names every dbt node `[layer, (platform,) name]` and groups it by station."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """Sources become the raw assets; models are named by their folders."""
        if dbt_resource_props["resource_type"] == "source":
            platform = dbt_resource_props["source_name"].removeprefix("raw_")
            return raw_key(platform, dbt_resource_props["name"])
        return AssetKey([*self._folders(dbt_resource_props), dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer: seeds, staging, intermediate, marts or segments."""
        if dbt_resource_props["resource_type"] == "source":
            return RAW
        return self._folders(dbt_resource_props)[0]

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add where dbt's own documentation of the node is, once `audiences docs` has written it."""
        page = Home.current().published / "dbt_docs" / "index.html"
        anchor = f"#!/{dbt_resource_props['resource_type']}/{dbt_resource_props['unique_id']}"
        return {**super().get_metadata(dbt_resource_props), "dbt docs": MetadataValue.path(f"{page}{anchor}")}

    def _folders(self, properties: Mapping[str, Any]) -> list[str]:
        folders = [part for part in properties["fqn"][1:-1] if part != properties["name"]]
        return folders or [properties["resource_type"] + "s"]


@multi_asset(
    name="begin_build",
    specs=[
        AssetSpec(
            raw_key("audiences", table),
            group_name=RAW,
            kinds={"duckdb"},
            description=text,
            deps=[raw_key(p.name, obj.name) for p in registry.all_platforms() for obj in p.objects]
            + [raw_key(p.name, "webhooks") for p in LANDED],
        )
        for table, text in _OWN_TABLES.items()
    ],
    pool=WAREHOUSE,
)
def begin_build(context: AssetExecutionContext, house: House) -> Iterator[MaterializeResult[None]]:
    """Load what people brought in, then allot the build's number and the times it decides by."""
    if context.run.job_name == REDECIDE and not building.made_whole(house.home):
        raise AudiencesError(
            "The newest build did not come to its end, or had problems, so that what staging holds is not known: "
            "audiences run --job near_real_time decides from all that has landed."
        )
    with warehouse.opened(house.home) as connection:
        warehouse.ensure_raw(connection, registry.all_platforms(), registry.configured())
        honours.record(connection, house.state)
        writes.record(connection, house.state)
        people.recall(house.home, connection)
        receipts.load(house.home, connection)
        reviews.load(house.state, connection)
        links.load(house.state, connection)
        build = warehouse.begin_build(house.state, connection)
    for table in _OWN_TABLES:
        yield MaterializeResult(
            asset_key=raw_key("audiences", table), metadata={"build": build.build_id, "as of": build.as_of.isoformat()}
        )


def dbt_models(home: Home) -> AssetsDefinition:
    """The whole dbt project as one op; a model that fails skips only what is built on it."""

    @dbt_assets(
        manifest=manifest(home),
        name="dbt",
        exclude="resource_type:unit_test",
        dagster_dbt_translator=Translator(),
        pool=WAREHOUSE,
    )
    def dbt(context: AssetExecutionContext, house: House, dbt: DbtCliResource) -> Iterator[Any]:
        started = time.monotonic()
        os.environ.update(environment(house.home))
        invocation = dbt.cli(
            ["build", "--exclude", "resource_type:unit_test"],
            context=context,
            target_path=house.home.dbt / "target",
            raise_on_error=False,
        )
        yield from invocation.stream()
        failed = [result for result in run_results(house.home) if result["status"] in ("error", "fail")]
        for result in failed:
            context.log.error("%s: %s", result["unique_id"], result["message"])
        with warehouse.opened(house.home) as connection:
            landed, quarantined, decided = _rows(connection)
            exposure = told.exposure(connection)
        yield AssetObservation(asset_key=_EXPOSURES, metadata=exposure)
        stations.report(
            house.home,
            Station(
                name="dbt: type and decide",
                rows_in=landed,
                quarantined=quarantined,
                rows_out=decided,
                seconds=time.monotonic() - started,
                note="; ".join(f"{result['unique_id'].split('.')[2]} failed" for result in failed),
            ),
        )

    return dbt


def _rows(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Versions landed so far, values set aside, decisions made; 0 where a model has never been built."""
    raw = [f'raw_{platform.name}."{obj.name}"' for platform in registry.all_platforms() for obj in platform.objects]
    marts = [name for name in ("quarantine", "decisions") if warehouse.has_table(connection, "marts", name)]
    landed = sum(_count(connection, table) for table in raw)
    counts = {name: _count(connection, f"marts.{name}") for name in marts}
    return landed, counts.get("quarantine", 0), counts.get("decisions", 0)


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found[0]) if found else 0
