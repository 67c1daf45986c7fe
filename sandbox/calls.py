"""One incoming call, and the log of all of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import orjson

KEPT_CALLS = 100_000
KEPT_BODY = 65_536


@dataclass
class Call:
    """A request with its whole body; `notes` mark what a reader of the log should see (for example "grant")."""

    method: str
    path: str
    query_text: str
    headers: dict[str, str]
    body: bytes
    path_params: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters by name; the last of equal names wins."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    @cached_property
    def form(self) -> list[tuple[str, str]]:
        """The fields of a form body, in order, repeated names kept."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    @cached_property
    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return orjson.loads(self.body)


class CallLog:
    """The newest calls of all platforms, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT_CALLS)
        self._count = 0

    def add(self, platform: str, call: Call, status: int, at: str, milliseconds: float, fault: str | None) -> None:
        """Log one answered call; `status` 0 says that the connection was cut."""
        self._count += 1
        entry: dict[str, Any] = {
            "number": self._count,
            "at": at,
            "platform": platform,
            "method": call.method,
            "path": call.path,
            "query": call.query_text,
            "body": call.body[:KEPT_BODY].decode("utf-8", "replace"),
            "status": status,
            "ms": round(milliseconds, 3),
        }
        if fault:
            entry["fault"] = fault
        if call.notes:
            entry["notes"] = call.notes
        self._calls.append(entry)

    def clear(self) -> None:
        """Forget all calls; numbers go on."""
        self._calls.clear()

    def select(self, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """Calls that match every given field: platform, method, path (a prefix), status, note, after (a number)."""
        after, limit = int(wanted.get("after", 0)), int(wanted.get("limit", KEPT_CALLS))
        found = [
            call
            for call in self._calls
            if call["number"] > after
            and call["platform"] == wanted.get("platform", call["platform"])
            and call["method"] == wanted.get("method", call["method"])
            and call["path"].startswith(wanted.get("path", ""))
            and str(call["status"]) == wanted.get("status", str(call["status"]))
            and ("note" not in wanted or wanted["note"] in call.get("notes", ()))
        ]
        return found[-limit:]
