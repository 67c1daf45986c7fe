"""Instants, intervals and the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOW = datetime.min.replace(tzinfo=UTC)
#: Section 5: where the recipient's zone is unknown, "today" is that of the last place on earth.
LAST_PLACE = timezone(timedelta(hours=-12))


class Interval(NamedTuple):
    """When something happened: exactly then if both ends are equal, somewhere between if not."""

    lo: datetime
    hi: datetime


@lru_cache(maxsize=4096)
def zone(name: str | None) -> timezone | ZoneInfo:
    """The zone of that name; the last place on earth where it is unknown."""
    if not name:
        return LAST_PLACE
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return LAST_PLACE


def local_day(instant: datetime, where: timezone | ZoneInfo) -> date:
    """The recipient's date at an instant."""
    return date.min if instant == LOW else instant.astimezone(where).date()


def midnight(day: date, where: timezone | ZoneInfo) -> datetime:
    """The instant at which a date begins for the recipient."""
    return datetime.combine(day, time.min, where).astimezone(UTC)


def day_in_year(day: date, year: int) -> date:
    """The anniversary of a date: 29 February is 1 March in common years (section 5, the later date)."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def full_years(since: date, until: date) -> int:
    """Calendar years completed, by comparing dates and never by dividing days (section 5, age arithmetic)."""
    years = until.year - since.year
    return years - 1 if until < day_in_year(since, until.year) else years


def plus_months(instant: datetime, months: int) -> datetime:
    """The same day and second some months later; the first of the next month where that day is missing."""
    if instant == LOW:
        return LOW
    total = instant.year * 12 + instant.month - 1 + months
    if total // 12 > 9998:
        return datetime.max.replace(tzinfo=UTC)
    try:
        return instant.replace(year=total // 12, month=total % 12 + 1)
    except ValueError:
        return (instant.replace(year=total // 12, month=total % 12 + 1, day=28) + timedelta(days=4)).replace(day=1)
