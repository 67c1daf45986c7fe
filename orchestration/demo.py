"""`audiences demo`: the main job end to end against stand-in platforms, checked against what the stand-ins know.

Pull over HTTP, build, check, plan, push; then two people opt out and two buy, by webhook, and leave. The exit code is 1
when one person is wrongly in or wrongly out.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dlt_sources.errors import AudiencesError
from orchestration import building, console, explaining, stations
from orchestration.activation import webhook_tokens
from orchestration.activation.state import State
from orchestration.activation.why import why
from orchestration.approving import approve_all
from orchestration.demo_shop import bring_receipts, demo_home, start_sandbox
from orchestration.home import Home
from orchestration.processes import Children, free_port, listening
from orchestration.registering import bring_all
from orchestration.reporting import page, runs
from orchestration.running import execute
from sandbox.client import Sandbox

#: How long a person may take to leave before the demo calls it a failure.
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Departure:
    """One person who left: what they did, and the milliseconds until each step was done."""

    act: str
    audience: str
    acknowledged_ms: float
    left_ms: dict[str, float]

    def row(self) -> tuple[str, str, float, str]:
        """The departure as a row of the table."""
        left = ", ".join(f"{platform} {ms:.0f}" for platform, ms in self.left_ms.items()) or "still there"
        return self.act, self.audience, self.acknowledged_ms, left


_DEPARTURE = ["act", "audience", "acknowledged after ms", "left after ms"]


@dataclass(slots=True)
class Verdict:
    """How the destinations compare with the truth, per audience and platform: expected, held, missing, surplus."""

    rows: list[tuple[str, str, int, int, int, int]] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """True when nobody is wrongly in and nobody wrongly out."""
        return bool(self.rows) and all(missing == surplus == 0 for *_, missing, surplus in self.rows)


def run_demo(*, people: int, seed: int, fresh: bool, as_json: bool) -> int:
    """Run the demo in its own home and print what happened; 0 when the result is right."""
    folder = demo_home()
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    os.environ["AUDIENCES_HOME"] = str(folder)
    home = Home.current()
    started = time.monotonic()
    port = free_port()
    receiver = f"http://127.0.0.1:{port}"
    console.err.quiet = as_json
    say = console.err.print
    with Children(home.data / "logs") as children:
        say("Starting stand-ins for the platforms, and the webhook receiver")
        start_sandbox(children, home, people=people, seed=seed, receiver=receiver, fresh=fresh)
        if stand_ins := approve_all(home, actor="demo", reason="stand-ins of our own"):
            say(f"Approving the first push to our own stand-ins: {', '.join(stand_ins)}")
        say(f"Nobody of the generated shop is on a registry: {', '.join(bring_all(home, actor='demo'))}")
        children.start("receiver", ["orchestration.cli", "receive", "--port", str(port)])
        sandbox = Sandbox.connect(home.data / "sandbox")
        say("Bringing what registries answered")
        bring_receipts(home, sandbox.registries())
        say("Running the daily job: pull, build, check, plan, push")
        stations.listen(lambda station: say(console.station_line(station)))
        failures = execute("daily")
        if failures:
            raise AudiencesError("The daily job failed:\n" + "\n".join(failures))
        built = building.read(home)
        verdict = compare(sandbox, built.as_of)
        children.wait_for("receiver", lambda: listening(port), 30)
        children.start("speed-lane", ["orchestration.cli", "speed-lane"])
        children.wait_for("speed-lane", lambda: children.said("speed-lane", "Working"), 30)
        say("Two people opt out and two buy, by webhook")
        zapier = {"base": receiver, "wtl": token(home, "Buyer"), "value": "Buyer", "by": "r"}
        departures = [
            leave(sandbox, act="sms_stop", audience="lapsed_customers"),
            leave(sandbox, act="email_unsubscribe", audience="recent_buyers"),
            leave(sandbox, act="order", audience="webinar_follow_up"),
            leave(sandbox, act="tag", audience="webinar_follow_up", **zapier),
        ]
        examples = chosen(sandbox, built.as_of, "vape_buyers_of_age")
        answers = [why(home, person, "vape_buyers_of_age") for person in examples]
        funnels = building.current_funnels(home)
        report_path = page.write(home, runs.newest(home))
    right = verdict.right and all(departure.left_ms for departure in departures)
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        report = {
            "right": right,
            "seconds": seconds,
            "stations": stations.read(home),
            "funnels": funnels,
            "plans": built.plans,
            "verdict": verdict.rows,
            "departures": departures,
            "why": answers,
            "report": report_path,
        }
        console.print_json(report)
        return 0 if right else 1
    out = console.out
    out.print(console.stations_table(stations.read(home)))
    out.print(explaining.funnels_table(funnels))
    columns = ["audience", "destination", "expected", "held", "missing", "surplus"]
    out.print(console.table("Destinations against the truth of the stand-ins", columns, verdict.rows))
    out.print(console.table("Left by webhook", _DEPARTURE, [departure.row() for departure in departures]))
    for answer in answers:
        explaining.print_answer(answer)
    out.print(f"Report: {report_path}")
    out.print(
        f"Everybody is where they belong; {seconds} s." if right else "WRONG: see the tables above.", style="bold"
    )
    return 0 if right else 1


def compare(sandbox: Sandbox, as_of: datetime) -> Verdict:
    """Hold what the destinations really hold against the truth of the stand-ins at `as_of`."""
    held = sandbox.members()
    verdict = Verdict()
    for audience, told in sandbox.truth(as_of)["audiences"].items():
        for platform, expected in told["members"].items():
            wanted = set(expected["records"])
            found = held[platform].get(expected["target"], set())
            verdict.rows.append((audience, platform, len(wanted), len(found), len(wanted - found), len(found - wanted)))
    return verdict


def token(home: Home, tag: str) -> str:
    """A token for one tag in a webhook URL, as `audiences webhooks new` makes it."""
    with closing(State.of(home)) as state:
        return webhook_tokens.make(state, "aevent:main", [tag], "demo")


def leave(sandbox: Sandbox, *, act: str, audience: str, **options: str) -> Departure:
    """Let one member do what ends their membership, and wait until every destination has let go of them."""
    told = sandbox.truth()["audiences"][audience]["members"]
    targets = {platform: expected["target"] for platform, expected in told.items()}
    held = sandbox.members()
    person = _member_everywhere(sandbox, {platform: held[platform][target] for platform, target in targets.items()})
    records = {platform: set(person["records"][platform]) for platform in targets}
    began = time.monotonic()
    result = sandbox.act(act, person["person"], **options)
    if result.status is None or not 200 <= result.status < 300:
        raise AudiencesError(f"The receiver answered {result.status} to {act}: see data/demo/data/logs/receiver.log.")
    left: dict[str, float] = {}
    while len(left) < len(targets) and time.monotonic() - began < _PATIENCE_SECONDS:
        now = sandbox.members()
        for platform, target in targets.items():
            if platform not in left and not now[platform][target] & records[platform]:
                left[platform] = round((time.monotonic() - began) * 1000, 1)
    return Departure(act, audience, round(result.ms, 1), left if len(left) == len(targets) else {})


def _member_everywhere(sandbox: Sandbox, held: Mapping[str, set[str]]) -> dict[str, Any]:
    """A person whose records are members at every platform given."""
    first = next(iter(held))
    for record in sorted(held[first]):
        person = sandbox.person(f"{first}:{record}")
        if all(members & set(person["records"].get(platform, ())) for platform, members in held.items()):
            return person
    raise AudiencesError("Nobody is a member everywhere: run the demo with more --people.")


def chosen(sandbox: Sandbox, as_of: datetime, audience: str) -> list[str]:
    """The e-mail of one person whom Klaviyo holds in an audience now, and of one whose age keeps them out."""
    told = sandbox.truth(as_of)["audiences"][audience]
    member = min(sandbox.members()["klaviyo"][told["members"]["klaviyo"]["target"]])
    too_young = next(name for name, person in told["people"].items() if "under_age" in person["reasons"])
    return [sandbox.person(who)["emails"][0] for who in (f"klaviyo:{member}", too_young)]
