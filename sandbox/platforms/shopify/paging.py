"""Shopify's REST manners: errors, the Link header with page_info, and the common filters."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.platforms.shopify.state import stamp
from sandbox.standin import RefusalError, json_response
from sandbox.store import Row, Table

LARGEST_PAGE = 250
_WITH_PAGE_INFO = frozenset({"page_info", "limit", "fields"})
_RANGED = ("created_at", "updated_at", "processed_at")


def refusal(status: int, errors: Any) -> RefusalError:
    """An error document for raising; `errors` is text or an object."""
    return RefusalError(json_response({"errors": errors}, status))


def when(text: str, parameter: str) -> str:
    """A client's time in the stored form."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError:
        raise refusal(400, {parameter: ["is not a valid date"]}) from None
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def limit_of(call: Call) -> int:
    """The page size: 50 unless asked, 250 at most."""
    text = call.query.get("limit", "50")
    if not text.isdigit() or int(text) < 1:
        raise refusal(400, {"limit": ["must be a positive number"]})
    return min(int(text), LARGEST_PAGE)


def page(
    call: Call,
    table: Table,
    index: str,
    name: str,
    keeper: Callable[[dict[str, str]], Callable[[Row], bool]],
    descending: bool = False,
) -> Response:
    """One page of a collection with its Link header; each page costs what it scans.

    `keeper` makes the test of rows from the filters, which on later pages come out of page_info.
    """
    query, size = dict(call.query), limit_of(call)
    cursor: Row = {}
    if "page_info" in query:
        if not query.keys() <= _WITH_PAGE_INFO:
            raise refusal(400, {"page_info": "Invalid value. Only limit and fields may accompany page_info."})
        cursor = _decode(query["page_info"])
        query = {**cursor["filters"], **query}
    passes, keep = conditions(query), keeper(query)
    backwards = cursor.get("direction") == "previous"
    after = (cursor["at"][0], cursor["at"][1]) if cursor else None
    found: list[str] = []
    more = False
    for row_id in table.indexes[index].scan(after, descending != backwards):
        row = table.rows[row_id]
        if passes(row_id, row) and keep(row):
            if len(found) == size:
                more = True
                break
            found.append(row_id)
    if backwards:
        found.reverse()
    rows: list[Row] = [table.rows[row_id] for row_id in found]
    if "fields" in query:
        wanted = query["fields"].split(",")
        rows = [{field: row[field] for field in wanted if field in row} for row in rows]
    response = json_response({name: rows})
    filters = {key: value for key, value in query.items() if key not in _WITH_PAGE_INFO}
    links = []
    if found and (cursor if not backwards else more):
        links.append(_link(call, size, "previous", table.indexes[index].position(found[0]), filters))
    if found and (more or backwards):
        links.append(_link(call, size, "next", table.indexes[index].position(found[-1]), filters))
    if links:
        response.headers["Link"] = ", ".join(links)
    return response


def conditions(query: dict[str, str]) -> Callable[[str, Row], bool]:
    """The filters that customers and orders share: ids, since_id and the ranges of times."""
    ids = set(query["ids"].split(",")) if query.get("ids") else None
    since = int(query["since_id"]) if query.get("since_id", "").isdigit() else 0
    ranges = [
        (field, when(query[f"{field}_min"], f"{field}_min") if f"{field}_min" in query else "",
         when(query[f"{field}_max"], f"{field}_max") if f"{field}_max" in query else "9")
        for field in _RANGED
        if f"{field}_min" in query or f"{field}_max" in query
    ]  # fmt: skip

    def passes(row_id: str, row: Row) -> bool:
        if (ids is not None and row_id not in ids) or row["id"] <= since:
            return False
        return all(low <= row[field] <= high for field, low, high in ranges)

    return passes


def _link(call: Call, size: int, direction: str, at: tuple[str, str], filters: dict[str, str]) -> str:
    info = orjson.dumps({"direction": direction, "at": at, "filters": filters})
    page_info = base64.urlsafe_b64encode(info).decode().rstrip("=")
    kept = {"fields": call.query["fields"]} if "fields" in call.query else {}
    query = urlencode({"limit": size, "page_info": page_info, **kept})
    return f'<http://{call.headers.get("host", "")}{call.path}?{query}>; rel="{direction}"'


def _decode(page_info: str) -> Row:
    try:
        cursor: Row = orjson.loads(base64.urlsafe_b64decode(page_info + "=" * (-len(page_info) % 4)))
        return {"direction": cursor["direction"], "at": cursor["at"], "filters": cursor["filters"]}
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise refusal(400, {"page_info": "Invalid value."}) from None
