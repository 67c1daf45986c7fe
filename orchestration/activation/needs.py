"""What a person has to do, in words with the command that does it; see `standing`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.activation.next_change import NextChange
    from orchestration.activation.standing import LastBuild, Owed, Queue
    from orchestration.inputs.reviews import Waiting

#: An opt-out that nobody has settled for so long, or whose record has not been looked up for so long, is an alarm.
_WAITING_SECONDS, _UNRESOLVED = 60.0, timedelta(minutes=10)
#: A call that was tried this often is not getting through by itself.
_RETRIES = 5
_OLD_BUILD = timedelta(days=2)
#: A change by the clock that no build has seen to for so long was missed: a run takes minutes.
_UNDECIDED = timedelta(hours=1)


def of_lane(queues: Sequence[Queue], *, alive: bool) -> Iterator[str]:
    """The speed lane: nobody works it, or its files wait."""
    if not alive:
        yield "No worker of the speed lane is alive: start Dagster's daemon, or audiences speed-lane."
    for one in queues:
        if one.lane == "speed" and one.stage in ("ready", "claimed") and one.oldest_seconds > _WAITING_SECONDS:
            yield (
                f"{one.files} files of the speed lane wait ({one.stage}), the oldest for {one.oldest_seconds:.0f} s: "
                "nobody in them is added meanwhile, but removals wait. See the worker's log."
            )


def of_calls(owed: Sequence[Owed]) -> Iterator[str]:
    """Calls that were given up, or that do not get through."""
    for one in owed:
        if one.dead:
            yield (
                f"{one.dead} calls to {one.account} were given up: mend them there by hand (the log names them), then "
                f"audiences mended {one.account} --actor YOU --reason HOW"
            )
        if one.most_attempts >= _RETRIES:
            yield f"Calls to {one.account} do not get through: audiences platforms --check says why."


def of_unresolved(unresolved: int, since: datetime | None, now: datetime) -> Iterator[str]:
    """Opt-outs whose person is not known after a while."""
    if unresolved and since and now - since > _UNRESOLVED:
        yield (
            f"{unresolved} opt-outs name a record whose e-mail and phone are not known yet; nobody is added on their "
            "channels until the platform answers, or a build has absorbed them: audiences run"
        )


def of_reviews(undecided: Sequence[Waiting]) -> Iterator[str]:
    """What nobody has read yet."""
    held = sum(one.kind == "held" for one in undecided)
    if held:
        yield f"{held} messages or states are held until somebody reads them: audiences review list"
    if held < len(undecided):
        values = len(undecided) - held
        yield f"{values} values of platforms count as opt-outs because the vocabulary lacks them: audiences review list"


def of_build(build: LastBuild | None) -> Iterator[str]:
    """No build, or an old one."""
    if build is None:
        yield "No build has been published yet: audiences run"
    elif build.age_seconds > _OLD_BUILD.total_seconds():
        yield f"The last good build is {build.age_seconds / 86400:.1f} days old: see the last runs in Dagster."


def of_clock(change: NextChange | None, now: datetime) -> Iterator[str]:
    """A birthday, an expiry or the start of a rule that has passed, and no build has decided since."""
    if change is not None and change.at is not None and now - change.at > _UNDECIDED:
        yield (
            f"Answers of {change.people} people changed with the clock at {change.at:%Y-%m-%d %H:%M} UTC, and no build "
            "has been published since: audiences run --job redecide; see the failed runs in Dagster."
        )
