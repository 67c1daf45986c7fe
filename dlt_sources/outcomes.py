"""How the rows of a destination's call ended, said without personal data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dlt_sources.errors import PlatformError, SetAside
from dlt_sources.platform import Outcome, Row

_PERSONAL = re.compile(r"\S*@\S*|\+?\d[\d\s().-]{5,}\d")


def accepted(rows: Iterable[Row], code: str = "") -> list[Outcome]:
    """All rows arrived."""
    return [Outcome(row_id=row.row_id, status="accepted", code=code) for row in rows]


def failed(row: Row, code: str, detail: str = "") -> Outcome:
    """The row may go through later."""
    return Outcome(row_id=row.row_id, status="failed", code=code, detail=redacted(detail))


def dead(row: Row, code: str, detail: str = "") -> Outcome:
    """The row itself is at fault."""
    return Outcome(row_id=row.row_id, status="dead", code=code, detail=redacted(detail))


def redacted(text: Any) -> str:
    """A platform's text without e-mails and long numbers, at most 200 characters of it."""
    return _PERSONAL.sub("…", str(text or ""))[:200]


def one_by_one(rows: Sequence[Row], call: Callable[[Row], Outcome]) -> list[Outcome]:
    """Call for each row by itself, where the platform takes no batch; a row that is refused (4xx) is dead.

    Any other trouble is not the row's: it is raised before anything was done, and makes the rest `failed` later.
    """
    outcomes: list[Outcome] = []
    for position, row in enumerate(rows):
        try:
            outcomes.append(call(row))
        except PlatformError as error:
            status = error.failure.status or 0
            if isinstance(error, SetAside) and 400 <= status < 500:
                outcomes.append(dead(row, str(status), error.failure.detail))
                continue
            if not outcomes:
                raise
            return outcomes + [failed(rest, "not_tried", error.failure.detail) for rest in rows[position:]]
    return outcomes
