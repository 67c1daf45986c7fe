"""`audiences status`: how the installation stands, and what a person has to do."""

from __future__ import annotations

from dlt_sources import registry
from orchestration import console
from orchestration.activation.next_change import NextChange
from orchestration.activation.standing import Standing, standing
from orchestration.activation.state import State
from orchestration.home import Home


def show(*, as_json: bool) -> int:
    """Print it; 1 when something needs a person."""
    home = Home.current()
    state = State.of(home)
    try:
        found = standing(home, state, registry.all_platforms(), registry.configured())
    finally:
        state.close()
    if as_json:
        console.print_json(found)
    else:
        _print(found)
    return 1 if found.needs else 0


def _print(found: Standing) -> None:
    out = console.out
    if found.build:
        later = f"; {found.build.later} later ones made no decisions" if found.build.later else ""
        out.print(f"Last good build: {found.build.build_id}, {_age(found.build.age_seconds)} ago{later}")
    if found.next_change:
        out.print(f"Next change by the clock alone: {_change(found.next_change)}")
    out.print(f"Speed lane: {'working' if found.speed_lane_alive else 'NOT working'}")
    if found.sources:
        rows = [
            (one.source, _age(one.age_seconds), _age(one.schedule_seconds), "STALE" if one.stale else "")
            for one in found.sources
        ]
        out.print(console.table("Sources", ["source", "answered before", "asked every", ""], rows))
    if found.queues:
        queued = [(one.lane, one.stage, one.files, _age(one.oldest_seconds)) for one in found.queues]
        out.print(console.table("Landing", ["lane", "stage", "files", "oldest"], queued))
    if found.owed:
        calls = [(one.account, one.due, one.retrying, one.dead) for one in found.owed]
        out.print(console.table("Calls owed", ["account", "due", "retrying", "given up"], calls))
    if found.held:
        held = [
            (one.plan_id[:12], one.account, one.audience, one.target, one.adds, one.updates, one.removes)
            for one in found.held
        ]
        columns = ["plan", "account", "audience", "target", "adds", "updates", "removes"]
        out.print(console.table("Held plans", columns, held))
        for plan in found.held:
            out.print(f"  {plan.plan_id[:12]}: {'; '.join(plan.because)}")
    for account, count in found.dead_rows.items():
        out.print(f"Dead letters at {account}: {count}")
    quarantined = "unknown" if found.quarantined is None else found.quarantined
    out.print(f"Unresolved opt-outs: {found.unresolved}; values in quarantine: {quarantined}")
    for text in found.silent_feeds:
        out.print(f"Silent feed: {text}")
    if any(one.asked for one in found.registries):
        guarded = [
            (one.registry, ", ".join(one.asked), one.last_checked_on or "never", one.waiting, one.state)
            for one in found.registries
            if one.asked
        ]
        columns = ["registry", "guards", "compared on", "people waiting", "now"]
        out.print(console.table("Registries", columns, guarded))
    if found.undecided:
        out.print(f"Waiting until a person decides: {found.undecided}")
    if found.never_approved:
        out.print(f"Never approved for additions: {', '.join(found.never_approved)}")
    if found.needs:
        out.print("\nNeeds a person:", style="bold")
        for text in found.needs:
            out.print(f"- {text}")
    else:
        out.print("Nothing needs a person.", style="bold")


def _change(change: NextChange) -> str:
    if change.at is None:
        return "none is foreseen"
    return f"{change.at:%Y-%m-%d %H:%M} UTC, for {change.people} {'person' if change.people == 1 else 'people'}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
