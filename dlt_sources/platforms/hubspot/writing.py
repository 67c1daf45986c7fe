"""Batch writes of HubSpot, answered row by row.

An answer is read by what it holds, never by its status code: 200, 201 and 207 all come with results and errors. A row
is matched by the trace id that we give it, else by the record's id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlt_sources.http import Session
from dlt_sources.outcomes import dead, failed
from dlt_sources.platform import Outcome, Row
from dlt_sources.platforms.hubspot import client

GONE, INVALID = "OBJECT_NOT_FOUND", "VALIDATION_ERROR"
#: Refusals that are no fault of the row: a contact that somebody made in between, and troubles of HubSpot's own.
_PASSING = frozenset({"CONFLICT", "RATE_LIMITS", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})


@dataclass(frozen=True, slots=True)
class Input:
    """A row and what is written for it: `id` and `properties`."""

    row: Row
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """How a batch ended: row id → record for what was written, row id → outcome for what was not."""

    records: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Outcome] = field(default_factory=dict)


def write(session: Session, operation: str, inputs: Sequence[Input]) -> Written:
    """Make one batch call (update or create) and tell its rows apart."""
    by_trace = {f"row-{place}": one for place, one in enumerate(inputs)}
    bodies = [{**one.body, "objectWriteTraceId": trace} for trace, one in by_trace.items()]
    path = client.path(session.account, "contacts", f"/batch/{operation}")
    answer = client.call(session, "POST", path, object=operation, body={"inputs": bodies}, holds="results")
    by_record = {str(one.body["id"]): one for one in inputs if "id" in one.body}
    by_email = {
        str(one.body["properties"]["email"]).lower(): one for one in inputs if "email" in one.body["properties"]
    }
    written = Written()
    for result in answer["results"]:
        email = str((result.get("properties") or {}).get("email") or "").lower()
        one = by_trace.get(str(result.get("objectWriteTraceId"))) or by_record.get(str(result.get("id")))
        one = one or (by_email.get(email) if operation == "create" else None)
        if one:
            written.records[one.row.row_id] = str(result.get("id"))
    unnamed = []
    for error in _errors(answer):
        named = [by_trace.get(name) or by_record.get(name) for name in _named(error)]
        for one in filter(None, named):
            written.refused[one.row.row_id] = _outcome(one.row, error)
        if not any(named):
            unnamed.append(error)
    rest = [
        one.row for one in inputs if one.row.row_id not in written.records and one.row.row_id not in written.refused
    ]
    for row in rest:
        # An error that names no row is that of the only row it can be; otherwise nobody knows whose.
        written.refused[row.row_id] = (
            _outcome(row, unnamed[0]) if len(unnamed) == len(rest) == 1 else failed(row, "no_outcome")
        )
    for row_id in written.refused:
        written.records.pop(row_id, None)
    return written


def unanswered(answer: Mapping[str, Any], addresses: Sequence[str]) -> dict[str, str]:
    """Address → why, for those that an answer with errors has no result for."""
    errors = _errors(answer)
    done = {str(result.get("subscriberIdString") or "").lower() for result in answer["results"]}
    categories = {str(error.get("category") or "refused") for error in errors}
    code = categories.pop() if len(categories) == 1 else "no_outcome"
    return {address: code for address in addresses if errors and address.lower() not in done}


def _errors(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [error for error in answer.get("errors") or () if isinstance(error, dict)]


def _named(error: Mapping[str, Any]) -> list[str]:
    """The trace ids or record ids that an error is about."""
    context = error.get("context")
    if not isinstance(context, dict):
        return []
    found: list[str] = []
    for key in ("objectWriteTraceId", "ids", "id"):
        value = context.get(key)
        found += map(str, value) if isinstance(value, list) else [str(value)] if value else []
    return found


def _outcome(row: Row, error: Mapping[str, Any]) -> Outcome:
    category = str(error.get("category") or "refused")
    details = [one for one in error.get("errors") or () if isinstance(one, dict)]
    codes = [str(one.get("code")) for one in details if one.get("code")]
    names = [name for one in (error, *details) for name in _properties(one)]
    ended = failed if category in _PASSING else dead
    return ended(row, category, " ".join([*codes, *dict.fromkeys(names)]))


def _properties(error: Mapping[str, Any]) -> list[str]:
    context = error.get("context")
    names = context.get("propertyName") if isinstance(context, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []
