"""`audiences why` in words: where a person stands, the reasons, the evidence, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path

from rich.table import Table

from dlt_sources.errors import ConfigurationError
from orchestration import console
from orchestration.activation.answer import Answer, InAudience, Person, Verdict
from orchestration.activation.evidence import Evidence
from orchestration.activation.funnel import Funnel
from orchestration.activation.why import why
from orchestration.home import Home

_STANDS = {
    "in": "IN",
    "out": "OUT",
    "not_interested": "not in its segment",
    "may_be_used": "might be written to",
    "kept_out": "kept out",
}
#: Pushes shown in the terminal; --json and --html have them all.
_PUSHES = 5


def explain(
    subject: str,
    *,
    audience: str | None,
    show: bool,
    as_json: bool,
    as_of: str | None = None,
    known_at: str | None = None,
    html: Path | None = None,
) -> int:
    """Print the answer about one person; 1 when nobody is known by that name and nothing is known of it."""
    home = Home.current()
    then, known = moment(as_of), moment(known_at)
    if then or known:
        from orchestration.proving.past import why_then

        with console.err.status("...") as status:
            past = why_then(home, subject, audience, as_of=then, known_at=known, show=show, tell=status.update)
        answer = past.answer
        console.err.print(f"Decided over {past.rows:,} raw rows in {past.seconds:.0f} s.", style="dim")
    else:
        answer = why(home, subject, audience, show=show)
    if html is not None:
        from orchestration.proving.page import write

        write(html, answer)
        console.err.print(f"Page: {html}")
    if as_json:
        console.print_json(answer)
    elif html is None:
        print_answer(answer)
    return 0 if answer.people or answer.waiting or answer.facts or answer.by_hand else 1


def moment(text: str | None) -> datetime | None:
    """A time with its zone, or a date, which begins at midnight UTC; ConfigurationError for anything else."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-22"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ConfigurationError(f"{text!r} is no time: write 2026-11-22 or 2026-11-22T18:00:00Z, with its zone.")
    return found.astimezone(UTC)


def write_report(*, as_json: bool) -> int:
    """Write the report of the newest run again and print where it lies."""
    from orchestration.reporting import facts, page, runs

    home = Home.current()
    path = page.write(home, runs.newest(home), under_way=facts.under_way(home))
    if as_json:
        console.print_json({"report": path})
    else:
        console.out.print(f"Report: {path}")
    return 0


def print_answer(answer: Answer) -> None:
    """Print an answer for people to read."""
    out = console.out
    known = f", known by {_at(answer.known_at)}" if answer.past else ""
    out.print(f"\nWhy {answer.subject}?  (build {answer.build_id}, as of {_at(answer.as_of)}{known})", style="bold")
    if answer.rule_version:
        out.print(f"  rules: {answer.rule_version}", style="dim")
    for note in answer.notes:
        out.print(f"  note: {note}", style="yellow")
    for waiting in answer.waiting:
        scope = waiting.audience if waiting.audience != "*" else f"channel {waiting.channel}"
        out.print(
            f"  blocked now: {waiting.kind} on {scope}, by {waiting.event_name} at {waiting.platform}", style="red"
        )
    for act in answer.by_hand:
        scope = "every channel" if act.channel == "*" else f"channel {act.channel}"
        scope += "" if act.topic == "*" else f", topic {act.topic}"
        done = act.act if act.act.startswith("judged") else f"{act.act} by hand on {scope}"
        wait = "" if act.known else " (the next build will know it)"
        out.print(f"  {done}, {_at(act.at)}, by {act.actor}: {act.reason}{wait}")
    for call in answer.calls:
        done = f" {_at(call.done_at)}" if call.done_at else ""
        out.print(
            f"  opt-out sent to {call.platform}:{call.account}: {call.operation} {call.state}{done} {call.detail}"
        )
    if not answer.people:
        _print_stranger(answer)
    for person in answer.people:
        _print_person(person)


def _print_stranger(answer: Answer) -> None:
    out = console.out
    out.print("  Nobody in the published build is known by that.")
    for one in answer.facts:
        out.print(f"    {_evidence(one)}", style="dim")
    if answer.facts or answer.waiting:
        out.print("  What is recorded on it stands, and will bind whoever turns up with it.")
    out.print("  Next: is it spelt as the platform has it? A record pulled since the last build is known after")
    out.print("  `audiences run`; `audiences suppress` blocks an identifier that nobody holds, too.")


