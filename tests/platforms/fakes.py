"""A platform without HTTP, for tests of what pulling does with pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dlt_sources.accounts import Account
from dlt_sources.platform import Object, Platform

CUSTOMERS = Object(name="customers", key="id", updated="updated_at")
NOTES = Object(name="notes", key="meta.id", updated=None)
MAIN = Account("fake", "main", "acme", "US", ("US",), {})
OTHER = Account("fake", "other", "acme", "US", ("US",), {})

Page = Sequence[Mapping[str, Any]]


def customer(number: int, at: Any = "2026-11-01T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {"id": number, "updated_at": at, "email": f"p{number}@example.com", **more}


@dataclass(frozen=True, kw_only=True)
class Fake(Platform):
    """Serves `answer(account, object, since)` and remembers what it was asked."""

    name: str = "fake"
    title: str = "Fake"
    documentation: str = ""
    objects: tuple[Object, ...] = (CUSTOMERS, NOTES)
    answer: Callable[[Account, Object, datetime | None], Iterator[Page]]
    asked: list[tuple[str, str, datetime | None]] = field(default_factory=list)

    @property
    def source(self) -> Any:
        return self

    def pages(self, account: Account, obj: Object, since: datetime | None) -> Iterator[Page]:
        self.asked.append((account.name, obj.name, since))
        yield from self.answer(account, obj, since)


def serving(**by_object: Sequence[Page]) -> Fake:
    return Fake(answer=lambda account, obj, since: iter(by_object.get(obj.name, ())))
