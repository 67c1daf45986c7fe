"""Lanes: which of the three a webhook request travels, and the questions that lead a person to the answer.

speed         stops and limits, and triggers somebody waits for; needs the ledger only
segmentation  needs the person's data or a decision; micro-batches, a build a few seconds after a burst
care          completeness: full pulls, enrichment, reconciliation; scheduled
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from dlt_sources.platform import LANES, Event, Lane

#: Events that give consent. They wait for a build that weighs them: nothing is ever granted at speed.
GRANTS = frozenset({"email_subscribed", "sms_subscribed"})
#: What travels when nothing says otherwise: a request of a type we do not know.
DEFAULT: Lane = "segmentation"


def lane_of(events: Sequence[Event], leaving: Container[str]) -> Lane:
    """The lane of a request: that of its most urgent event; `leaving` are event names that some audience leaves on."""
    lanes = {lane_of_event(event, leaving) for event in events}
    return next((lane for lane in LANES if lane in lanes), DEFAULT)


def lane_of_event(event: Event, leaving: Container[str]) -> Lane:
    """The lane of one event: a stop is always speed, a grant never."""
    if event.effect is not None or event.name in leaving:
        return "speed"
    if event.name in GRANTS and event.lane == "speed":
        return DEFAULT
    return event.lane


@dataclass(frozen=True, slots=True)
class Question:
    """A step of the decision tree: where yes leads (a lane), and why; no leads to the next question."""

    text: str
    yes: Lane
    because: str


#: Asked in this order; whoever answers no to all of them is in care.
QUESTIONS: tuple[Question, ...] = (
    Question(
        "Does it stop or limit contact (opt-out, STOP, complaint, bounce, erasure, under age, left an audience)?",
        "speed",
        "whoever is out must be out before the next call",
    ),
    Question(
        "Does it give consent?",
        "segmentation",
        "a grant is weighed by a build against everything else known; nothing is granted at speed",
    ),
    Question(
        "Is it a replay, an import or a backfill?",
        "care",
        "old news must not hold up new",
    ),
    Question(
        "Does handling it need the person's other data, a segment or a decision?",
        "segmentation",
        "only a build has that data",
    ),
    Question(
        "Does a person wait on a screen or a phone for the result, or is it useless after a minute?",
        "speed",
        "it needs the ledger only and must not queue behind anything",
    ),
    Question(
        "Must its effect be visible within a quarter of an hour?",
        "segmentation",
        "a build starts a few seconds after a burst",
    ),
)


def decide(answers: Sequence[bool]) -> tuple[Lane, str]:
    """The lane and the reason for the answers to QUESTIONS, in order; missing answers count as no."""
    for question, answer in zip(QUESTIONS, answers, strict=False):
        if answer:
            return question.yes, question.because
    return "care", "nothing waits for it; the next schedule takes it along"
