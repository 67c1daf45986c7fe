"""Station one: every platform's objects and every landed webhook, into the warehouse's raw tables."""

import time
from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    multi_asset,
)

from dlt_sources import accounts, registry
from dlt_sources.platform import Object, Platform
from orchestration import stations, warehouse
from orchestration.landing import by_hand
from orchestration.resources import WAREHOUSE, House
from orchestration.stations import Station

GROUP = "raw"
_ANSWERED, _CROSS = "source_answered", "may_cross_into_staging"
_CHECKS = {
    _ANSWERED: "Every configured account answered this pull.",
    _CROSS: "Great Expectations over what has just been landed.",
}
#: Whose requests are landed: the platforms that send webhooks, and people of ours.
LANDED = [by_hand.PLATFORM, *(platform for platform in registry.all_platforms() if platform.has("webhook"))]


def raw_key(platform: str, object: str) -> AssetKey:
    """The asset of a raw table."""
    return AssetKey(["raw", platform, object])


def pull_assets(platform: Platform) -> AssetsDefinition:
    """One op that pulls all objects of a platform, with a check per object that its source answered and its data fits.

    A source that does not answer fails its check and adds nothing; it stops neither the build nor a removal.
    """
    specs = [_object_spec(platform, obj) for obj in platform.objects]
    checks = [
        AssetCheckSpec(name, asset=spec.key, description=text) for spec in specs for name, text in _CHECKS.items()
    ]

    @multi_asset(name=f"pull_{platform.name}", specs=specs, check_specs=checks, pool=WAREHOUSE)
    def pull_platform(
        context: AssetExecutionContext, house: House
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        from dlt_sources.pull import pull
        from orchestration.quality import check_raw

        home, started = house.home, time.monotonic()
        configured = accounts.load([platform], home.folder)
        with warehouse.opened(home) as connection:
            warehouse.ensure_raw(connection, registry.all_platforms(), registry.configured())
        pulled = pull(platform, configured, warehouse=home.warehouse, working_folder=home.dlt)
        with warehouse.opened(home) as connection:
            warehouse.record_contacts(connection, pulled)
            unanswered = {
                obj.name: [one.error for one in pulled if one.object == obj.name and one.error]
                for obj in platform.objects
            }
            verdicts = check_raw(connection, house.state, platform, unanswered)
        for obj in platform.objects:
            mine = [one for one in pulled if one.object == obj.name]
            errors = unanswered[obj.name]
            verdict = verdicts[obj.name]
            yield MaterializeResult(
                asset_key=raw_key(platform.name, obj.name),
                metadata={
                    "status": "pulled" if configured else "not configured",
                    "rows": sum(one.rows for one in mine),
                    "pages": sum(one.pages for one in mine),
                    "seconds": round(sum(one.seconds for one in mine), 2),
                    **({"note": notes} if (notes := "\n".join(one.note for one in mine if one.note)) else {}),
                },
                check_results=[
                    AssetCheckResult(
                        check_name=_ANSWERED,
                        asset_key=raw_key(platform.name, obj.name),
                        passed=not errors,
                        severity=AssetCheckSeverity.ERROR,
                        metadata={"errors": "\n".join(errors)},
                    ),
                    verdict.as_check(_CROSS, raw_key(platform.name, obj.name)),
                ],
            )
        stations.report(
            home,
            Station(
                name=f"pull {platform.title}",
                rows_in=sum(one.rows for one in pulled),
                quarantined=0,
                rows_out=sum(one.rows for one in pulled),
                seconds=time.monotonic() - started,
                note=_note(configured=bool(configured), said=[one.error or one.note for one in pulled]),
            ),
        )

    return pull_platform


@multi_asset(
    name="load_landing",
    specs=[
        AssetSpec(
            raw_key(platform.name, "webhooks"),
            group_name=GROUP,
            kinds={"dlt", "duckdb"},
            description=(
                "Blocks set and lifted by hand, as landed."
                if platform is by_hand.PLATFORM
                else f"Webhook requests that {platform.title} sent to the receiver, as received."
            ),
        )
        for platform in LANDED
    ],
    check_specs=[
        AssetCheckSpec(_CROSS, asset=raw_key(platform.name, "webhooks"), description=_CHECKS[_CROSS])
        for platform in LANDED
    ],
    pool=WAREHOUSE,
)
def load_landing(context: AssetExecutionContext, house: House) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
    """Load every settled landing file into the raw tables and move it on."""
    from orchestration.landing.loading import load
    from orchestration.quality import check_webhooks

    home, started = house.home, time.monotonic()
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, registry.all_platforms(), registry.configured())
    loaded = load(home)
    with warehouse.opened(home) as connection:
        verdicts = check_webhooks(connection, house.state, [one for one in LANDED if loaded.get(one.name)])
    for platform in LANDED:
        key = raw_key(platform.name, "webhooks")
        yield MaterializeResult(
            asset_key=key,
            metadata={"rows": loaded.get(platform.name, 0)},
            check_results=[verdicts[platform.name].as_check(_CROSS, key)],
        )
    rows = sum(loaded.values())
    seconds = time.monotonic() - started
    stations.report(home, Station(name="load webhooks", rows_in=rows, quarantined=0, rows_out=rows, seconds=seconds))


def assets() -> list[AssetsDefinition]:
    """The raw station: one op per platform that can be pulled, one for the landing zone."""
    pulls = [pull_assets(platform) for platform in registry.all_platforms() if platform.objects]
    return [*pulls, load_landing]


def _object_spec(platform: Platform, obj: Object) -> AssetSpec:
    cursor = f"cursor {obj.updated}, overlap {obj.overlap}" if obj.updated else "complete at every pull"
    return AssetSpec(
        raw_key(platform.name, obj.name),
        group_name=GROUP,
        kinds={"dlt", "duckdb"},
        description=f"{platform.title} {obj.name} as the platform sends them, a row per version; {cursor}.",
        metadata={"documentation": platform.documentation},
    )


def _note(*, configured: bool, said: list[str]) -> str:
    if not configured:
        return "not configured"
    return "; ".join(filter(None, said))
