"""`audiences link` and `audiences unlink`: records that somebody joins or parts by hand."""

from __future__ import annotations

from dataclasses import asdict

from orchestration import console
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.inputs import links
from orchestration.inputs.links import Verdict


def say(first: str, second: str, verdict: Verdict, *, actor: str, reason: str, as_json: bool) -> int:
    """Keep what was said of two records and print what follows."""
    home = Home.current()
    state = State.of(home)
    try:
        done = links.say(home, state, first, second, verdict, actor=actor, reason=reason)
    finally:
        state.close()
    if as_json:
        console.print_json(asdict(done))
        return 0
    word = "one person's" if verdict == "merge" else "not one person's"
    if done.is_repeat:
        console.out.print(f"{done.left} and {done.right} were said to be {word} before: nothing changes.")
        return 0
    console.out.print(f"{done.left} and {done.right} are {word}, from the next build on (audiences run).")
    together = done.persons[0] == done.persons[1]
    now = f"both are of person {done.persons[0]}" if together else f"they are of {' and '.join(done.persons)}"
    console.out.print(f"  In the published build {now}.")
    if verdict == "unmerge" and together:
        console.out.print("  Blocks and opt-outs stay with every address and number that they name.")
    return 0
