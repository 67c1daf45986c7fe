"""Stations three to five: publish and plan, removals, and a push per audience to its destinations."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    asset,
    multi_asset,
)

from dlt_sources import registry
from orchestration import building, pushing, stations, told
from orchestration.activation import approvals
from orchestration.activation.apply import Applied
from orchestration.activation.catalogue import Audience, Catalogue, Place
from orchestration.activation.plan import CHANGES, REMOVALS
from orchestration.activation.twins import collect
from orchestration.console import markdown_table
from orchestration.home import Home
from orchestration.parsing import manifest
from orchestration.resources import WAREHOUSE, House
from orchestration.stations import Station

GROUP = "activation"
PLANS = AssetKey(["activation", "plans"])
REMOVED = AssetKey(["activation", "removals"])
_DECISIONS = AssetKey(["marts", "decisions"])
_WITHDRAWALS = AssetKey(["marts", "withdrawals"])
CHECK = "may_cross_to_destinations"
BUILT = "everything_was_built"


@asset(
    key=PLANS,
    group_name=GROUP,
    kinds={"duckdb", "parquet"},
    pool=WAREHOUSE,
    # The dbt op has ended with all its models, broken ones included, when its decisions are there.
    deps=[_DECISIONS, _WITHDRAWALS],
    check_specs=[AssetCheckSpec(BUILT, asset=PLANS, description="No model failed and no twin is wrong.")],
)
def plans(context: AssetExecutionContext, house: House) -> Iterator[MaterializeResult[None]]:
    """Check the audiences, publish the build, and plan what each destination is to be sent."""
    started = time.monotonic()
    try:
        built = building.finish(house.home, house.state)
    except Exception:
        # What was planned before the failure must not keep anybody in: removals go, then the failure is told.
        pushing.apply_ready(house.home, house.state, path=REMOVALS)
        raise
    for problem in built.problems:
        context.log.error("%s", problem)
    for text in (*built.baselines, *pushing.by_hand(built.plans)):
        context.log.warning("%s", text)
    never = approvals.never_approved(house.state, registry.all_platforms(), registry.configured())
    rows = [
        (one.path, f"{one.platform}:{one.account}", one.audience, one.status, one.adds, one.updates, one.removes,
         one.suppressions, one.unreachable, "; ".join(one.held_because))
        for one in built.plans
    ]  # fmt: skip
    columns = [
        "path",
        "account",
        "audience",
        "status",
        "adds",
        "updates",
        "removes",
        "withdrawals",
        "unreachable",
        "held because",
    ]
    stations.report(
        house.home,
        Station(
            name="check, publish, plan",
            rows_in=sum(funnel.interested for funnel in built.funnels),
            quarantined=0,
            rows_out=sum(one.adds + one.updates + one.removes + one.suppressions for one in built.plans),
            seconds=time.monotonic() - started,
            note="; ".join(f"{one.audience or one.path} held" for one in built.plans if one.status == "held"),
        ),
    )
    yield MaterializeResult(
        metadata={
            "build": built.build_id,
            **told.pages(house.home),
            **told.coverage_of(house.home),
            "changes since the build before": told.changes(built.changes),
            **told.newly_eligible(built.newly_eligible),
            "quarantined": built.quarantined,
            "never approved": ", ".join(never) or "none",
            "baselines": MetadataValue.md("\n".join(f"- {text}" for text in built.baselines) or "none were due"),
            "plans": MetadataValue.md(markdown_table(columns, rows)),
            "quarantine": MetadataValue.md(
                markdown_table(["platform", "object", "field", "reason", "values"], built.quarantine)
            ),
        },
        check_results=[
            AssetCheckResult(
                check_name=BUILT,
                asset_key=PLANS,
                passed=not built.problems,
                metadata={"to mend": MetadataValue.md("\n".join(f"- {problem}" for problem in built.problems))},
            )
        ],
    )


@asset(key=REMOVED, group_name=GROUP, kinds={"reverse_etl"}, deps=[PLANS])
def removals(context: AssetExecutionContext, house: House) -> MaterializeResult[None]:
    """Take out whoever must go and write withdrawals where they can be held; no guard can stop this."""
    applied = _apply(context, house, "removals", path=REMOVALS, audience="")
    return MaterializeResult(metadata={"calls": MetadataValue.md(_applied_table(applied))})


def push_asset(audience: Audience) -> AssetsDefinition:
    """The op that pushes one audience to all its destinations; skipped when its segment failed."""
    specs = [
        AssetSpec(
            destination_key(place),
            group_name="destinations",
            kinds={place.platform, "reverse_etl"},
            deps=[AssetKey(["segments", audience.name]), PLANS, REMOVED],
            description=f"{place.target} at {place.platform} ({place.account}). {audience.rule}",
            metadata={"audience": audience.name, "channel": audience.channel, "owner": audience.owner},
        )
        for place in audience.destinations
    ]
    checks = [
        AssetCheckSpec(CHECK, asset=spec.key, description="Great Expectations over the audience that this push sends.")
        for spec in specs
    ]

    @multi_asset(name=f"push_{audience.name}", specs=specs, check_specs=checks)
    def push(context: AssetExecutionContext, house: House) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        applied = _apply(context, house, f"push {audience.name}", path=CHANGES, audience=audience.name)
        figures = building.read(house.home)
        funnel = next((one for one in building.current_funnels(house.home) if one.audience == audience.name), None)
        for place in audience.destinations:
            mine = [one for one in applied if (one.platform, one.account, one.target) == place_of(place)]
            planned = figures.plan(audience.name, place)
            yield MaterializeResult(
                asset_key=destination_key(place),
                metadata={
                    **told.pages(house.home),
                    "plan": planned.status if planned else "nothing",
                    "held because": "; ".join(planned.held_because) if planned else "",
                    "calls": MetadataValue.md(_applied_table(mine)),
                    "funnel": MetadataValue.md(markdown_table(["step", "people"], funnel.steps() if funnel else [])),
                    "not admitted": MetadataValue.md(
                        markdown_table(["reason", "people"], building.counts(funnel.reasons) if funnel else [])
                    ),
                },
                check_results=[figures.verdict(audience.name).as_check(CHECK, destination_key(place))],
            )

    return push


def assets(home: Home) -> list[AssetsDefinition]:
    """Everything from the published build to the destinations; one push op per audience of the dbt project."""
    return [
        plans,
        removals,
        *(push_asset(audience) for audience in _audiences(manifest(home)) if audience.destinations),
    ]


def destination_key(place: Place) -> AssetKey:
    """The asset of one list, tag or property at a platform."""
    name = "".join(letter if letter.isalnum() else "_" for letter in place.target.partition(":")[2].lower())
    return AssetKey(["destinations", place.platform, place.account, name])


def place_of(place: Place) -> tuple[str, str, str]:
    """What plans and applied figures name a place by."""
    return place.platform, place.account, place.target


def _audiences(path: Path) -> Sequence[Audience]:
    """The audiences as the twins say; accounts are asked about at run time only, so that definitions need no secret."""
    catalogue, _ = collect(
        path,
        build_id=0,
        platforms=registry.all_platforms(),
        accounts=None,
        former=Catalogue(0, ()),
        with_members=set(),
    )
    return catalogue.audiences


def _apply(context: AssetExecutionContext, house: House, name: str, *, path: str, audience: str) -> list[Applied]:
    started = time.monotonic()
    applied = pushing.apply_ready(house.home, house.state, path=path, audience=audience)
    for one in applied:
        if one.problem:
            context.log.error("%s", one.problem)
    stations.report(
        house.home,
        Station(
            name=name,
            rows_in=sum(one.rows for one in applied),
            quarantined=sum(one.failed + one.dead for one in applied),
            rows_out=sum(one.accepted for one in applied),
            seconds=time.monotonic() - started,
            note="; ".join(one.problem for one in applied if one.problem),
        ),
    )
    return applied


def _applied_table(applied: Sequence[Applied]) -> str:
    columns = ["target", "rows", "accepted", "failed", "dead", "stopped by the gate", "compensated"]
    rows = [
        (one.target or f"{one.platform}:{one.account}", one.rows, one.accepted, one.failed, one.dead, one.dropped,
         one.compensated)
        for one in applied
    ]  # fmt: skip
    return markdown_table(columns, rows)
