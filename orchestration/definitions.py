"""The main code location: everything but the speed lane. This module only merges."""

from dagster import Definitions, in_process_executor

from orchestration import feeds, ingestion, redeciding, reverse_etl, schedules, sensors, transformation
from orchestration.home import Home
from orchestration.resources import House, dbt_cli

_home = Home.current()

defs = Definitions(
    assets=[
        *ingestion.assets(),
        transformation.begin_build,
        transformation.dbt_models(_home),
        *reverse_etl.assets(_home),
    ],
    asset_checks=[feeds.webhook_feeds],
    jobs=[*schedules.JOBS, redeciding.redecide],
    schedules=schedules.SCHEDULES,
    sensors=sensors.SENSORS,
    resources={"house": House(), "dbt": dbt_cli(_home)},
    # Runs of single assets too: the build's turn is one process's, from its first op to its last.
    executor=in_process_executor,
)