def _print_person(person: Person) -> None:
    out = console.out
    out.print(f"  person {person.person_id}: {', '.join(person.identifiers) or 'no identifier'}")
    out.print(f"  records: {', '.join(person.records) or 'none'}")
    alone = len(person.audiences) == 1
    for audience in person.audiences:
        _print_audience(audience, with_rules=alone)
    if not alone:
        out.print("  The rows of rules behind an answer: --audience NAME, --json or --html FILE.", style="dim")
    if person.pushes:
        out.print("  sent:", style="bold")
    for push in person.pushes[:_PUSHES]:
        decided = f", decided as of {_at(push.decided_as_of)}" if push.decided_as_of else ""
        decided += f" by rules {push.rule_version}: {', '.join(push.reason_codes)}" if push.rule_version else ""
        place = f"{push.target or push.platform} at {push.platform}:{push.account}"
        out.print(
            f"    {_at(push.at)} {push.op} {push.audience} {place}: {push.state} {push.code}({push.reason}{decided})"
        )
        out.print(f"      write {push.write_id}", style="dim")
    if len(person.pushes) > _PUSHES:
        out.print(f"    and {len(person.pushes) - _PUSHES} earlier ones (--json has them all)")


def _print_audience(audience: InAudience, *, with_rules: bool) -> None:
    out = console.out
    out.print(
        f"  {audience.audience} ({audience.channel}): {_STANDS.get(audience.stands, audience.stands)}", style="bold"
    )
    if audience.stands == "not_interested" and not with_rules:
        return
    out.print(f"    rule: {audience.rule}", style="dim")
    told = {reason.code for verdict in audience.verdicts for reason in verdict.reasons}
    for reason in audience.reasons:
        if reason.code not in told:
            out.print(f"    {reason.code}: {reason.meaning}")
    for verdict in audience.verdicts:
        _print_verdict(verdict, with_rules=with_rules)
    for membership in audience.memberships:
        place = f"{membership.target} at {membership.platform}:{membership.account}"
        out.print(f"    {place}: {membership.status} {_at(membership.changed_at)} {membership.reason}")


def _print_verdict(verdict: Verdict, *, with_rules: bool) -> None:
    out = console.out
    word = "may be used" if verdict.eligible else "may not be used"
    until = f"; that stands until {verdict.changes} if nothing happens" if verdict.changes else ""
    out.print(f"    {verdict.identifier} {word}{until}")
    left = list(verdict.evidence)
    for reason in verdict.reasons:
        out.print(f"      {reason.code}: {reason.meaning}")
        if reason.law and reason.code != "ok":
            out.print(f"        rests on: {reason.law}", style="dim")
        if reason.next_step and not verdict.eligible:
            out.print(f"        to change it: {reason.next_step}")
        for evidence in [one for one in left if reason.code in one.codes]:
            left.remove(evidence)
            out.print(f"        {_evidence(evidence)}", style="dim")
    for evidence in left:
        out.print(f"      also seen: {_evidence(evidence)}", style="dim")
    for rule in verdict.rules if with_rules else ():
        row = ", ".join(f"{name} {value}" for name, value in rule.row.items() if name not in ("kind", "effective_from"))
        out.print(f"      rule {rule.seed}: {row} [{rule.source}; {rule.confidence}]", style="dim")


def _evidence(one: Evidence) -> str:
    """One evidence row in a line: what it says, in whose words, since when, and when we learnt of it."""
    since = f"{_at(one.effective_lo)} to " if one.effective_lo not in (None, one.effective_hi) else ""
    at = f", {since}{_at(one.effective_hi or one.at)}" if one.at else ""
    known = f", recorded {_at(one.recorded_at)}" if one.recorded_at else ""
    said = f" ({one.field}: {one.value})" if one.value else ""
    return f"{one.kind}: {one.what}{said}, from {one.platform}:{one.account}{at}{known}, id {one.id}"


def _at(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"


def funnels_table(funnels: Sequence[Funnel]) -> Table:
    """The funnels of a build as a table, with the most frequent reasons for staying out."""
    columns = ["audience", "interested", "identified", "consented", "of age", "admitted", "accepted", "kept out by"]
    rows = []
    for funnel in funnels:
        reasons = sorted(funnel.reasons.items(), key=lambda item: (-item[1], item[0]))[:4]
        kept_out = ", ".join(f"{code} {count}" for code, count in reasons)
        rows.append((funnel.audience, *(count for _, count in funnel.steps()), kept_out))
    return console.table("Funnel per audience, in people", columns, rows)
