"""The page of an answer: a timeline that places every fact, nothing from outside, and nothing taken as markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.activation.answer import Answer, InAudience, Person, Verdict
from orchestration.activation.evidence import Evidence
from orchestration.activation.reasons import Reason
from orchestration.proving.page import render, timeline

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'


def fact(name: str, lo: datetime | None, hi: datetime, *, kind: str = "statement", what: str = "withdrawn") -> Evidence:
    return Evidence(
        id=name,
        kind=kind,
        what=what,
        at=hi,
        platform="shop",
        account="main",
        field="consent",
        value=HOSTILE,
        effective_lo=lo,
        effective_hi=hi,
        recorded_at=hi + timedelta(days=1),
        identifier="j***@example.com",
        codes=("withdrawn",),
    )


@pytest.fixture
def answer() -> Answer:
    wide = fact("wide", NOW - timedelta(days=40), NOW - timedelta(days=20))
    unknown_start = fact("unknown-start", None, NOW - timedelta(days=10))
    besides = fact("besides", NOW - timedelta(days=100), NOW - timedelta(days=100), what="granted")
    verdict = Verdict(
        identifier="j***@example.com",
        eligible=False,
        reasons=[Reason("withdrawn", HOSTILE, "Wait.", "a law")],
        evidence=[wide, unknown_start],
        rule_version="r1",
        next_change_at=None,
    )
    audience = InAudience(
        audience="buyers", channel="email", rule=HOSTILE, stands="out", reasons=(), verdicts=[verdict], memberships=()
    )
    person = Person(
        person_id="p_1",
        identifiers=["j***@example.com"],
        records=["shop:main:1"],
        audiences=[audience],
        facts=[wide, unknown_start, besides],
    )
    return Answer(subject=HOSTILE, build_id=7, as_of=NOW, known_at=NOW, people=[person], notes=[HOSTILE])


def test_every_fact_stands_where_it_happened_and_where_we_learnt_of_it(answer: Answer) -> None:
    line = timeline(answer, answer.people[0])
    assert [(bar.fact.id, bar.counts, bar.open) for bar in line.bars] == [
        ("besides", False, False),
        ("wide", True, False),
        ("unknown-start", True, True),
    ]
    besides, wide, unknown_start = line.bars
    assert besides.width == 0
    assert wide.width == pytest.approx(2 * 10 * (line.bars[2].left + line.bars[2].width - wide.left) / 30, rel=0.01)
    assert unknown_start.left == 0, "nobody knows since when, so it begins where the line does"
    assert all(bar.recorded is not None and bar.recorded > bar.left + bar.width for bar in line.bars)
    assert line.as_of is not None
    assert all(0 <= place <= 100 for bar in line.bars for place in (bar.left, bar.left + bar.width, bar.recorded or 0))


def test_the_page_takes_nothing_for_markup_and_loads_nothing(answer: Answer) -> None:
    page = render(answer)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5
    assert not re.search(r"(?:src|href)\s*=|https?://|@import|url\(", page)
    assert 'name="viewport"' in page
    assert "@media print" in page


def test_a_person_of_whom_nothing_is_recorded_has_a_page_too() -> None:
    person = Person(person_id="p_1", identifiers=(), records=(), audiences=())
    assert "Nothing is recorded about this person." in render(
        Answer(subject="p_1", build_id=1, as_of=None, people=[person])
    )
    assert "Nobody in the published build" in render(Answer(subject="x", build_id=1, as_of=None))
