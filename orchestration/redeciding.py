"""The job that decides again when the clock alone has changed an answer, and the sensor that starts it.

Birthdays, expiries and starts of rules come without any event. Each build says when the next of them comes; the sensor
reads that from the published copy and starts one run when it has passed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
from dagster import (
    AssetSelection,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    define_asset_job,
    in_process_executor,
    sensor,
)

from orchestration.activation.next_change import NextChange, next_change
from orchestration.building import made_whole
from orchestration.home import Home
from orchestration.ingestion import raw_key
from orchestration.schedules import daily, near_real_time
from orchestration.transformation import REDECIDE, begin_build

#: Changes that come one upon another are gathered: no build begins sooner after the one that foresaw them.
_PAUSE = timedelta(minutes=10)
_WAITING = [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]

#: The tables that a build begins with, and all that is made from its time: no pull, no webhook, no staging.
redecide = define_asset_job(
    REDECIDE,
    selection=AssetSelection.assets(*begin_build.keys)
    | AssetSelection.assets(raw_key("audiences", "builds")).downstream(),
    executor_def=in_process_executor,
    description="Decide, plan and push anew from what is known already, because the clock has changed an answer.",
)


@sensor(
    jobs=[redecide, near_real_time],
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description=(
        "Starts a build when a birthday, an expiry or the start of a rule has passed that changes an answer. After a "
        "build that did not come to its end the whole way is gone, since what it has left in staging is not known."
    ),
)
def clock_changes(context: SensorEvaluationContext) -> SensorResult:
    """Ask for one run per change that has passed; the cursor keeps the next one and the one that was asked for."""
    home = Home.current()
    found, asked = next_change(home), _asked(context.cursor)
    now = datetime.now(UTC)
    if found is None:
        return _skip("Nothing has been published yet.", None, asked)
    if found.at is None:
        return _skip(f"No answer of build {found.build_id} changes by the clock alone.", found, asked)
    if found.at > now:
        return _skip(f"The next change comes at {_time(found.at)}, for {found.people} people.", found, asked)
    name = f"build {found.build_id}, {found.at.isoformat()}"
    if asked == name:
        return _skip(
            f"For the change of {_time(found.at)} a run was started already, and has published nothing since.",
            found,
            asked,
        )
    if _under_way(context):
        return _skip(f"The change of {_time(found.at)} has come; a build is under way and sees to it.", found, asked)
    if now < found.decided_as_of + _PAUSE:
        return _skip(f"The change of {_time(found.at)} has come; it is gathered with what follows.", found, asked)
    request = RunRequest(
        run_key=name,
        job_name=(redecide if made_whole(home) else near_real_time).name,
        tags={"changed_at": found.at.isoformat()},
    )
    return SensorResult(run_requests=[request], cursor=_cursor(found, name))


def _under_way(context: SensorEvaluationContext) -> bool:
    names = {job.name for job in (daily, near_real_time, redecide)}
    runs = context.instance.get_runs(RunsFilter(statuses=_WAITING))
    return any(run.job_name in names for run in runs)


def _skip(text: str, found: NextChange | None, asked: str) -> SensorResult:
    return SensorResult(skip_reason=SkipReason(text), cursor=_cursor(found, asked))


def _cursor(found: NextChange | None, asked: str) -> str:
    """What the next evaluation and whoever looks at the sensor read: the next change, and the one asked for."""
    at = found.at.isoformat() if found and found.at else ""
    return orjson.dumps({"next_change_at": at, "asked": asked}).decode()


def _asked(cursor: str | None) -> str:
    return str(orjson.loads(cursor or "{}").get("asked", ""))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
