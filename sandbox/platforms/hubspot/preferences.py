"""HubSpot's paths for communication preferences: statuses by address, opt-outs from everything, definitions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import valid_email
from sandbox.platforms.hubspot.manners import asks, batched, body_of, inputs_of, invalid, row_error, stamp, ways
from sandbox.platforms.hubspot.schema import SUBSCRIPTION_ID
from sandbox.platforms.hubspot.state import State
from sandbox.standin import Way, json_response
from sandbox.store import Row

_NAME, _TEXT = "Marketing", "News and offers"
_STATES = frozenset({"SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED"})
LEGAL_BASES = frozenset({
    "CONSENT_WITH_NOTICE", "LEGITIMATE_INTEREST_CLIENT", "LEGITIMATE_INTEREST_OTHER", "LEGITIMATE_INTEREST_PQL",
    "NON_GDPR", "PERFORMANCE_OF_CONTRACT", "PROCESS_AND_STORE",
})  # fmt: skip


class Preferences:
    """The handlers, over one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def ways(self) -> list[Way]:
        """The paths; those by e-mail are older and were taken over into the newest version."""
        return [
            Way("/communication-preferences/v3/definitions", GET=self.definitions_of_old),
            *ways("preferences", "/definitions", GET=self.definitions),
            *ways("preferences", "/statuses/batch/read", POST=self.read_many),
            *ways("preferences", "/statuses/batch/write", POST=self.write_many),
            *ways("preferences", "/statuses/batch/unsubscribe-all", POST=self.opt_out_many),
            *ways("preferences", "/statuses/batch/unsubscribe-all/read", POST=self.opted_out_many),
            *ways("preferences", "/statuses/{address}/unsubscribe-all", GET=self.opted_out, POST=self.opt_out),
            *ways("preferences", "/statuses/{address}", GET=self.read, POST=self.write),
            *ways("preferences_by_email", "/status/email/{address}", GET=self.status_of),
            *ways("preferences_by_email", "/subscribe", POST=self.subscribe),
            *ways("preferences_by_email", "/unsubscribe", POST=self.unsubscribe),
        ]

    def definitions(self, call: Call) -> Response:
        """GET definitions: one type of mailing."""
        return batched(call, [self._definition()], [], datetime.now(UTC))

    def definitions_of_old(self, call: Call) -> Response:
        """GET definitions in version 3, which has a shape of its own."""
        return json_response({"subscriptionDefinitions": [self._definition()]})

    def read_many(self, call: Call) -> Response:
        """POST statuses/batch/read: every valid address has a status, NOT_SPECIFIED when nothing was ever said."""
        return self._each_address(call, lambda a: {"subscriberIdString": a, "statuses": [self._status(a)]})

    def read(self, call: Call) -> Response:
        """GET statuses/{address}."""
        _by_email(call)
        return batched(call, [self._status(_address(call))], [], datetime.now(UTC))

    def opted_out_many(self, call: Call) -> Response:
        """POST statuses/batch/unsubscribe-all/read: nobody's statuses are empty who opted out of everything."""
        return self._each_address(call, lambda a: {"subscriberIdString": a, "wideStatuses": self._wide(a)})

    def opted_out(self, call: Call) -> Response:
        """GET statuses/{address}/unsubscribe-all."""
        _by_email(call)
        return batched(call, self._wide(_address(call)), [], datetime.now(UTC))

    def opt_out_many(self, call: Call) -> Response:
        """POST statuses/batch/unsubscribe-all."""
        verbose = asks(call, "verbose")
        return self._each_address(call, lambda a: self._opted_out(a, verbose))

    def opt_out(self, call: Call) -> Response:
        """POST statuses/{address}/unsubscribe-all."""
        _by_email(call)
        told = self._opted_out(_address(call), verbose=True)
        statuses = told["statuses"] if asks(call, "verbose") else []
        return batched(call, statuses, [], datetime.now(UTC))

    def write_many(self, call: Call) -> Response:
        """POST statuses/batch/write: each row for itself."""
        started = datetime.now(UTC)
        results: list[Row] = []
        errors: list[Row] = []
        for item in inputs_of(call):
            wrong = self._wrong(item)
            if wrong:
                named = str(item.get("subscriberIdString")) if isinstance(item, dict) else ""
                errors.append(row_error("VALIDATION_ERROR", wrong, subscriberIdString=[named]))
            else:
                results.append(self._written(call, item))
        return batched(call, results, errors, started)

    def write(self, call: Call) -> Response:
        """POST statuses/{address}."""
        item = {**body_of(call), "subscriberIdString": call.path_params["address"]}
        wrong = self._wrong(item)
        if wrong:
            raise invalid(wrong)
        return batched(call, [self._written(call, item)], [], datetime.now(UTC))

    def status_of(self, call: Call) -> Response:
        """GET status/email/{address}: the older form, which knows only subscribed and not."""
        address = _address(call)
        status = {"status": self._old(address), "sourceOfStatus": self._source(address)}
        described = {"id": str(SUBSCRIPTION_ID), "name": _NAME, "description": _TEXT}
        return json_response({"recipient": address, "subscriptionStatuses": [described | status]})

    def subscribe(self, call: Call) -> Response:
        """POST subscribe: refused for who opted out before."""
        return self._change_of_old(call, "SUBSCRIBED")

    def unsubscribe(self, call: Call) -> Response:
        """POST unsubscribe."""
        return self._change_of_old(call, "UNSUBSCRIBED")

    def _change_of_old(self, call: Call, state: str) -> Response:
        body = body_of(call)
        address = valid_email(body.get("emailAddress"))
        if address is None or str(body.get("subscriptionId")) != str(SUBSCRIPTION_ID):
            raise invalid("emailAddress and a known subscriptionId are required")
        now = self._status(address)["status"]
        if state == "SUBSCRIBED" and now == "UNSUBSCRIBED":
            raise invalid(f"{address} has unsubscribed and cannot be subscribed by this call")
        self._written(call, {"subscriberIdString": address, "statusState": state, **_legal(body)})
        return json_response(
            {"id": str(SUBSCRIPTION_ID), "name": _NAME, "description": _TEXT, "status": self._old(address),
             "sourceOfStatus": self._source(address)}
        )  # fmt: skip

    def _each_address(self, call: Call, one: Any) -> Response:
        _by_email(call)
        started = datetime.now(UTC)
        results: list[Row] = []
        errors: list[Row] = []
        for given in inputs_of(call):
            address = valid_email(given) if isinstance(given, str) else None
            if address is None or self.state.standin.faults.rejects(address):
                message = "The subscriber id is not a valid email address"
                errors.append(row_error("VALIDATION_ERROR", message, subscriberIdString=[str(given)]))
            else:
                results.append(one(address))
        return batched(call, results, errors, started)

    def _written(self, call: Call, item: Row) -> Row:
        address, state = str(valid_email(item["subscriberIdString"])), item["statusState"]
        before = self._status(address)["status"]
        if state == "SUBSCRIBED":
            call.notes.append("grant")
        if state != before or (state == "SUBSCRIBED" and address in self.state.optouts.rows):
            self.state.set_status(address, state, datetime.now(UTC), **_legal(item))
            resubscribed = state == "SUBSCRIBED" and before == "UNSUBSCRIBED"
            reason = "RESUBSCRIBE_OCCURRED" if resubscribed else "REQUESTED_CHANGE_OCCURRED"
        else:
            reason = "NO_STATUS_CHANGE"
        return self._status(address) | {"setStatusSuccessReason": reason}

    def _opted_out(self, address: str, verbose: bool) -> Row:
        already = address in self.state.optouts.rows
        if not already:
            self.state.set_status(address, "UNSUBSCRIBED", datetime.now(UTC), everything=True)
        reason = "NO_STATUS_CHANGE" if already else "UNSUBSCRIBE_FROM_ALL_OCCURRED"
        statuses = {"statuses": [self._status(address) | {"setStatusSuccessReason": reason}]} if verbose else {}
        return {"subscriberIdString": address, **statuses}

    def _wrong(self, item: Any) -> str | None:
        item = item if isinstance(item, dict) else {}
        address = valid_email(item.get("subscriberIdString"))
        if address is None or self.state.standin.faults.rejects(address):
            return "The subscriber id is not a valid email address"
        if item.get("channel") != "EMAIL" or item.get("statusState") not in _STATES:
            return "channel must be EMAIL and statusState one of the known states"
        if str(item.get("subscriptionId")) != str(SUBSCRIPTION_ID):
            return f"Subscription {item.get('subscriptionId')} does not exist"
        return None if item.get("legalBasis") in (None, *LEGAL_BASES) else "Unknown legalBasis"

    def _status(self, address: str) -> Row:
        row = self.state.statuses.rows.get(address)
        if row is None:
            row = {"status": "NOT_SPECIFIED", "source": "", "timestamp": stamp(self.state.standin.world.facts.as_of)}
        known = {name: value for name, value in row.items() if value is not None}
        return known | {
            "channel": "EMAIL", "subscriberIdString": address, "subscriptionId": SUBSCRIPTION_ID,
            "subscriptionName": _NAME,
        }  # fmt: skip

    def _wide(self, address: str) -> list[Row]:
        row = self.state.optouts.rows.get(address)
        wide = {"channel": "EMAIL", "status": "UNSUBSCRIBED", "wideStatusType": "PORTAL_WIDE"}
        return [wide | {"subscriberIdString": address, "timestamp": row["timestamp"]}] if row else []

    def _old(self, address: str) -> str:
        return "SUBSCRIBED" if self._status(address)["status"] == "SUBSCRIBED" else "NOT_SUBSCRIBED"

    def _source(self, address: str) -> str:
        return "PORTAL_WIDE_STATUS" if address in self.state.optouts.rows else "SUBSCRIPTION_STATUS"

    def _definition(self) -> Row:
        born = stamp(self.state.standin.world.facts.as_of)
        return {
            "id": str(SUBSCRIPTION_ID), "name": _NAME, "description": _TEXT, "purpose": "Marketing",
            "communicationMethod": "Email", "isActive": True, "isDefault": False, "isInternal": False,
            "businessUnitId": 0, "subscriptionTranslations": [], "createdAt": born, "updatedAt": born,
        }  # fmt: skip


def _address(call: Call) -> str:
    address = valid_email(call.path_params["address"])
    if address is None:
        raise invalid("The subscriber id is not a valid email address")
    return address


def _by_email(call: Call) -> None:
    if call.query.get("channel") != "EMAIL":
        raise invalid("The query parameter channel must be EMAIL")


def _legal(item: Row) -> Row:
    return {name: item.get(name) for name in ("legalBasis", "legalBasisExplanation")}
