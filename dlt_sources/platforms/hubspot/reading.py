"""Look-ups of contacts and lists: by record, e-mail, phone or property, and who is on a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlt_sources.http import Session
from dlt_sources.platform import Identifier
from dlt_sources.platforms.hubspot import client

_EMAILS, _PHONES = ("email", "hs_additional_emails"), ("phone", "mobilephone")
#: A contact answers for the ids of those that were merged into it.
_MERGED = "hs_merged_object_ids"
_NAMES = [*_EMAILS, *_PHONES, _MERGED]

Contact = Mapping[str, Any]


def contacts(session: Session, values: Sequence[str], by: str = "") -> Iterator[Contact]:
    """Yield the contacts with these ids, or these values of the unique property `by`; who is gone is left out."""
    path = client.path(session.account, "contacts", "/batch/read")
    for start in range(0, len(values), client.BATCH_SIZE):
        body: dict[str, Any] = {
            "inputs": [{"id": value} for value in values[start : start + client.BATCH_SIZE]],
            "properties": _NAMES,
            "propertiesWithHistory": [],
            **({"idProperty": by} if by else {}),
        }
        yield from client.call(session, "POST", path, object="look-up", body=body, holds="results")["results"]


def by_phone(session: Session, phones: Sequence[str]) -> Iterator[Contact]:
    """Yield the contacts that bear one of these numbers, written as it is there."""
    for start in range(0, len(phones), client.BATCH_SIZE):
        values = list(phones[start : start + client.BATCH_SIZE])
        groups = [[{"propertyName": name, "operator": "IN", "values": values}] for name in _PHONES]
        yield from _search(session, groups)


def marked(session: Session, name: str) -> Iterator[Contact]:
    """Yield the contacts whose property of this name is true."""
    yield from _search(session, [[{"propertyName": name, "operator": "EQ", "value": "true"}]])


def members(session: Session, list_id: str) -> Iterator[str]:
    """Yield the record ids on a list."""
    path, after = client.path(session.account, "lists", f"/{list_id}/memberships"), ""
    while True:
        params = {"limit": str(client.MEMBERS_SIZE), **({"after": after} if after else {})}
        page = client.call(session, "GET", path, object="members", params=params, holds="results")
        yield from (str(member["recordId"]) for member in page["results"])
        following = str(((page.get("paging") or {}).get("next") or {}).get("after") or "")
        if not following or following == after:
            return
        after = following


def held(contact: Contact) -> list[Identifier]:
    """Every e-mail and phone of a contact."""
    properties = contact.get("properties") or {}
    emails = [part.strip() for name in _EMAILS for part in str(properties.get(name) or "").split(";")]
    phones = [str(properties.get(name) or "").strip() for name in _PHONES]
    found = [Identifier("email", email) for email in emails if email]
    return list(dict.fromkeys([*found, *(Identifier("phone", phone) for phone in phones if phone)]))


def ids(contact: Contact) -> list[str]:
    """The ids that lead to a contact: its own, and those of contacts merged into it."""
    merged = str((contact.get("properties") or {}).get(_MERGED) or "").split(";")
    return [str(contact.get("id")), *(id_.strip() for id_ in merged if id_.strip())]


def _search(session: Session, groups: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[Contact]:
    """All contacts of a search, in the order of their ids: each page asks for those above the last."""
    path, above = client.path(session.account, "contacts", "/search"), 0
    while True:
        beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": str(above)}
        body = {
            "filterGroups": [{"filters": [*filters, beyond]} for filters in groups],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": _NAMES,
            "limit": client.SEARCH_SIZE,
        }
        page = client.call(session, "POST", path, object="look-up", body=body, holds="results")
        yield from page["results"]
        highest = max((int(contact["id"]) for contact in page["results"]), default=above)
        if highest <= above or not (page.get("paging") or {}).get("next"):
            return
        above = highest
