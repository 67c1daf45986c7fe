"""What the platforms' webhook verifiers and parsers share: comparing signatures, reading bodies and times."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected


def require_secret(account: Account, *names: str) -> bytes:
    """The first of these settings that is there; without any, nobody's word can be taken."""
    for name in names:
        if account.get(name):
            return account[name].encode()
    raise WebhookRejected("no_secret_configured", status=401)


def require_equal(given: str, computed: str, status: int) -> None:
    """Raise WebhookRejected unless the signatures agree; takes the same time wherever they differ."""
    if not given:
        raise WebhookRejected("no_signature", status=status)
    if not hmac.compare_digest(given.encode("utf-8", "replace"), computed.encode()):
        raise WebhookRejected("bad_signature", status=status)


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; WebhookRejected(400) if it is none."""
    decoded = _json(body)
    if not isinstance(decoded, dict):
        raise WebhookRejected("not_an_object", status=400)
    return decoded


def json_items(body: bytes) -> list[Any]:
    """The body as a JSON list; WebhookRejected(400) if it is none."""
    decoded = _json(body)
    if not isinstance(decoded, list):
        raise WebhookRejected("not_a_list", status=400)
    return decoded


def part(value: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The object at these keys; an empty one where there is none, so that odd bodies read as silent ones."""
    found: Any = value
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text(value: Any) -> str:
    """A text or whole number as text; empty for anything else."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def moment(value: Any, received_at: datetime) -> datetime:
    """When an act took place: ISO 8601 or Unix seconds; the time of receipt if unreadable, and never later than it."""
    try:
        at = datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return received_at
    return min(at if at.tzinfo else at.replace(tzinfo=UTC), received_at)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise WebhookRejected("not_json", status=400) from None
