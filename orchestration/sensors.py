"""Sensors of the main location: the segmentation lane's micro-batches, the clock, the failure hook, silent feeds."""

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    run_failure_sensor,
    sensor,
)

from orchestration import alerts
from orchestration.feeds import silent_feeds
from orchestration.home import Home
from orchestration.landing.files import Landing
from orchestration.redeciding import clock_changes
from orchestration.reporting.runs import report_path
from orchestration.schedules import near_real_time

_WAITING = [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]


@sensor(
    job=near_real_time,
    minimum_interval_seconds=5,
    default_status=DefaultSensorStatus.RUNNING,
    description="Starts a build a few seconds after webhooks that need the person's data have arrived.",
)
def segmentation_lane(context: SensorEvaluationContext) -> RunRequest | SkipReason:
    """Ask for one run while files wait and none is under way; what arrives meanwhile joins the next."""
    landing = Landing(Home.current().landing)
    waiting = landing.count("segmentation", "ready") + landing.count("speed", "settled")
    if not waiting:
        return SkipReason("No webhook waits for a build.")
    if context.instance.get_runs(RunsFilter(job_name=near_real_time.name, statuses=_WAITING), limit=1):
        return SkipReason(f"{waiting} landing files wait; a build is under way.")
    return RunRequest(tags={"landing_files": str(waiting)})


@run_failure_sensor(
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells people of a failed run: a line in data/alerts.jsonl, and a POST to AUDIENCES_ALERT_URL if set.",
)
def tell_failures(context: RunFailureSensorContext) -> None:
    """Say which run failed and where its report is; neither carries personal data."""
    run = context.dagster_run
    report = report_path(Home.current())
    text = f"Run {run.run_id[:8]} of {run.job_name} failed; nothing was added that it had not yet pushed: see {report}."
    alerts.tell(Home.current(), text, job=run.job_name, run=run.run_id)


SENSORS = [segmentation_lane, clock_changes, silent_feeds, tell_failures]
