"""Klaviyo's JSON:API manners: errors, documents, cursors, and the filter language."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.standin import RefusalError
from sandbox.store import Index, Row

MEDIA_TYPE = "application/vnd.api+json"
_CLAUSE = re.compile(r"\s*([a-z-]+)\(")
_RANGES: dict[str, Callable[[str, str], bool]] = {
    "greater-than": lambda have, want: have > want,
    "greater-or-equal": lambda have, want: have >= want,
    "less-than": lambda have, want: have < want,
    "less-or-equal": lambda have, want: have <= want,
}
RANGES = frozenset(_RANGES)
EQUALS = frozenset({"equals", "any"})


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of a filter; datetimes are compared as sortable text."""

    operator: str
    name: str
    values: tuple[str, ...]

    def holds(self, have: str | None) -> bool:
        """Whether a row with this value passes."""
        if have is None:
            return False
        compare = _RANGES.get(self.operator)
        return compare(have, self.values[0]) if compare else have in self.values


def document(data: Any, status: int = 200, **more: Any) -> Response:
    """A JSON:API document."""
    return Response(orjson.dumps({"data": data, **more}), status, media_type=MEDIA_TYPE)


def failure(status: int, code: str, title: str, detail: str, **more: Any) -> Response:
    """A JSON:API error; `pointer` or `parameter` say where it lies, `meta` says more."""
    source = {key: more[key] for key in ("pointer", "parameter") if key in more} or {"pointer": "/data/"}
    error = {
        "id": str(uuid.uuid4()), "status": status, "code": code, "title": title, "detail": detail, "source": source,
        "links": {}, "meta": more.get("meta", {}),
    }  # fmt: skip
    return Response(orjson.dumps({"errors": [error]}), status, media_type=MEDIA_TYPE)


def invalid(detail: str, **where: Any) -> RefusalError:
    """A 400 for raising."""
    return RefusalError(failure(400, "invalid", "Invalid input.", detail, **where))


def not_found(kind: str, row_id: str) -> RefusalError:
    """A 404 for raising."""
    detail = f"A {kind} with id {row_id} does not exist."
    return RefusalError(failure(404, "not_found", "Not found.", detail, parameter=f"{kind}_id"))


def stamp(moment: datetime) -> str:
    """A time as Klaviyo writes it, sortable as text."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def sortable(text: str, parameter: str = "filter") -> str:
    """A client's datetime in the form of `stamp` (with microseconds kept when there are any)."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError:
        raise invalid(f"{text!r} is not a valid datetime.", parameter=parameter) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds" if moment.microsecond else "seconds")


def body_data(call: Call, kind: str) -> Row:
    """The `data` object of a request body of this type; 400 when it is another."""
    try:
        data = call.json["data"]
    except (ValueError, KeyError, TypeError):
        raise invalid("The payload provided in the request is invalid.", pointer="/data") from None
    if not isinstance(data, dict) or data.get("type") != kind:
        raise invalid(f"The `type` must be {kind!r}.", pointer="/data/type")
    return data


def page_size(call: Call, default: int, largest: int) -> int:
    """The page[size] asked for; 400 outside 1 to `largest`."""
    text = call.query.get("page[size]", str(default))
    if not text.isdigit() or not 1 <= int(text) <= largest:
        raise invalid(f"Page size must be an integer between 1 and {largest}.", parameter="page[size]")
    return int(text)


def parse_filter(call: Call, allowed: dict[str, frozenset[str]], times: frozenset[str]) -> list[Clause]:
    """The conditions of `filter=`; `allowed` names the operators of each field, `times` the datetime fields."""
    return [_check(clause, allowed, times) for clause in _clauses(call.query.get("filter", ""))]


def _check(clause: Clause, allowed: dict[str, frozenset[str]], times: frozenset[str]) -> Clause:
    if clause.name not in allowed:
        raise invalid(f"{clause.name!r} is not a filterable field.", parameter="filter")
    if clause.operator not in allowed[clause.name]:
        raise invalid(f"{clause.operator!r} is not allowed on {clause.name!r}.", parameter="filter")
    if clause.name in times:
        return Clause(clause.operator, clause.name, tuple(sortable(value) for value in clause.values))
    return clause


def _clauses(text: str) -> Iterator[Clause]:
    rest = text.strip()
    if rest.startswith("and(") and rest.endswith(")"):
        rest = rest[4:-1]
    while rest:
        head = _CLAUSE.match(rest)
        end = _closing(rest)
        if head is None or end < 0:
            raise invalid("The filter could not be parsed.", parameter="filter")
        name, _, values = rest[head.end() : end].partition(",")
        yield Clause(head.group(1), name.strip(), tuple(_literals(values)))
        rest = rest[end + 1 :].strip().removeprefix(",").strip()


def _closing(text: str) -> int:
    """Where the first clause ends: brackets inside quotes do not count."""
    quoted, depth = "", 0
    for at, letter in enumerate(text):
        if quoted:
            quoted = "" if letter == quoted and text[at - 1] != "\\" else quoted
        elif letter in "\"'":
            quoted = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
            if depth == 0 and letter == ")":
                return at
    return -1


def _literals(text: str) -> list[str]:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        quoted = re.findall(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|([^,\s]+)', text[1:-1])
        return [re.sub(r"\\(.)", r"\1", "".join(parts)) for parts in quoted]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return [re.sub(r"\\(.)", r"\1", text[1:-1])]
    return [text]


def page(
    call: Call, index: Index, size: int, keep: Callable[[str], bool], prefix: str = "", descending: bool = False
) -> tuple[list[str], dict[str, str | None]]:
    """One page of ids that `keep` accepts, with the links of a collection. Each page costs what it scans.

    `prefix` limits the scan to the keys of the index that begin with it.
    """
    after = (prefix + "\U0010ffff", "") if prefix and descending else (prefix, "") if prefix else None
    if "page[cursor]" in call.query:
        after = _decode(call.query["page[cursor]"])
    found: list[str] = []
    more = False
    for row_id in index.scan(after, descending):
        if not index.position(row_id)[0].startswith(prefix):
            break
        if keep(row_id):
            if len(found) == size:
                more = True
                break
            found.append(row_id)
    base = f"http://{call.headers.get('host', 'a.klaviyo.com')}{call.path}"
    own = f"{base}?{call.query_text}" if call.query_text else base
    following = None
    if more:
        kept = {name: value for name, value in call.query.items() if name != "page[cursor]"}
        cursor = _encode(index.position(found[-1]))
        following = f"{base}?{urlencode({**kept, 'page[cursor]': cursor}, quote_via=quote)}"
    return found, {"self": own, "next": following, "prev": None}


def _encode(position: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def _decode(cursor: str) -> tuple[str, str]:
    cursor = cursor.lstrip("=")  # the official SDK leaves one there when it is given a whole link
    try:
        key, row_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return str(key), str(row_id)
    except (binascii.Error, ValueError, TypeError):
        raise invalid("Invalid page cursor.", parameter="page[cursor]") from None
