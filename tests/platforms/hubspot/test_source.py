"""What is asked of HubSpot when it is pulled, and that nothing is lost or asked for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, RetryLater, SetAside, StopRun
from dlt_sources.platforms.hubspot import PLATFORM, client, source
from dlt_sources.pull import pull
from tests.platforms.servers import Answering, Asked, replying

OBJECTS = {obj.name: obj for obj in PLATFORM.objects}
SINCE = datetime(2026, 11, 1, 10, tzinfo=UTC)
AT = "2026-11-20T08:00:00Z"
Bad = tuple[str, Answering]


def at(url: str, external_ids: Mapping[str, str] | None = None, **settings: str) -> Account:
    values = {"base_url": url, "access_token": "pat-x", **settings}
    return Account("hubspot", "main", "acme", "US", (), values, external_ids or {})


def contact(number: int, changed: str = AT, **properties: Any) -> dict[str, Any]:
    values = {"hs_object_id": str(number), "email": f"p{number}@example.com", "lastmodifieddate": changed}
    return {
        "id": str(number),
        "properties": {**values, "createdate": "2025-01-01T00:00:00Z", **properties},
        "createdAt": "2025-01-01T00:00:00Z",
        "updatedAt": changed,
        "archived": False,
    }


class Portal:
    """Contacts behind the documented list and search endpoints; a search never gives more than 10,000 rows."""

    def __init__(self, contacts: Sequence[dict[str, Any]], archived: Sequence[dict[str, Any]] = ()) -> None:
        self.contacts, self.archived = list(contacts), list(archived)
        self.plan_has_events = True
        self.fault: Callable[[Asked], tuple[int, Any] | None] = lambda asked: None

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        if (fault := self.fault(asked)) is not None:
            return fault
        if asked.path.endswith("/search"):
            return self.search(asked.body)
        if asked.path.startswith("/events/") or "event-occurrences" in asked.path:
            return (200, {"results": []}) if self.plan_has_events else (403, {"category": "MISSING_SCOPES"})
        if asked.path.startswith("/communication-preferences/"):
            return 200, self.statuses(asked)
        rows = self.archived if asked.query.get("archived") == "true" else self.contacts
        start, size = int(asked.query.get("after") or 0), int(asked.query["limit"])
        following = {"paging": {"next": {"after": str(start + size)}}} if start + size < len(rows) else {}
        return 200, {"results": rows[start : start + size], **following}

    def search(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        limit, after = int(body["limit"]), int(body.get("after") or 0)
        assert limit <= 200
        if after + limit > 10_000:
            return 400, {"category": "VALIDATION_ERROR", "message": "no paging past 10,000"}
        [sort] = body["sorts"]
        assert sort == {"propertyName": "hs_object_id", "direction": "ASCENDING"}
        [group] = body["filterGroups"]
        changed, above = group["filters"]
        assert (changed["propertyName"], changed["operator"]) == ("lastmodifieddate", "GTE")
        assert (above["propertyName"], above["operator"]) == ("hs_object_id", "GT")
        since = datetime.fromtimestamp(int(changed["value"]) / 1000, UTC)
        found = [
            row
            for row in self.contacts
            if int(row["id"]) > int(above["value"])
            and datetime.fromisoformat(row["properties"]["lastmodifieddate"]) >= since
        ]
        found.sort(key=lambda row: int(row["id"]))
        following = {"paging": {"next": {"after": str(after + limit)}}} if after + limit < len(found) else {}
        return 200, {"total": len(found), "results": found[after : after + limit], **following}

    def statuses(self, asked: Asked) -> dict[str, Any]:
        assert asked.query == {"channel": "EMAIL"}
        name = "wideStatuses" if "unsubscribe-all" in asked.path else "statuses"
        status = {"channel": "EMAIL", "status": "UNSUBSCRIBED", "timestamp": AT, "subscriptionId": 7}
        results = [
            {"subscriberIdString": address, name: [{**status, "subscriberIdString": address}]}
            for address in asked.body["inputs"]
            if address.startswith("p1@")
        ]
        return {"status": "COMPLETE", "results": results, "startedAt": AT, "completedAt": AT}


def rows_of(account: Account, name: str, since: datetime | None) -> list[Mapping[str, Any]]:
    return [row for page in source.pages(account, OBJECTS[name], since) for row in page]


# --- contacts -------------------------------------------------------------------------------------------------------


def test_the_first_pull_lists_everybody_with_every_property_it_needs() -> None:
    portal = Portal([contact(number) for number in range(1, 251)])
    with replying(portal) as (url, calls):
        account = at(url, {"aevent:main": "aevent_registrant_id"}, properties="plan, shirt_size,")
        assert [row["id"] for row in rows_of(account, "contacts", None)] == [str(number) for number in range(1, 251)]
    first = calls[0]
    assert (first.method, first.path) == ("GET", "/crm/objects/2026-09/contacts")
    assert (first.query["limit"], first.query["archived"]) == ("100", "false")
    names = first.query["properties"].split(",")
    assert len(names) == len(set(names))
    assert {"hs_email_optout", "date_of_birth", "plan", "shirt_size", "aevent_registrant_id"} <= set(names)
    assert [call.query.get("after") for call in calls[:3]] == [None, "100", "200"]


def test_a_search_of_more_than_ten_thousand_changes_of_one_moment_loses_nobody_and_ends() -> None:
    """HubSpot changes contacts in bulk, so that any number of them bears the same time."""
    portal = Portal([contact(number) for number in range(1, 10_402)])
    with replying(portal) as (url, calls):
        found = [row["id"] for row in rows_of(at(url), "contacts", SINCE)]
    assert found == [str(number) for number in range(1, 10_402)]
    searches = [call for call in calls if call.path.endswith("/search")]
    assert len(searches) == 53
    assert not any("after" in call.body for call in searches)


def test_a_contact_that_changes_while_it_is_searched_for_is_not_missed() -> None:
    portal = Portal([contact(number, "2026-10-01T00:00:00Z" if number == 300 else AT) for number in range(1, 401)])

    def change(asked: Asked) -> None:
        portal.contacts[299] = contact(300, "2026-11-21T00:00:00Z")

    portal.fault = change
    with replying(portal) as (url, _):
        assert len(rows_of(at(url), "contacts", SINCE)) == 400


@pytest.mark.parametrize("ids", [["2", "1"], ["1", "1"], ["9", "x"], ["0"]])
def test_a_search_that_does_not_keep_to_the_order_is_refused_before_it_loses_rows(ids: list[str]) -> None:
    page = {"total": 2, "results": [{**contact(1), "id": id_} for id_ in ids], "paging": {"next": {"after": "2"}}}
    with replying(lambda asked: (200, page)) as (url, _), pytest.raises(SetAside, match="out of order"):
        rows_of(at(url), "contacts", SINCE)


def test_deleted_contacts_come_along_once() -> None:
    gone = {**contact(9), "archived": True, "archivedAt": "2026-11-10T00:00:00Z"}
    long_gone = {**contact(8), "archived": True, "archivedAt": "2026-10-10T00:00:00Z"}
    with replying(Portal([contact(1)], [gone, long_gone])) as (url, _):
        assert [row["id"] for row in rows_of(at(url), "contacts", None)] == ["1", "9", "8"]
        assert [row["id"] for row in rows_of(at(url), "contacts", SINCE)] == ["1", "9"]


def test_a_later_pull_goes_back_behind_the_lag_of_the_search_index(tmp_path: Path) -> None:
    with replying(Portal([contact(1)])) as (url, calls):
        for _ in range(2):
            done = pull(PLATFORM, [at(url)], warehouse=tmp_path / "w.duckdb", working_folder=tmp_path / "dlt")
            assert [one.error for one in done] == [None, None, None]
    searched = [call for call in calls if call.path.endswith("/search")]
    expected = datetime.fromisoformat(AT) - timedelta(minutes=15)
    assert {call.body["filterGroups"][0]["filters"][0]["value"] for call in searched} == {
        str(int(expected.timestamp() * 1000))
    }


# --- subscription statuses ------------------------------------------------------------------------------------------


def test_statuses_are_read_a_hundred_addresses_at_a_time_for_the_contacts_that_changed() -> None:
    contacts = [contact(number) for number in range(1, 151)]
    contacts += [contact(200, email=None), contact(201, "2026-10-01T00:00:00Z")]
    with replying(Portal(contacts)) as (url, calls):
        rows = rows_of(at(url), "subscription_statuses", SINCE)
    assert len(rows) == 150
    read = [call for call in calls if call.path.startswith("/communication-preferences/")]
    assert [(call.path, len(call.body["inputs"])) for call in read] == [
        ("/communication-preferences/2026-09/statuses/batch/read", 100),
        ("/communication-preferences/2026-09/statuses/batch/unsubscribe-all/read", 100),
        ("/communication-preferences/2026-09/statuses/batch/read", 50),
        ("/communication-preferences/2026-09/statuses/batch/unsubscribe-all/read", 50),
    ]


def test_a_row_joins_both_answers_and_an_address_without_one_says_nothing() -> None:
    with replying(Portal([contact(1), contact(2)])) as (url, _):
        one, two = rows_of(at(url), "subscription_statuses", None)
    assert one["contact"] == {"id": "1", "lastmodifieddate": AT}
    assert [status["status"] for status in one["statuses"]] == ["UNSUBSCRIBED"]
    assert [status["status"] for status in one["wideStatuses"]] == ["UNSUBSCRIBED"]
    assert (two["subscriberIdString"], two["statuses"], two["wideStatuses"]) == ("p2@example.com", [], [])


def test_further_addresses_of_a_contact_are_asked_about_too() -> None:
    with replying(Portal([contact(2, hs_additional_emails="p1@example.com; p3@example.com")])) as (url, calls):
        [row] = rows_of(at(url), "subscription_statuses", None)
    assert calls[-1].body["inputs"] == ["p2@example.com", "p1@example.com", "p3@example.com"]
    assert row["subscriberIdString"] == "p2@example.com"
    assert [entry["subscriberIdString"] for entry in (*row["statuses"], *row["wideStatuses"])] == ["p1@example.com"] * 2


def test_addresses_that_were_not_answered_for_are_not_read_as_silent() -> None:
    portal = Portal([contact(1)])
    errors = {"results": [], "numErrors": 1, "errors": [{"category": "INTERNAL_ERROR", "context": {}}]}
    portal.fault = lambda asked: (207, errors) if "unsubscribe-all" in asked.path else None
    with replying(portal) as (url, _), pytest.raises(SetAside, match="INTERNAL_ERROR"):
        rows_of(at(url), "subscription_statuses", None)


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_are_asked_for_by_their_time() -> None:
    with replying(Portal([])) as (url, calls):
        rows_of(at(url), "events", SINCE)
    assert calls[0].path == "/events/event-occurrences/2026-09"
    assert calls[0].query == {"objectType": "contact", "limit": "100", "occurredAfter": "2026-11-01T10:00:00Z"}


def test_a_plan_without_events_is_said_and_stops_nothing(tmp_path: Path) -> None:
    portal = Portal([contact(1)])
    portal.plan_has_events = False
    with replying(portal) as (url, _):
        done = pull(PLATFORM, [at(url)], warehouse=tmp_path / "w.duckdb", working_folder=tmp_path / "dlt")
    assert [(one.object, one.rows, one.error, bool(one.contacted_at)) for one in done] == [
        ("contacts", 1, None, True),
        ("subscription_statuses", 1, None, True),
        ("events", 0, None, True),
    ]
    assert "hubspot (main), events: HTTP 403: MISSING_SCOPES" in done[2].note
    assert not any(one.note for one in done[:2])


def test_a_missing_permission_for_contacts_is_a_failure(tmp_path: Path) -> None:
    portal = Portal([contact(1)])
    scopes = {"requiredGranularScopes": ["crm.objects.contacts.read"]}
    portal.fault = lambda asked: (403, {"category": "MISSING_SCOPES", "errors": [{"context": scopes}]})
    with replying(portal) as (url, _):
        done = pull(PLATFORM, [at(url)], warehouse=tmp_path / "w.duckdb", working_folder=tmp_path / "dlt")
    assert [bool(one.error) for one in done] == [True, True, False]
    assert "crm.objects.contacts.read" in str(done[0].error)


# --- versions, limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "paths"),
    [
        (
            "2027-03",
            [
                "/crm/objects/2027-03/contacts",
                "/crm/lists/2027-03",
                "/crm/properties/2027-03/contacts",
                "/communication-preferences/2027-03/statuses",
                "/events/event-occurrences/2027-03",
            ],
        ),
        (
            "v3",
            [
                "/crm/v3/objects/contacts",
                "/crm/v3/lists",
                "/crm/v3/properties/contacts",
                "/communication-preferences/v4/statuses",
                "/events/v3/events",
            ],
        ),
    ],
)
def test_every_path_follows_the_version_of_the_account(version: str, paths: list[str]) -> None:
    account = at("http://x", api_version=version)
    parts = ("contacts", "lists", "properties", "statuses", "events")
    assert [client.path(account, part) for part in parts] == paths


def test_a_version_that_is_none_is_told_with_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match=r"sources\.hubspot\.main.* is '3': write a date"):
        client.path(at("http://x", api_version="3"), "contacts")


def told(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Answering:
    return Answering(status, body, headers or {})


def test_the_limit_of_ten_seconds_is_waited_for_and_that_of_the_day_ends_the_run(bad_server: Bad) -> None:
    url, server = bad_server
    rolling = b'{"policyName": "TEN_SECONDLY_ROLLING", "category": "RATE_LIMITS", "correlationId": "c-1"}'
    server.__dict__.update(told(429, rolling, {"X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}).__dict__)
    with pytest.raises(RetryLater, match=r"RATE_LIMITS TEN_SECONDLY_ROLLING \(correlation id c-1\)") as raised:
        rows_of(at(url), "contacts", None)
    assert (raised.value.throttled, raised.value.retry_after) == (True, 10.0)
    server.__dict__.update(told(429, b'{"policyName": "DAILY"}', {"Retry-After": "3"}).__dict__)
    with pytest.raises(StopRun, match="used up"):
        rows_of(at(url), "contacts", None)


@pytest.mark.parametrize(("status", "seconds"), [(423, 2.0), (477, 30.0), (521, None)])
def test_troubles_that_pass_are_waited_for(bad_server: Bad, status: int, seconds: float | None) -> None:
    url, server = bad_server
    server.__dict__.update(told(status, b"{}", {"Retry-After": "30"} if status == 477 else {}).__dict__)
    with pytest.raises(RetryLater) as raised:
        rows_of(at(url), "events", None)
    assert raised.value.retry_after == seconds
