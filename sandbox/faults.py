"""Misbehaviour on demand: what the next calls, or the next webhooks, should suffer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = ("429", "500", "html", "truncated", "cut", "slow", "partial", "duplicate_webhook", "late_webhook")


@dataclass(slots=True)
class Fault:
    """One order to misbehave, for the next `times` matching calls.

    `effect` says whether the call is carried out before it is answered badly (a cut connection after the deed is the
    hard case). `seconds` is the delay of "slow" and "late_webhook" and the Retry-After of "429". `records` are the ids
    that "partial" rejects inside batches; it stays until it is cleared.
    """

    kind: str
    times: int = 1
    path: str = ""
    method: str = ""
    seconds: float = 1.0
    effect: bool = False
    records: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are {', '.join(KINDS)}")


class Faults:
    """The faults waiting for one platform."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Queue one fault behind the others."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Behave again."""
        self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """What is still to be suffered."""
        return [asdict(fault) for fault in self._waiting]

    def next_for(self, method: str, path: str) -> Fault | None:
        """Use up and return the first fault that this call must suffer."""
        for fault in self._waiting:
            ordinary = fault.kind not in ("partial", "duplicate_webhook", "late_webhook")
            if ordinary and path.startswith(fault.path) and fault.method in ("", method):
                return self._use(fault)
        return None

    def next_webhook(self, kind: str) -> Fault | None:
        """Use up and return the first fault of this kind for webhooks."""
        return next((self._use(fault) for fault in self._waiting if fault.kind == kind), None)

    def rejects(self, *record_ids: str | None) -> bool:
        """Whether a batch must refuse the record known by one of these ids."""
        refused = {record for fault in self._waiting if fault.kind == "partial" for record in fault.records}
        return not refused.isdisjoint(record_ids)

    def _use(self, fault: Fault) -> Fault:
        fault.times -= 1
        if fault.times <= 0:
            self._waiting.remove(fault)
        return fault
