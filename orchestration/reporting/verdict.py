"""What happened, in a sentence, and what a person should do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orchestration.activation.approvals import command
from orchestration.activation.changes import Change
from orchestration.building import Built
from orchestration.inputs.registries import Standing
from orchestration.inputs.reviews import Waiting
from orchestration.reporting.coverage import Source
from orchestration.reporting.deliveries import DeadLetter, Delivery
from orchestration.reporting.runs import Run
from orchestration.stations import Station

#: Names in a sentence before the rest is counted.
_NAMED = 4
Level = Literal["good", "attention", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing that went wrong or waits, what it means meanwhile, and what to do about it."""

    what: str
    meanwhile: str
    do: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The sentence that opens the report, and the list that follows it."""

    level: Level
    sentence: str
    todo: Sequence[Todo]


def judge(
    run: Run | None,
    built: Built | None,
    *,
    published_here: bool,
    under_way: bool,
    stations: Sequence[Station],
    deliveries: Sequence[Delivery],
    dead: Sequence[DeadLetter],
    sources: Sequence[Source],
    registries: Sequence[Standing],
    undecided: Sequence[Waiting],
    changes: Sequence[Change] | None,
) -> Verdict:
    """Judge a run: `published_here` says that the figures' build is this run's own."""
    todo = [
        *_failures(run),
        *_problems(built),
        *_silent(stations, sources),
        *_uncompared(registries),
        *_undecided(undecided),
        *_checks(built),
        *_held(deliveries),
        *_by_hand(deliveries),
    ]
    todo += _dead(dead)
    before = _before(built)
    if run is None:
        return Verdict(level="attention", sentence=f"No run is on record. {before}", todo=todo)
    if run.ended_at is None:
        end = (
            "is still under way" if under_way else "was cut off before its end: its process was killed, or the machine"
        )
        again = Todo(
            what="The run did not end.",
            meanwhile="Nothing acknowledged is lost, and what was under way is sorted out by the next run.",
            do="Run again; it takes up where this one stopped.",
            command="audiences run",
        )
        cut = [] if under_way else [again]
        return Verdict(
            level="attention" if under_way else "failed",
            sentence=f"The run that began at {_time(run.started_at)} {end}. {before}",
            todo=[*cut, *todo],
        )
    if run.failures:
        where = ", ".join(failure.partition(":")[0].replace("_", " ") for failure in run.failures)
        rest = (
            f"Build {built.build_id} had been made and published before that."
            if built and published_here
            else f"Nothing new was published. {before}"
        )
        return Verdict(level="failed", sentence=f"The run failed at: {where}. {rest}", todo=todo)
    if built is None or not published_here:
        return Verdict(level="attention", sentence=f"The run ended without publishing a build. {before}", todo=todo)
    done = f"Build {built.build_id} was made, published and sent. {_moves(changes, deliveries)}"
    if todo:
        return Verdict(level="attention", sentence=f"{done} Something waits for you: see below.", todo=todo)
    return Verdict(level="good", sentence=f"{done} Nothing waits for you.", todo=[])


def _before(built: Built | None) -> str:
    if built is None:
        return "No build has been published yet, so there are no figures to show."
    return f"The figures below are those of build {built.build_id}, decided as of {_time(built.as_of)}."


def _moves(changes: Sequence[Change] | None, deliveries: Sequence[Delivery]) -> str:
    sent = sum(one.accepted for one in deliveries)
    told = f"Destinations took {sent:,} change{'' if sent == 1 else 's'}."
    if changes is None:
        return told
    added, removed = (
        sum(sum(counts.values()) for counts in by_way)
        for by_way in ([change.added for change in changes], [change.removed for change in changes])
    )
    return f"Since the build before, people joined audiences {added:,} times and left {removed:,} times. {told}"


def _failures(run: Run | None) -> list[Todo]:
    return [
        Todo(
            what=failure,
            meanwhile="Steps that need this one were skipped; opt-outs go on taking effect through the speed lane.",
            do="Mend the cause and run again: every step may be repeated.",
            command="audiences run",
        )
        for failure in (run.failures if run else ())
    ]


def _problems(built: Built | None) -> list[Todo]:
    return [
        Todo(
            what=problem,
            meanwhile="What depends on it gains nobody; whoever must leave still leaves.",
            do="Mend the file that is named, then run again.",
        )
        for problem in (built.problems if built else ())
    ]


def _silent(stations: Sequence[Station], sources: Sequence[Source]) -> list[Todo]:
    """Sources that gave an error in this run, and sources that have been silent for too long."""
    told = [
        (f"{station.name}: {station.note}")
        for station in stations
        if station.name.startswith("pull ") and station.note and station.note != "not configured"
    ]
    told += [
        f"{source.account} {source.object} has not answered since {_time(source.answered_at)}."
        for source in sources
        if source.stale and source.answered_at
    ]
    return [
        Todo(
            what=what,
            meanwhile="Nobody is added while a source is silent: who withdrew there is not known. Removals go on.",
            do="Ask every account once; the answer says what is missing.",
            command="audiences platforms --check",
        )
        for what in told
    ]


def _uncompared(registries: Sequence[Standing]) -> list[Todo]:
    """Registries whose want of a fresh comparison keeps something closed."""
    return [
        Todo(
            what=f"The registry {one.registry} "
            + (f"was last compared on {one.last_checked_on}." if one.last_checked_on else "was never compared."),
            meanwhile=f"Closed in the United States: {', '.join(one.asked)}. {one.waiting:,} people wait for it.",
            do="The next run takes the newest receipt into account."
            if one.unloaded
            else "Compare your addresses with it, then bring its answer.",
            command="audiences run"
            if one.unloaded
            else f"audiences registry import FILE --registry {one.registry} --checked-on DAY --actor YOU",
        )
        for one in registries
        if one.keeps_closed
    ]


def _undecided(undecided: Sequence[Waiting]) -> list[Todo]:
    """What nobody has read yet."""
    held = sum(one.kind == "held" for one in undecided)
    unread = len(undecided) - held
    found = []
    if held:
        found.append(
            Todo(
                what=f"{held:,} messages or states wait until a person has read them.",
                meanwhile="Nobody in them is sent marketing where they may have said stop.",
                do="Read each and decide.",
                command="audiences review list",
            )
        )
    if unread:
        found.append(
            Todo(
                what=f"{unread:,} values of platforms are not in the vocabulary.",
                meanwhile="Each counts as an opt-out.",
                do="Add a row to dbt_project/seeds/platform_values.csv that says what it means.",
                command="audiences review list",
            )
        )
    return found


def _checks(built: Built | None) -> list[Todo]:
    return [
        Todo(
            what=f"Check failed on {check.subject}: {check.description} "
            f"{check.error or f'{check.unexpected:,} of {check.evaluated:,} rows break it.'}",
            meanwhile="This audience gains nobody until the check passes.",
            do="The rows are named in the check's page in Dagster and in the data docs.",
        )
        for check in (built.checks if built else ())
        if not check.success
    ]


def _held(deliveries: Sequence[Delivery]) -> list[Todo]:
    """Held plans, those together that one command releases."""
    groups: dict[tuple[str, str], list[Delivery]] = {}
    for one in deliveries:
        if one.status == "held":
            reason = "; ".join(one.held_because)
            groups.setdefault((command(one.account, one.plan_id, reason), reason), []).append(one)
    return [
        Todo(
            what=f"Held at {some[0].account}: {_some(f'{one.audience} ({one.target})' for one in some)}: {reason}",
            meanwhile=f"{sum(one.adds for one in some):,} additions, {sum(one.updates for one in some):,} updates and "
            f"{sum(one.removes for one in some):,} removals of interest wait. Whoever opted out leaves all the same.",
            do="Look at the counts below; if they are right, approve.",
            command=release,
        )
        for (release, reason), some in groups.items()
    ]


def _some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    rest = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + rest


def _by_hand(deliveries: Sequence[Delivery]) -> list[Todo]:
    return [
        Todo(
            what=f"{one.by_hand:,} members must leave {one.audience or 'their audiences'} at {one.account} "
            f"{one.target}, which offers no way to remove anybody.",
            meanwhile="They stay members there.",
            do="Take them out at that platform by hand.",
        )
        for one in deliveries
        if one.by_hand
    ]


def _dead(dead: Sequence[DeadLetter]) -> list[Todo]:
    return [
        Todo(
            what=f"Given up: {one.rows:,} of kind “{one.what}” at {one.place} ({one.code}).",
            meanwhile="These people are not as planned at that destination.",
            do="Mend what the code names; the next build plans such rows again.",
        )
        for one in dead
    ]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
