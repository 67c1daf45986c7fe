"""Where somebody may live: every place that something of the last twelve months speaks for."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.facts import Person, valid_phone
from sandbox.population_data import CANADIAN_AREAS

_YEAR = timedelta(days=365)


def countries(person: Person, as_of: datetime) -> set[str]:
    """Where the newest delivery went, and wherever deliveries of a year, addresses or numbers say otherwise."""
    shipped = [order for order in person.orders if order.country and order.placed_at < as_of]
    newest = max(shipped, key=lambda order: order.placed_at, default=None)
    found = {order.country for order in shipped if order is newest or order.placed_at > as_of - _YEAR}
    found |= {record.country for record in person.records}
    found |= {_of_number(number) for record in person.records if (number := valid_phone(record.phone))}
    return {country for country in found if country}


def _of_number(number: str) -> str | None:
    if number.startswith("+44"):
        return "GB"
    if number.startswith("+1"):
        return "CA" if number[2:5] in CANADIAN_AREAS else "US"
    return None
