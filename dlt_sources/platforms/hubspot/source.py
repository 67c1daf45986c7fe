"""Pulls HubSpot: contacts whole and then by search, the subscriptions of their addresses, and events.

The first pull reads the list endpoint: it is not behind the search index, knows no cap of 10,000 rows and counts
towards the wider rate limit. Later pulls search for what changed, in the order of record ids: each page asks for the
ids above the last one seen, so that neither the cap nor any number of contacts with one modification time loses a row
or loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import requests
from dlt.sources.helpers.rest_client.paginators import BasePaginator, JSONResponseCursorPaginator

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, SetAside
from dlt_sources.http import Session
from dlt_sources.paging import pages as paged
from dlt_sources.platform import Object
from dlt_sources.platforms.hubspot import client

PROPERTIES = (
    *("hs_object_id", "email", "hs_additional_emails", "phone", "mobilephone", "firstname", "lastname"),
    *("country", "state", "hs_country_region_code", "zip", "hs_language", "hs_timezone", "createdate"),
    *("lastmodifieddate", "hs_email_optout", "hs_email_bounce", "hs_email_hard_bounce_reason_enum"),
    *("hs_email_quarantined", "hs_legal_basis", "date_of_birth", "age_verified"),
)

Page = Sequence[Mapping[str, Any]]


def pages(account: Account, obj: Object, since: datetime | None) -> Iterator[Page]:
    """Yield pages of records as HubSpot sends them; a subscription row joins two answers about one address."""
    with client.session(account) as session:
        if obj.name == "events":
            yield from _events(session, since)
        elif obj.name == "subscription_statuses":
            for page in _live(session, obj, since, ("email", "hs_additional_emails", "lastmodifieddate")):
                for start in range(0, len(page), client.BATCH_SIZE):
                    yield from _statuses(session, page[start : start + client.BATCH_SIZE])
        else:
            names = _properties(account)
            yield from _live(session, obj, since, names)
            yield from _archived(session, obj, since, names)


def _properties(account: Account) -> Sequence[str]:
    more = [name.strip() for name in account.get("properties").split(",")]
    return list(dict.fromkeys([*PROPERTIES, *account.external_ids.values(), *filter(None, more)]))


def _live(session: Session, obj: Object, since: datetime | None, names: Sequence[str]) -> Iterator[Page]:
    if since is None:
        yield from _listed(session, obj, names, archived=False)
        return
    yield from paged(
        session,
        client.path(session.account, "contacts", "/search"),
        object=obj.name,
        selector="results",
        json=_search(since, names, above=0),
        paginator=_ById(session.account, obj.name),
        explain=client.explain,
    )


def _archived(session: Session, obj: Object, since: datetime | None, names: Sequence[str]) -> Iterator[Page]:
    """Deleted contacts, which no search finds; HubSpot keeps them for 90 days."""
    for page in _listed(session, obj, names, archived=True):
        recent = [row for row in page if since is None or _newer(row.get("archivedAt"), since)]
        if recent:
            yield recent


def _listed(session: Session, obj: Object, names: Sequence[str], *, archived: bool) -> Iterator[Page]:
    params = {
        "limit": client.PAGE_SIZE,
        "properties": ",".join(names),
        "archived": "true" if archived else "false",
    }
    yield from paged(
        session,
        client.path(session.account, "contacts"),
        object=obj.name,
        selector="results",
        params=params,
        paginator=JSONResponseCursorPaginator(cursor_path="paging.next.after", cursor_param="after"),
        explain=client.explain,
    )


def _events(session: Session, since: datetime | None) -> Iterator[Page]:
    params: dict[str, str | int] = {"objectType": "contact", "limit": client.PAGE_SIZE}
    if since is not None:
        params["occurredAfter"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    yield from paged(
        session,
        client.path(session.account, "events"),
        object="events",
        selector="results",
        params=params,
        paginator=JSONResponseCursorPaginator(cursor_path="paging.next.after", cursor_param="after"),
        explain=client.explain,
    )


def _statuses(session: Session, contacts: Page) -> Iterator[Page]:
    """One page of rows: what a contact's addresses are subscribed to, and what they have opted out of altogether."""
    addresses = {str(contact.get("id")): _addresses(contact) for contact in contacts}
    asked = list(dict.fromkeys(address for several in addresses.values() for address in several))
    statuses: dict[str, dict[str, Any]] = {}
    wide: dict[str, dict[str, Any]] = {}
    for start in range(0, len(asked), client.BATCH_SIZE):
        statuses |= _read(session, "/batch/read", asked[start : start + client.BATCH_SIZE])
        wide |= _read(session, "/batch/unsubscribe-all/read", asked[start : start + client.BATCH_SIZE])
    rows = [
        {
            "subscriberIdString": several[0],
            **statuses.get(several[0].lower(), {}),
            "statuses": _joined(statuses, "statuses", several),
            "wideStatuses": _joined(wide, "wideStatuses", several),
            "contact": {"id": contact.get("id"), "lastmodifieddate": contact["properties"].get("lastmodifieddate")},
        }
        for contact in contacts
        if (several := addresses[str(contact.get("id"))])
    ]
    if rows:
        yield rows


