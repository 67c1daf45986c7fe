"""HubSpot's manners: paths by version, errors, batches, paging, and how times are written and read."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.standin import Handler, RefusalError, Way, json_response
from sandbox.store import Index, Row

# The same calls under the numbered version and the dated ones.
PATHS = {
    "objects": ("/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"),
    "properties": ("/crm/v3/properties", "/crm/properties/2026-03", "/crm/properties/2026-09"),
    "lists": ("/crm/v3/lists", "/crm/lists/2026-03", "/crm/lists/2026-09"),
    "preferences": (
        "/communication-preferences/v4", "/communication-preferences/2026-03", "/communication-preferences/2026-09",
    ),
    "preferences_by_email": ("/communication-preferences/v3", "/communication-preferences/2026-09"),
    "events": ("/events/v3/events", "/events/event-occurrences/2026-03", "/events/event-occurrences/2026-09"),
    "webhooks": ("/webhooks/v3", "/webhooks/2026-03", "/app-webhooks/2026-09"),
}  # fmt: skip
# From this version on a batch with failures is no 207 any more; the errors stand in the answer all the same.
_WITHOUT_207 = "2026-09"


def ways(kind: str, path: str, **handlers: Handler) -> list[Way]:
    """One path in every version that has it."""
    return [Way(prefix + path, **handlers) for prefix in PATHS[kind]]


def failure(status: int, category: str, message: str, **more: Any) -> Response:
    """HubSpot's error document; `errors`, `context`, `links` and others may be added."""
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category}
    return json_response(body | more, status)


def invalid(message: str, **more: Any) -> RefusalError:
    """A 400 for raising."""
    return RefusalError(failure(400, "VALIDATION_ERROR", message, **more))


def not_found(message: str = "resource not found") -> RefusalError:
    """A 404 for raising."""
    return RefusalError(failure(404, "OBJECT_NOT_FOUND", message))


def stamp(moment: datetime) -> str:
    """A time as HubSpot writes it, sortable as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(moment: datetime) -> int:
    """A time in milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def read_moment(text: str) -> datetime | None:
    """A client's time: ISO 8601 or milliseconds since 1970; None when it is neither."""
    try:
        if text.lstrip("-").isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def body_of(call: Call) -> Row:
    """The JSON object of a request body."""
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("Invalid input JSON: the body must be an object")
    return body


def inputs_of(call: Call, largest: int = 100) -> list[Any]:
    """The `inputs` of a batch; 400 when there are none or too many."""
    found = body_of(call).get("inputs")
    if not isinstance(found, list) or not found:
        raise invalid("Invalid input JSON: Some required fields were not set: [inputs]")
    if len(found) > largest:
        raise invalid(f"The maximum number of inputs supported in a batch request is {largest}")
    return found


def batched(call: Call, results: list[Any], errors: list[Row], started: datetime, status: int = 200) -> Response:
    """The answer to a batch."""
    body: Row = {"status": "COMPLETE", "results": results}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
        status = status if _WITHOUT_207 in call.path else 207
    return json_response(body | {"startedAt": stamp(started), "completedAt": stamp(datetime.now(UTC))}, status)


def row_error(category: str, message: str, **context: list[str]) -> Row:
    """What went wrong with rows of a batch; `context` names them."""
    return {
        "status": "error", "category": category, "message": message, "context": context, "errors": [], "links": {},
    }  # fmt: skip


def named(call: Call, name: str) -> list[str]:
    """A query parameter that may be repeated or hold several names with commas."""
    given = [value for key, value in parse_qsl(call.query_text) if key == name]
    return [part.strip() for value in given for part in value.split(",") if part.strip()]


def asks(call: Call, name: str) -> bool:
    """Whether a yes-or-no parameter says yes; the official SDK writes True."""
    return call.query.get(name, "").lower() == "true"


def page_limit(call: Call, default: int, largest: int) -> int:
    """The `limit` asked for; 400 outside 1 to `largest`."""
    text = call.query.get("limit", str(default))
    if not text.isdigit() or not 1 <= int(text) <= largest:
        raise invalid(f"The limit must be between 1 and {largest}, it was {text}")
    return int(text)


def paging(call: Call, after: str | None) -> Row:
    """The `paging` part of a collection; empty on the last page."""
    if after is None:
        return {}
    kept = [(name, value) for name, value in parse_qsl(call.query_text) if name != "after"]
    base = f"http://{call.headers.get('host', 'api.hubapi.com')}{call.path}"
    return {"paging": {"next": {"after": after, "link": f"{base}?{urlencode([*kept, ('after', after)])}"}}}


def page(index: Index, size: int, after: tuple[str, str] | None, key: str) -> tuple[list[str], bool]:
    """Up to `size` ids of an index behind `after` whose key begins with `key`, and whether there are more."""
    found: list[str] = []
    for row_id in index.scan(after or (key, "")):
        if not index.position(row_id)[0].startswith(key):
            break
        if len(found) == size:
            return found, True
        found.append(row_id)
    return found, False
