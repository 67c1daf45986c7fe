"""`audiences review`: what waits until a person decides, and what came of a verdict."""

from __future__ import annotations

from dataclasses import asdict

from orchestration import console
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.inputs import reviews
from orchestration.inputs.reviews import Decided, Verdict, Waiting


def show(*, in_full: bool, as_json: bool) -> int:
    """Print what waits; 0 also when nothing does."""
    home = Home.current()
    state = State.of(home)
    try:
        found = reviews.waiting(home, state, show=in_full)
    finally:
        state.close()
    if as_json:
        console.print_json([asdict(one) for one in found])
    else:
        _print_waiting(found)
    return 0


def decide(reviewed_id: str, verdict: Verdict, *, actor: str, reason: str, as_json: bool) -> int:
    """Keep a verdict and say what came of it; 1 when a call was given up."""
    home = Home.current()
    state = State.of(home)
    try:
        done = reviews.decide(
            home, state, lambda: Worker.of(home, state), reviewed_id, verdict, actor=actor, reason=reason
        )
    finally:
        state.close()
    if as_json:
        console.print_json(asdict(done))
    else:
        _print_decided(done)
    calls = done.blocked.calls.values() if done.blocked else ()
    return 1 if any("dead" in states for states in calls) else 0


def _print_waiting(found: list[Waiting]) -> None:
    out = console.out
    held = [one for one in found if one.kind == "held"]
    unread = [one for one in found if one.kind == "vocabulary"]
    if not found:
        out.print("Nothing waits for a person.")
    if held:
        rows = [
            (
                one.id,
                one.identifier,
                "all" if one.channel == "*" else one.channel,
                f"{one.since:%Y-%m-%d %H:%M}",
                one.words,
            )
            for one in held
        ]
        out.print(
            console.table("Held until a person decides", ["id", "whose", "channel", "since (UTC)", "words"], rows)
        )
        out.print("Decide: audiences review decide ID --stop (or --no-stop) --actor YOU --reason WHY")
    if unread:
        values = [(one.platform, one.words, one.times, f"{one.since:%Y-%m-%d %H:%M}") for one in unread]
        out.print(console.table("Values that nobody has read", ["platform", "value", "times", "since (UTC)"], values))
        out.print(
            "Each counts as an opt-out until dbt_project/seeds/platform_values.csv has a row that says what it means."
        )


def _print_decided(done: Decided) -> None:
    out = console.out
    before = " (as it was before)" if done.is_repeat else ""
    if done.verdict == "no_stop":
        out.print(f"{done.id} is no stop{before}: the hold ends with the next build (audiences run).")
        return
    out.print(f"{done.id} is a stop{before}.")
    if done.blocked is None:
        out.print("  Nobody is known by it: it counts with the next build (audiences run).")
        return
    out.print(f"  Nobody is added from now on: {done.blocked.identifiers:,} addresses or numbers are withdrawn.")
    for operation, states in done.blocked.calls.items():
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items(), reverse=True))
        out.print(f"  {operation} at destinations: {told}")