def _joined(answers: Mapping[str, Mapping[str, Any]], name: str, addresses: Sequence[str]) -> list[Any]:
    """What was said about each of the addresses; every entry names its own."""
    return [entry for address in addresses for entry in answers.get(address.lower(), {}).get(name) or ()]


def _read(session: Session, tail: str, addresses: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The answers of a batch by address; an address without one has nothing to be told, unless errors say otherwise."""
    path = client.path(session.account, "statuses", tail)
    answer = client.call(
        session,
        "POST",
        path,
        object="subscription_statuses",
        body={"inputs": list(addresses)},
        params={"channel": "EMAIL"},
        holds="results",
    )
    faults = {str(error.get("category")) for error in answer.get("errors") or () if isinstance(error, dict)}
    if faults - {"VALIDATION_ERROR"}:
        # Left out rather than read as silent; the next pull asks again.
        account, detail = session.account, ", ".join(sorted(faults))
        failure = Failure(account.platform, account.name, "subscription_statuses", 207, detail)
        raise SetAside(failure, "Some addresses were not answered for; the next pull asks again.")
    return {str(row.get("subscriberIdString") or "").lower(): row for row in answer["results"]}


def _addresses(contact: Mapping[str, Any]) -> list[str]:
    """The contact's e-mail first, then its further ones."""
    properties = contact.get("properties") or {}
    several = [str(properties.get(name) or "") for name in ("email", "hs_additional_emails")]
    return list(dict.fromkeys(filter(None, (part.strip() for part in ";".join(several).split(";")))))


def _newer(time: Any, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(time) >= since
    except (TypeError, ValueError):
        return True


def _search(since: datetime, names: Sequence[str], *, above: int) -> dict[str, Any]:
    filters = [
        {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(int(since.timestamp() * 1000))},
        {"propertyName": "hs_object_id", "operator": "GT", "value": str(above)},
    ]
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": list(names),
        "limit": client.SEARCH_SIZE,
    }


class _ById(BasePaginator):
    """Asks for the ids above the highest one seen, until a page comes that is the last of its search."""

    def __init__(self, account: Account, object: str) -> None:
        super().__init__()
        self._account, self._object, self._highest = account, object, 0

    def update_state(self, response: requests.Response, data: list[Any] | None = None) -> None:
        """Note the highest id; SetAside when the page is not in the order asked for, since rows would be lost."""
        ids = [_number(row.get("id")) for row in data or ()]
        if ids != sorted(set(ids)) or (ids and ids[0] <= self._highest):
            failure = Failure(self._account.platform, self._account.name, self._object, 200, "a page out of order")
            raise SetAside(failure, "The search did not keep to the order of ids; the next pull begins again.")
        self._highest = ids[-1] if ids else self._highest
        self._has_next_page = bool(ids) and bool((response.json().get("paging") or {}).get("next"))

    def update_request(self, request: Any) -> None:
        """Put the highest id into the filter."""
        filters = request.json["filterGroups"][0]["filters"]
        filters[-1]["value"] = str(self._highest)


def _number(id_: Any) -> int:
    return int(id_) if isinstance(id_, str) and id_.isdecimal() else 0
