"""Jobs and the daily schedule."""

from __future__ import annotations

from dagster import AssetSelection, DefaultScheduleStatus, ScheduleDefinition, define_asset_job, in_process_executor

from dlt_sources import registry
from orchestration.ingestion import raw_key

_PULLED = AssetSelection.assets(
    *(raw_key(platform.name, obj.name) for platform in registry.all_platforms() for obj in platform.objects)
)

#: One process per run: the warehouse file allows no second one, and each step would import everything again.
daily = define_asset_job(
    "daily",
    selection=AssetSelection.all(),
    executor_def=in_process_executor,
    description="The whole way: pull, build, check, publish, remove, push.",
)
near_real_time = define_asset_job(
    "near_real_time",
    selection=AssetSelection.all() - _PULLED,
    executor_def=in_process_executor,
    description="The whole way for what webhooks brought, without asking the platforms' APIs.",
)

every_morning = ScheduleDefinition(
    job=daily, cron_schedule="0 5 * * *", default_status=DefaultScheduleStatus.RUNNING, execution_timezone="UTC"
)

JOBS = [daily, near_real_time]
SCHEDULES = [every_morning]
