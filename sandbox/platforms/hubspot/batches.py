"""HubSpot's batches of contacts: read, create, update, upsert, archive, each with failures row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now
from sandbox.platforms.hubspot.contacts import Contacts, known_kind, shown
from sandbox.platforms.hubspot.manners import batched, body_of, failure, inputs_of, invalid, row_error, ways
from sandbox.platforms.hubspot.state import State
from sandbox.standin import RefusalError, Way
from sandbox.store import Row

_GONE = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."


class Batches:
    """The handlers, over one state."""

    def __init__(self, state: State, contacts: Contacts) -> None:
        self.state, self.contacts = state, contacts

    def ways(self) -> list[Way]:
        """The paths."""
        return [
            *ways("objects", "/{kind}/batch/read", POST=self.read),
            *ways("objects", "/{kind}/batch/create", POST=self.create),
            *ways("objects", "/{kind}/batch/update", POST=self.update),
            *ways("objects", "/{kind}/batch/upsert", POST=self.upsert),
            *ways("objects", "/{kind}/batch/archive", POST=self.archive),
        ]

    def read(self, call: Call) -> Response:
        """POST batch/read: by id or by `idProperty`; the unknown ones stand together in one error."""
        known_kind(call)
        started, body, inputs = datetime.now(UTC), body_of(call), inputs_of(call)
        named_by = body.get("idProperty")
        self._unique(named_by)
        wanted, history = body.get("properties") or [], body.get("propertiesWithHistory") or []
        found: dict[str, Row] = {}
        missing: list[str] = []
        for item in inputs:
            row_id = self.state.find(named_by, str(_dictionary(item).get("id")))
            if row_id is None or self._rejected(item, row_id):
                missing.append(str(item.get("id")))
            else:
                found[row_id] = shown(self.state, row_id, wanted, history)
        errors = [row_error("OBJECT_NOT_FOUND", _GONE, ids=missing)] if missing else []
        return batched(call, list(found.values()), errors, started)

    def create(self, call: Call) -> Response:
        """POST batch/create: row by row only when every row has an objectWriteTraceId of its own."""

        def one(item: Row) -> Row:
            values = self._valid(item, None)
            return self._written(self.state.create(values, datetime.now(UTC)), item, values)

        inputs = inputs_of(call)
        return self._each(call, inputs, one, apart=_traced(inputs), status=201)

    def update(self, call: Call) -> Response:
        """POST batch/update: an unknown contact fails alone; a wrong value fails the call, unless traced."""

        def one(item: Row) -> Row:
            self._unique(item.get("idProperty"))
            row_id = self.state.find(item.get("idProperty"), str(item.get("id")))
            if row_id is None:
                raise RefusalError(failure(404, "OBJECT_NOT_FOUND", _GONE))
            values = self._valid(item, row_id)
            self.state.save(row_id, self.state.contacts.rows[row_id], values, datetime.now(UTC))
            return self._written(row_id, item, values)

        inputs = inputs_of(call)
        return self._each(call, inputs, one, apart=_traced(inputs))

    def upsert(self, call: Call) -> Response:
        """POST batch/upsert: by a unique property; by e-mail one bad row fails the call."""

        def one(item: Row) -> Row:
            name, key = item.get("idProperty"), str(item.get("id") or "")
            self._unique(name)
            row_id = self.state.find(name, key)
            if row_id is None and name in (None, "", "hs_object_id"):
                raise RefusalError(failure(404, "OBJECT_NOT_FOUND", _GONE))
            given = item.get("properties") or {}
            values = self._valid({**item, "properties": given if row_id else {str(name): key, **given}}, row_id)
            new, at = row_id is None, datetime.now(UTC)
            if row_id is None:
                row_id = self.state.create(values, at)
            else:
                self.state.save(row_id, self.state.contacts.rows[row_id], values, at)
            return self._written(row_id, item, values) | {"new": new}

        inputs = inputs_of(call)
        by_email = any(_dictionary(item).get("idProperty") == "email" for item in inputs)
        return self._each(call, inputs, one, apart=not by_email)

    def archive(self, call: Call) -> Response:
        """POST batch/archive: 204, unknown ids are passed over."""
        known_kind(call)
        for item in inputs_of(call):
            row_id = self.state.find(None, str(_dictionary(item).get("id")))
            if row_id is not None:
                self.state.archive(row_id, utc_now())
        return Response(status_code=204)

    def _each(
        self, call: Call, inputs: list[Any], one: Callable[[Row], Row], *, apart: bool, status: int = 200
    ) -> Response:
        """Carry out the rows one by one; where rows cannot fail apart, check them all before the first is written."""
        known_kind(call)
        started = datetime.now(UTC)
        results: list[Row] = []
        errors: list[Row] = []
        if not apart:
            self._check_together(inputs)
        for item in map(_dictionary, inputs):
            try:
                if self._rejected(item, self.state.find(item.get("idProperty"), str(item.get("id")))):
                    raise invalid("The row was refused")
                results.append(one(item))
            except RefusalError as refused:
                told = orjson.loads(refused.response.body)
                if not apart and told["category"] != "OBJECT_NOT_FOUND" and "refused" not in told["message"]:
                    raise
                errors.append(_error_of(item, told))
        return batched(call, results, errors, started, status)

    def _check_together(self, inputs: list[Any]) -> None:
        addresses: set[str] = set()
        for item in map(_dictionary, inputs):
            name = item.get("idProperty")
            values = self._valid(item, self.state.find(name, str(item.get("id"))) if "id" in item else None)
            address = values.get("email")
            if address and address in addresses:
                raise invalid(f"Duplicate email addresses in one batch: {address}")
            addresses |= {address} if address else set()

    def _valid(self, item: Row, row_id: str | None) -> Row:
        given = item.get("properties")
        if not isinstance(given, dict):
            raise invalid("Invalid input JSON: Some required fields were not set: [properties]")
        values, wrong = self.state.valid(given)
        if wrong:
            raise invalid("Property values were not valid", errors=wrong)
        refusal = self.contacts.taken(values, row_id)
        if refusal:
            raise RefusalError(refusal)
        return values

    def _unique(self, name: Any) -> None:
        if name in (None, "", "email", "hs_object_id"):
            return
        if not self.state.properties.rows.get(str(name), {}).get("hasUniqueValue"):
            raise invalid(f"{name} is not a unique identifier property")

    def _rejected(self, item: Row, row_id: str | None) -> bool:
        email = (item.get("properties") or {}).get("email")
        return self.state.standin.faults.rejects(row_id, str(item.get("id")), email)

    def _written(self, row_id: str, item: Row, values: Row) -> Row:
        trace = {"objectWriteTraceId": item["objectWriteTraceId"]} if "objectWriteTraceId" in item else {}
        return shown(self.state, row_id, list(values)) | trace


def _traced(inputs: Iterable[Any]) -> bool:
    traces = [_dictionary(item).get("objectWriteTraceId") for item in inputs]
    return all(traces) and len(set(traces)) == len(traces)


def _dictionary(item: Any) -> Row:
    if not isinstance(item, dict):
        raise invalid("Invalid input JSON: every input must be an object")
    return item


def _error_of(item: Row, told: Row) -> Row:
    context = {"objectWriteTraceId": [str(item["objectWriteTraceId"])]} if "objectWriteTraceId" in item else {}
    if item.get("id"):
        context["ids"] = [str(item["id"])]
    return row_error(told["category"], told["message"], **context) | {"errors": told.get("errors", [])}
