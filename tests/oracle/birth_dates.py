"""Section 5: what a birth date says as it was written; the younger reading where it can be read twice."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from tests.oracle.times import full_years


def read(text: str, level: int, known: date, placeholders: dict[date, int], oldest: int) -> date | None:
    """The latest birth date that the text may mean; None if it is no evidence at that level.

    Of the future, today, more than 115 years ago, impossible, or put in by forms and systems: no evidence.
    """
    possible = [
        day
        for day in _readings(text.strip(), known)
        if day < known and full_years(day, known) <= oldest and level > placeholders.get(day, -1)
    ]
    return max(possible, default=None)


def _readings(text: str, known: date) -> list[date]:
    if re.fullmatch(r"\d{9,}|-\d+", text):  # seconds or milliseconds since 1970, a midnight in UTC
        seconds = int(text) / (1000 if len(text.lstrip("-")) > 10 else 1)
        return [(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).date()]
    if found := re.fullmatch(r"(\d{4})", text):
        return _days((int(found[1]), 12, 31))
    if found := re.fullmatch(r"(\d{4})[-/.](\d{1,2})", text):
        return _last_day(int(found[1]), int(found[2]))
    if found := re.match(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)", text) or re.fullmatch(
        r"(\d{4})(\d{2})(\d{2})", text
    ):
        return _days((int(found[1]), int(found[2]), int(found[3])))
    if found := re.match(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?!\d)", text):
        first, second = int(found[1]), int(found[2])
        years = [int(found[3])] if len(found[3]) == 4 else [1900 + int(found[3]), 2000 + int(found[3])]
        return _days(*((year, one, two) for year in years for one, two in ((first, second), (second, first))))
    return []


def _days(*parts: tuple[int, int, int]) -> list[date]:
    found = []
    for year, month, day in parts:
        try:
            found.append(date(year, month, day))
        except ValueError:
            continue  # an impossible date is no evidence
    return found


def _last_day(year: int, month: int) -> list[date]:
    first = _days((year + month // 12, month % 12 + 1, 1)) if 1 <= month <= 12 else []
    return [day - timedelta(days=1) for day in first]
