"""HubSpot's contact search: filters, one sort, 200 a page, 10,000 in all, and an index that lags behind writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.platforms.hubspot.contacts import known_kind, render
from sandbox.platforms.hubspot.manners import body_of, invalid, read_moment, stamp, ways
from sandbox.platforms.hubspot.state import State
from sandbox.standin import Way, json_response
from sandbox.store import Row

LARGEST_PAGE, MOST_RESULTS = 200, 10_000
_GROUPS, _FILTERS, _ALL_FILTERS, _QUERY = 5, 6, 18, 3000
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda have, want: have == want,
    "NEQ": lambda have, want: have != want,
    "LT": lambda have, want: have < want,
    "LTE": lambda have, want: have <= want,
    "GT": lambda have, want: have > want,
    "GTE": lambda have, want: have >= want,
}
_OPERATORS = frozenset({
    *_COMPARE, "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
})  # fmt: skip


class Search:
    """The handler, over what the index has seen so far."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._seen: dict[str, Row] | None = None
        self._waiting: list[tuple[float, str]] = []
        self._last: tuple[bytes, list[str]] = (b"", [])

    def ways(self) -> list[Way]:
        """The path."""
        return ways("objects", "/{kind}/search", POST=self.search)

    def settle(self) -> None:
        """Let the index see what was written `job_seconds` ago."""
        if self._seen is None:
            self._seen = {i: row for i, row in self.state.contacts.rows.items() if not row["archived"]}
            self.state.changed.clear()
        now = time.monotonic()
        ready = now + self.state.standin.world.settings.job_seconds
        self._waiting += [(ready, row_id) for row_id in self.state.changed]
        self.state.changed.clear()
        while self._waiting and self._waiting[0][0] <= now:
            _, row_id = self._waiting.pop(0)
            row = self.state.contacts.rows.get(row_id)
            self._seen.pop(row_id, None)
            if row is not None and not row["archived"]:
                self._seen[row_id] = row
            self._last = (b"", [])

    def search(self, call: Call) -> Response:
        """POST search."""
        known_kind(call)
        body = body_of(call)
        size, start = _whole(body, "limit", 10), _whole(body, "after", 0)
        if not 1 <= size <= LARGEST_PAGE:
            raise invalid(f"The limit must be between 1 and {LARGEST_PAGE}")
        if start + size > MOST_RESULTS:
            raise invalid(f"Paging past {MOST_RESULTS} results is not possible: after + limit was {start + size}")
        ids = self._matching(body)
        wanted = [name for name in body.get("properties") or [] if name in self.state.properties.rows]
        rows = [render(i, self._rows[i], wanted, []) for i in ids[start : start + size]]
        found: Row = {"total": len(ids), "results": rows}
        if start + size < len(ids):
            found["paging"] = {"next": {"after": str(start + size)}}
        return json_response(found)

    @property
    def _rows(self) -> dict[str, Row]:
        return self._seen or {}

    def _matching(self, body: Row) -> list[str]:
        asked = {name: body.get(name) for name in ("filterGroups", "sorts", "query")}
        key = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        if self._last[0] != key:
            self._last = (key, self._sorted(asked))
        return self._last[1]

    def _sorted(self, asked: Row) -> list[str]:
        tests = self._groups(asked["filterGroups"] or [])
        words = str(asked["query"] or "").lower()
        if len(words) > _QUERY:
            raise invalid(f"The query must be at most {_QUERY} characters")
        name, descending = self._order(asked["sorts"] or [])
        kind = self.state.properties.rows[name]["type"]
        found = [
            (_typed(kind, row["properties"].get(name)), row_id)
            for row_id, row in self._rows.items()
            if (not tests or any(all(test(row["properties"]) for test in group) for group in tests))
            and (not words or _mentions(row["properties"], words))
        ]
        found.sort(key=lambda entry: (entry[0] is None, entry[0] or _lowest(kind), entry[1]), reverse=descending)
        return [row_id for _, row_id in found]

    def _order(self, sorts: list[Any]) -> tuple[str, bool]:
        if len(sorts) > 1:
            raise invalid("Only one sort is supported")
        if not sorts:
            return "hs_object_id", False
        sort = sorts[0]
        if isinstance(sort, dict):
            name, descending = str(sort.get("propertyName")), sort.get("direction") == "DESCENDING"
        else:
            name, descending = str(sort).removeprefix("-"), str(sort).startswith("-")
        if name not in self.state.properties.rows:
            raise invalid(f"Unknown property to sort by: {name}")
        return name, descending

    def _groups(self, groups: list[Any]) -> list[list[Callable[[Row], bool]]]:
        filters = [group.get("filters") or [] for group in groups]
        too_many = len(groups) > _GROUPS or sum(map(len, filters)) > _ALL_FILTERS
        if too_many or any(len(group) > _FILTERS for group in filters):
            raise invalid(f"At most {_GROUPS} groups of {_FILTERS} filters and {_ALL_FILTERS} filters in all")
        return [[self._test(one) for one in group] for group in filters]

    def _test(self, given: Row) -> Callable[[Row], bool]:
        name, operator = str(given.get("propertyName")), given.get("operator")
        definition = self.state.properties.rows.get(name)
        if definition is None or operator not in _OPERATORS:
            raise invalid(f"There was a problem with the request: unknown property or operator ({name}, {operator})")
        if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
            wanted = operator == "HAS_PROPERTY"
            return lambda values: bool(values.get(name)) is wanted
        kind = definition["type"]
        if operator in ("IN", "NOT_IN"):
            listed = given.get("values")
            if not isinstance(listed, list):
                raise invalid(f"The operator {operator} needs values")
            # Text is compared in lower case on the index's side only.
            among = {str(value) for value in listed}
            return lambda values: bool(values.get(name)) and (values[name].lower() in among) is (operator == "IN")
        want = _typed(kind, given.get("value"))
        if want is None:
            raise invalid(f"{given.get('value')!r} is no value for {name}")
        if operator == "BETWEEN":
            top = _typed(kind, given.get("highValue"))
            if top is None:
                raise invalid("BETWEEN needs a highValue")
            return lambda values: _within(_typed(kind, values.get(name)), want, top)
        if operator.endswith("CONTAINS_TOKEN"):
            token, wanted = str(want).strip("*"), operator == "CONTAINS_TOKEN"
            return lambda values: (token in (values.get(name) or "").lower()) is wanted
        compare = _COMPARE[operator]
        return lambda values: _holds(compare, _typed(kind, values.get(name)), want)


def _holds(compare: Callable[[Any, Any], bool], have: Any, want: Any) -> bool:
    return have is not None and compare(have, want)


def _within(have: Any, low: Any, high: Any) -> bool:
    return have is not None and low <= have <= high


def _typed(kind: str, text: Any) -> str | float | None:
    """A value in a form that compares: times as text, numbers as numbers, the rest in lower case."""
    if text is None or text == "":
        return None
    if kind in ("datetime", "date"):
        moment = read_moment(str(text))
        return stamp(moment) if moment else None
    if kind == "number":
        try:
            return float(text)
        except ValueError:
            return None
    return str(text).lower()


def _lowest(kind: str) -> str | float:
    return 0.0 if kind == "number" else ""


def _mentions(values: Row, words: str) -> bool:
    looked_at = (values.get(name) or "" for name in ("firstname", "lastname", "email", "phone", "mobilephone"))
    return words in " ".join(looked_at).lower()


def _whole(body: Row, name: str, default: int) -> int:
    text = str(body.get(name) if body.get(name) not in (None, "") else default)
    if not text.isdigit():
        raise invalid(f"{name} must be a number, it was {text!r}")
    return int(text)
