"""Klaviyo's paths that read: profiles, events, metrics, lists and their members, the account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import valid_email, valid_phone
from sandbox.platforms.klaviyo import render
from sandbox.platforms.klaviyo.jsonapi import (
    EQUALS,
    RANGES,
    Clause,
    document,
    failure,
    invalid,
    not_found,
    page,
    page_size,
    parse_filter,
    sortable,
)  # fmt: skip
from sandbox.platforms.klaviyo.state import State
from sandbox.standin import Way
from sandbox.store import Row, Table

_SUPPRESSION = "subscriptions.email.marketing.suppression"
_LIST_SUPPRESSION = "subscriptions.email.marketing.list_suppressions"
_PROFILE_FILTERS = {
    "id": EQUALS, "email": EQUALS, "phone_number": EQUALS, "external_id": EQUALS,
    "created": frozenset({"greater-than", "less-than"}), "updated": frozenset({"greater-than", "less-than"}),
    f"{_SUPPRESSION}.timestamp": RANGES, f"{_SUPPRESSION}.reason": frozenset({"equals"}),
    f"{_LIST_SUPPRESSION}.timestamp": RANGES,
    f"{_LIST_SUPPRESSION}.reason": frozenset({"equals"}),
    f"{_LIST_SUPPRESSION}.list_id": frozenset({"equals"}),
}  # fmt: skip
_PROFILE_TIMES = frozenset({"created", "updated", f"{_SUPPRESSION}.timestamp", f"{_LIST_SUPPRESSION}.timestamp"})
_EVENT_FILTERS = {
    "metric_id": frozenset({"equals"}), "profile_id": frozenset({"equals"}), "profile": frozenset({"has"}),
    "metric": frozenset({"has"}), "datetime": RANGES, "timestamp": RANGES,
}  # fmt: skip
_LIST_FILTERS = {
    "name": EQUALS, "id": EQUALS, "created": frozenset({"greater-than"}), "updated": frozenset({"greater-than"}),
}  # fmt: skip
_MEMBER_FILTERS = {"email": EQUALS, "phone_number": EQUALS, "joined_group_at": RANGES}


class Reading:
    """The handlers, over one state."""

    def __init__(self, state: State, account: Row) -> None:
        self.state = state
        self._account = account

    def ways(self) -> list[Way]:
        """The paths."""
        state = self.state
        event, metric = partial(_render, render.event, state), partial(_render, render.metric, state)
        contact_list = partial(_render, render.contact_list, state)
        return [
            Way("/api/events/{id}", GET=partial(_one, state.events, "event", event)),
            Way("/api/metrics", GET=self.metrics),
            Way("/api/metrics/{id}", GET=partial(_one, state.metrics, "metric", metric)),
            Way("/api/lists/{id}", GET=partial(_one, state.lists, "list", contact_list)),
            Way("/api/lists/{id}/profiles", GET=self.list_profiles),
            Way("/api/accounts", GET=lambda call: document([self._account], links=_links(call))),
        ]

    def profiles(self, call: Call) -> Response:
        """GET /api/profiles."""
        clauses = parse_filter(call, _PROFILE_FILTERS, _PROFILE_TIMES)
        name, descending = _sort(call, ("created", "email", "id", "updated"), "id")
        rows = self.state.profiles.rows

        def keep(row_id: str) -> bool:
            return all(_profile_passes(clause, row_id, rows[row_id]) for clause in clauses)

        index = self.state.profiles.indexes[name]
        ids, links = page(call, index, page_size(call, 20, 100), keep, descending=descending)
        return document([render.profile(call, self.state, row_id) for row_id in ids], links=links)

    def one_profile(self, call: Call) -> Response:
        """GET /api/profiles/{id}."""
        return _one(self.state.profiles, "profile", partial(_render, render.profile, self.state), call)

    def events(self, call: Call) -> Response:
        """GET /api/events, newest first unless sorted otherwise."""
        clauses = [_as_datetime(c) for c in parse_filter(call, _EVENT_FILTERS, frozenset({"datetime"}))]
        _, descending = _sort(call, ("datetime", "timestamp"), "-datetime")
        rows, state = self.state.events.rows, self.state
        keys = {"metric_id": "metric", "profile_id": "profile"}

        def keep(row_id: str) -> bool:
            row = rows[row_id]
            return all(c.operator == "has" or c.holds(row[keys.get(c.name, c.name)]) for c in clauses)

        index = self.state.events.indexes["datetime"]
        ids, links = page(call, index, page_size(call, 200, 1000), keep, descending=descending)
        data = [render.event(call, state, row_id) for row_id in ids]
        included: list[Row] = []
        wanted = call.query.get("include", "")
        if "metric" in wanted:
            included += [render.metric(call, state, i) for i in sorted({rows[row_id]["metric"] for row_id in ids})]
        if "profile" in wanted:
            people = sorted({rows[row_id]["profile"] for row_id in ids} & state.profiles.rows.keys())
            included += [render.profile(call, state, i) for i in people]
        return document(data, links=links, included=included) if wanted else document(data, links=links)

    def metrics(self, call: Call) -> Response:
        """GET /api/metrics: pages of 200, the size cannot be chosen."""
        ids, links = page(call, self.state.metrics.indexes["id"], 200, lambda _: True)
        return document([render.metric(call, self.state, row_id) for row_id in ids], links=links)

    def lists(self, call: Call) -> Response:
        """GET /api/lists: pages of ten at most."""
        clauses = parse_filter(call, _LIST_FILTERS, frozenset({"created", "updated"}))
        name, descending = _sort(call, ("created", "id", "name", "updated"), "id")
        rows = self.state.lists.rows

        def keep(row_id: str) -> bool:
            return all(c.holds({**rows[row_id], "id": row_id}.get(c.name)) for c in clauses)

        index = self.state.lists.indexes[name]
        ids, links = page(call, index, page_size(call, 10, 10), keep, descending=descending)
        return document([render.contact_list(call, self.state, row_id) for row_id in ids], links=links)

    def list_profiles(self, call: Call) -> Response:
        """GET /api/lists/{id}/profiles."""
        keys, links = self._member_page(call, 100)
        rows = self.state.members.rows
        found = []
        for key in keys:
            resource = render.profile(call, self.state, rows[key]["profile"])
            resource["attributes"]["joined_group_at"] = rows[key]["joined"]
            found.append(resource)
        return document(found, links=links)

    def list_profile_ids(self, call: Call) -> Response:
        """GET /api/lists/{id}/relationships/profiles."""
        keys, links = self._member_page(call, 1000)
        rows = self.state.members.rows
        return document([{"type": "profile", "id": rows[key]["profile"]} for key in keys], links=links)

    def _member_page(self, call: Call, largest: int) -> tuple[list[str], dict[str, str | None]]:
        list_id = call.path_params["id"]
        if list_id not in self.state.lists.rows:
            raise not_found("list", list_id)
        clauses = parse_filter(call, _MEMBER_FILTERS, frozenset({"joined_group_at"}))
        _, descending = _sort(call, ("joined_group_at",), "joined_group_at")
        members, profiles = self.state.members.rows, self.state.profiles.rows

        def keep(key: str) -> bool:
            row = members[key]
            fields = {"joined_group_at": row["joined"], **profiles[row["profile"]]} if clauses else {}
            return all(_matches(clause, fields.get(clause.name)) for clause in clauses)

        index = self.state.members.indexes["joined"]
        return page(call, index, page_size(call, 20, largest), keep, f"{list_id} ", descending)


def _render(draw: Callable[[Call, State, str], Row], state: State, call: Call, row_id: str) -> Row:
    return draw(call, state, row_id)


def _one(table: Table, kind: str, draw: Callable[[Call, str], Row], call: Call) -> Response:
    row_id = call.path_params["id"]
    if row_id not in table.rows:
        raise not_found(kind, row_id)
    return document(draw(call, row_id))


def _links(call: Call) -> dict[str, str | None]:
    return {"self": f"{render.root(call)}{call.path}", "next": None, "prev": None}


def _sort(call: Call, allowed: tuple[str, ...], default: str) -> tuple[str, bool]:
    text = call.query.get("sort", default)
    name = text.removeprefix("-")
    if name not in allowed:
        raise invalid(f"{text!r} is not a sortable field.", parameter="sort")
    return name, text.startswith("-")


def _matches(clause: Clause, have: str | None) -> bool:
    """Addresses are compared as Klaviyo stores them: without regard to case."""
    if clause.name == "email":
        return valid_email(have) in {valid_email(value) for value in clause.values} - {None}
    if clause.name == "phone_number":
        return valid_phone(have) in {valid_phone(value) for value in clause.values} - {None}
    return clause.holds(have)


def _profile_passes(clause: Clause, row_id: str, row: Row) -> bool:
    if clause.name.startswith("subscriptions."):
        *_, kind, name = clause.name.split(".")
        return any(clause.holds(entry[name]) for entry in row["subscriptions"]["email"][kind])
    return _matches(clause, row_id if clause.name == "id" else row[clause.name])


def _as_datetime(clause: Clause) -> Clause:
    if clause.name != "timestamp":
        return clause
    try:
        moments = [datetime.fromtimestamp(float(value), UTC).isoformat() for value in clause.values]
    except ValueError:
        raise invalid("A timestamp must be a number.", parameter="filter") from None
    return Clause(clause.operator, "datetime", tuple(sortable(moment) for moment in moments))


def unsupported_media(call: Call) -> Response | None:
    """A 415 for a body that is neither JSON:API nor JSON."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip()
    if call.body and kind not in ("application/vnd.api+json", "application/json"):
        detail = f"Unsupported media type {kind!r} in request."
        return failure(415, "unsupported_media_type", "Unsupported media type.", detail)
    return None
