"""`audiences why` in words: where a person stands, the reasons, the evidence, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from orchestration import console
from orchestration.activation.funnel import Funnel
from orchestration.activation.answer import Answer, InAudience
from orchestration.activation.why import why
from orchestration.home import Home

_STANDS = {"in": "IN", "out": "OUT", "not_interested": "not in its segment"}


def explain(subject: str, *, audience: str | None, show: bool, as_json: bool) -> int:
    """Print the answer about one person; 1 when nobody is known by that name."""
    answer = why(Home.current(), subject, audience, show=show)
    if as_json:
        console.print_json(answer)
    else:
        print_answer(answer)
    return 0 if answer.people or answer.waiting else 1


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
    out.print(
        f"\nWhy {answer.subject}?  (build {answer.build_id}, as of {answer.as_of:%Y-%m-%d %H:%M} UTC)", style="bold"
    )
    for waiting in answer.waiting:
        scope = waiting.audience if waiting.audience != "*" else f"channel {waiting.channel}"
        out.print(
            f"  blocked now: {waiting.kind} on {scope}, by {waiting.event_name} at {waiting.platform}", style="red"
        )
    for act in answer.by_hand:
        scope = "every channel" if act.channel == "*" else f"channel {act.channel}"
        scope += "" if act.topic == "*" else f", topic {act.topic}"
        wait = "" if act.known else " (the next build will know it)"
        out.print(f"  {act.act} by hand on {scope}, {act.at:%Y-%m-%d %H:%M} UTC, by {act.actor}: {act.reason}{wait}")
    if not answer.people:
        out.print("  Nobody in the published build is known by that.")
    for person in answer.people:
        out.print(f"  person {person.person_id}: {', '.join(person.identifiers) or 'no identifier'}")
        out.print(f"  records: {', '.join(person.records) or 'none'}")
        for audience in person.audiences:
            _print_audience(audience)


def _print_audience(audience: InAudience) -> None:
    out = console.out
    out.print(
        f"  {audience.audience} ({audience.channel}): {_STANDS.get(audience.stands, audience.stands)}", style="bold"
    )
    if audience.stands == "not_interested":
        return
    out.print(f"    rule: {audience.rule}", style="dim")
    for reason in audience.reasons:
        step = f" To change it: {reason.next_step}" if reason.next_step and audience.stands != "in" else ""
        out.print(f"    {reason.code}: {reason.meaning}{step}")
    for verdict in audience.verdicts:
        until = f", until {verdict.next_change_at:%Y-%m-%d}" if verdict.next_change_at else ""
        word = "may be used" if verdict.eligible else "may not be used"
        out.print(f"    {verdict.identifier} {word} ({', '.join(r.code for r in verdict.reasons)}){until}")
        for evidence in verdict.evidence:
            at = f" on {evidence.at:%Y-%m-%d %H:%M} UTC" if evidence.at else ""
            out.print(
                f"      {evidence.kind}: {evidence.what}{at}, from {evidence.platform}:{evidence.account}", style="dim"
            )
    for membership in audience.memberships:
        place = f"{membership.target} at {membership.platform}:{membership.account}"
        out.print(f"    {place}: {membership.status} {membership.changed_at:%Y-%m-%d %H:%M} UTC {membership.reason}")


def funnels_table(funnels: Sequence[Funnel]) -> Table:
    """The funnels of a build as a table, with the most frequent reasons for staying out."""
    columns = ["audience", "interested", "identified", "consented", "of age", "admitted", "accepted", "kept out by"]
    rows = []
    for funnel in funnels:
        reasons = sorted(funnel.reasons.items(), key=lambda item: (-item[1], item[0]))[:4]
        kept_out = ", ".join(f"{code} {count}" for code, count in reasons)
        rows.append((funnel.audience, *(count for _, count in funnel.steps()), kept_out))
    return console.table("Funnel per audience, in people", columns, rows)
