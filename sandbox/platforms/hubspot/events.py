"""HubSpot's paths for event occurrences: what contacts did, told to the portal or seen by it."""

from __future__ import annotations

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.platforms.hubspot.manners import invalid, named, page_limit, paging, read_moment, stamp, ways
from sandbox.platforms.hubspot.state import EVENT_TYPES, State
from sandbox.standin import Way, json_response


class Events:
    """The handlers, over one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def ways(self) -> list[Way]:
        """The paths; the official SDK writes the first with a slash at its end."""
        return [
            *ways("events", "/event-types", GET=lambda call: json_response({"eventTypes": list(EVENT_TYPES)})),
            *ways("events", "", GET=self.every),
            *ways("events", "/", GET=self.every),
        ]

    def every(self, call: Call) -> Response:
        """GET: newest first unless `sort` says otherwise; by object, type and time."""
        query, rows = call.query, self.state.events.rows
        kind, contact = query.get("eventType"), query.get("objectId")
        if query.get("objectType", "contact").lower() not in ("contact", "contacts", "0-1"):
            raise invalid(f"Unknown objectType {query['objectType']}")
        if kind is not None and kind not in EVENT_TYPES:
            raise invalid(f"Unknown eventType {kind}")
        if contact is not None and "objectType" not in query:
            raise invalid("objectId needs objectType")
        earliest, latest = _moment(query, "occurredAfter"), _moment(query, "occurredBefore")
        sorts = named(call, "sort")
        if sorts and sorts[0].lstrip("-") != "occurredAt":
            raise invalid("Events are sorted by occurredAt only")
        index, size = self.state.events.indexes["occurredAt"], page_limit(call, 20, 1000)
        after = (rows[query["after"]]["occurredAt"], query["after"]) if query.get("after") in rows else None
        found: list[str] = []
        for row_id in index.scan(after, descending=not sorts or sorts[0].startswith("-")):
            row = rows[row_id]
            same = (kind or row["eventType"], contact or row["objectId"]) == (row["eventType"], row["objectId"])
            if same and (not earliest or row["occurredAt"] >= earliest) and (not latest or row["occurredAt"] < latest):
                found.append(row_id)
            if len(found) > size:
                break
        shown = [{"id": row_id, **rows[row_id]} for row_id in found[:size]]
        return json_response({"results": shown, **paging(call, found[size - 1] if len(found) > size else None)})


def _moment(query: dict[str, str], name: str) -> str | None:
    text = query.get(name)
    if not text:
        return None
    moment = read_moment(text.replace(" ", "+"))
    if moment is None:
        raise invalid(f"{name} is no time: {text}")
    return stamp(moment)
