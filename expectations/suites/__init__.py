"""Suites: which expectations hold for which table, one module per boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from expectations.vocabulary import Expectation

Boundary = Literal["raw", "audience"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What is expected of one table at a boundary.

    `rows` is the SQL condition that picks the rows to judge; `subject` is what people call the table.
    """

    boundary: Boundary
    subject: str
    schema: str
    table: str
    expectations: tuple[Expectation, ...]
    rows: str = "true"

    @property
    def name(self) -> str:
        """What Great Expectations knows the suite by."""
        return f"{self.boundary} {self.subject}"
