"""Pushes to HubSpot: list membership by record id, traits as properties, withdrawals from all mail, never a grant.

A list is named by its name, must exist and must take members by hand. Being on it is membership: it changes nobody's
subscriptions. A batch is answered row by row, whatever its status code: what the answer does not name was not done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, RetryLater, SetAside, StopRun
from dlt_sources.outcomes import accepted, dead, failed, one_by_one
from dlt_sources.platform import Destination, Identifier, Operation, Outcome, Row, Target, TargetKind
from dlt_sources.platforms.hubspot import client, reading, writing
from dlt_sources.platforms.hubspot.properties import Properties

_CONTACTS = "0-1"
_BY_HAND = ("MANUAL", "SNAPSHOT")
_MISSING = "record_missing"


class HubSpot(Destination):
    """One HubSpot account."""

    batch_size: ClassVar[Mapping[Operation, int]] = {"add": 100, "remove": 100, "suppress": 100}
    target_kinds: ClassVar[tuple[TargetKind, ...]] = ("list", "property")
    channels: ClassVar[tuple[str, ...]] = ("email",)

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._session = client.session(account, retry=False)
        self._properties = Properties(self._session)
        self._lists: dict[str, str] = {}

    def add(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Write traits, make the contacts that are new, then put all that went well on the list.

        A property is a target too: it is set to true.
        """
        list_id = self._list_id(target) if target.kind == "list" else ""
        mark = {target.name: True} if target.kind == "property" else {}
        values = {row.row_id: {**row.traits, **mark} for row in rows}
        self._properties.prepare(values.values())
        written = {row_id: self._properties.written(named) for row_id, named in values.items() if named}
        records, outcomes = self._known(rows)
        updates, creations = [], []
        for row in rows:
            properties = written.get(row.row_id) or {}
            if row.row_id in records and properties:
                updates.append(writing.Input(row, {"id": records[row.row_id], "properties": properties}))
            elif row.row_id not in records and row.row_id not in outcomes and row.identifier:
                properties = {"email": row.identifier.value.strip(), **properties}
                creations.append(writing.Input(row, {"properties": properties, "associations": []}))
        for operation, inputs in (("update", updates), ("create", creations)):
            if inputs:
                done = writing.write(self._session, operation, inputs)
                outcomes |= done.refused
                records = {**done.records, **records}
        members = [row for row in rows if row.row_id not in outcomes]
        if list_id and members:
            missing = self._members("add", target, list_id, [records[row.row_id] for row in members])
            outcomes |= {row.row_id: dead(row, _MISSING) for row in members if records[row.row_id] in missing}
        return [outcomes.get(row.row_id) or accepted([row])[0] for row in rows]

    def remove(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Take contacts off the list, or set the property to false; a contact that is gone is a member no more."""
        known = [row for row in rows if row.record_id]
        outcomes = {row.row_id: dead(row, "no_record") for row in rows if not row.record_id}
        if target.kind == "list" and known:
            missing = self._members("remove", target, self._list_id(target), [str(row.record_id) for row in known])
            outcomes |= {row.row_id: accepted([row], _MISSING)[0] for row in known if row.record_id in missing}
        elif known and self._properties.type(target.name):
            cleared = self._properties.written({target.name: False})
            done = writing.write(
                self._session,
                "update",
                [writing.Input(row, {"id": row.record_id, "properties": cleared}) for row in known],
            )
            outcomes |= {
                row.row_id: accepted([row], _MISSING)[0] if refused.code == writing.GONE else refused
                for row in known
                if (refused := done.refused.get(row.row_id))
            }
        return [outcomes.get(row.row_id) or accepted([row])[0] for row in rows]

    def suppress(self, channel: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Unsubscribe the rows' addresses from all mail; HubSpot keeps that by address, with or without a contact."""
        if channel not in self.channels:
            raise self._not_offered(f"suppress {channel}")
        addresses = self._addresses(rows)
        inputs = sorted({address for held in addresses.values() for address in held})
        refused = self._unsubscribe(inputs) if inputs else {}
        outcomes = []
        for row in rows:
            held = addresses[row.row_id]
            code = next((refused[address] for address in held if address in refused), "")
            if code:
                outcomes.append(dead(row, code) if code == writing.INVALID else failed(row, code))
            else:
                outcomes += accepted([row], "" if held else "no_address")
        return outcomes

    def find(self, identifiers: Sequence[Identifier]) -> Mapping[Identifier, Sequence[str]]:
        """Look up contacts by e-mail, also one of their further e-mails, and by phone as it is written there."""
        found: dict[Identifier, list[str]] = {identifier: [] for identifier in identifiers}
        values = {kind: [one.value.strip() for one in found if one.kind == kind] for kind in ("email", "phone")}
        contacts = [
            *reading.contacts(self._session, values["email"], by="email"),
            *reading.by_phone(self._session, values["phone"]),
        ]
        for record_id, contact in {str(contact["id"]): contact for contact in contacts}.items():
            held = {_normal(identifier) for identifier in reading.held(contact)}
            for identifier in found:
                if _normal(identifier) in held:
                    found[identifier].append(record_id)
        return found

    def identify(self, record_ids: Sequence[str]) -> Mapping[str, Sequence[Identifier]]:
        """Look up what the contacts hold; one that is gone holds nothing, one that was merged what it became holds."""
        held: dict[str, Sequence[Identifier]] = {record_id: [] for record_id in record_ids}
        for contact in reading.contacts(self._session, list(held)):
            held |= {id_: reading.held(contact) for id_ in reading.ids(contact) if id_ in held}
        return held

    def read_back(self, target: Target) -> Iterator[str]:
        """Yield the ids of the contacts that are on the list, or whose property is true, now."""
        with client.session(self.account) as session:
            if target.kind == "property":
                yield from (str(contact["id"]) for contact in reading.marked(session, target.name))
            else:
                yield from reading.members(session, self._list_id(target))

    def erase(self, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Delete each contact for good; HubSpot blocks an address that it does not know."""
        return one_by_one(rows, self._erase)

    def _erase(self, row: Row) -> Outcome:
        if row.record_id:
            body = {"objectId": row.record_id}
        elif row.identifier and row.identifier.kind == "email":
            body = {"objectId": row.identifier.value, "idProperty": "email"}
        else:
            return dead(row, "no_record")
        path = client.path(self.account, "contacts", "/gdpr-delete")
        response = self._session.call("POST", path, object="erase", explain=client.explain, json=body)
        if response.content:
            raise self._unusable("erase", "not the empty answer that confirms")
        return accepted([row])[0]

    def _unsubscribe(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Address → why, for those that were refused."""
        path, params = client.path(self.account, "statuses", "/batch/unsubscribe-all"), {"channel": "EMAIL"}
        body = {"inputs": list(addresses)}
        answer = client.call(self._session, "POST", path, object="suppress", body=body, params=params, holds="results")
        return writing.unanswered(answer, addresses)

    def _known(self, rows: Sequence[Row]) -> tuple[dict[str, str], dict[str, Outcome]]:
        """Row id → record of the contacts that exist, and the outcome of rows that name nobody HubSpot could make."""
        records = {row.row_id: row.record_id for row in rows if row.record_id}
        unseen = [row for row in rows if not row.record_id]
        named = {row.row_id: row.identifier for row in unseen if row.identifier and row.identifier.kind == "email"}
        found = self.find(list(named.values())) if named else {}
        records |= {row_id: found[one][0] for row_id, one in named.items() if found.get(one)}
        return records, {row.row_id: dead(row, "no_email") for row in unseen if row.row_id not in named}

    def _members(self, change: str, target: Target, list_id: str, record_ids: Sequence[str]) -> set[str]:
        """Change the list's members; the records that HubSpot does not know."""
        path = client.path(self.account, "lists", f"/{list_id}/memberships/{change}")
        try:
            answer = client.call(self._session, "PUT", path, object=str(target), body=list(record_ids))
        except StopRun as error:
            if error.failure.status != 404:
                raise
            self._lists.pop(target.name, None)
            if self._list_id(target) != list_id:
                raise RetryLater(error.failure, "The list was made anew; its new id is used from now on.") from None
            raise
        if not isinstance(answer.get("recordIdsMissing"), list):
            raise self._unusable(str(target), "no recordIdsMissing in it")
        return {str(record_id) for record_id in answer["recordIdsMissing"]}

    def _list_id(self, target: Target) -> str:
        if target.kind != "list":
            raise self._not_offered(f"target {target.kind}")
        if target.name not in self._lists:
            path = client.path(self.account, "lists", f"/object-type-id/{_CONTACTS}/name/{quote(target.name, safe='')}")
            try:
                answer = client.call(self._session, "GET", path, object=str(target))
            except StopRun as error:
                if error.failure.status != 404:
                    raise
                step = "Make a static list of contacts with this name, or mend the name in the segment's twin."
                raise StopRun(error.failure, step) from None
            found = answer.get("list")
            if not isinstance(found, dict) or not found.get("listId"):
                raise self._unusable(str(target), "no list in it")
            if found.get("processingType") not in _BY_HAND:
                failure = Failure(self.account.platform, self.account.name, str(target), 200, "it fills itself")
                raise StopRun(failure, "Only a static list takes members: make one, or mend the segment's twin.")
            self._lists[target.name] = str(found["listId"])
        return self._lists[target.name]

    def _addresses(self, rows: Sequence[Row]) -> dict[str, list[str]]:
        """Each row's own address, else those that its contact holds."""
        named = [(row.row_id, row.identifier) for row in rows if row.identifier and row.identifier.kind == "email"]
        own = {row_id: [identifier.value.strip()] for row_id, identifier in named}
        unknown = {row.row_id: row.record_id for row in rows if row.row_id not in own and row.record_id}
        held = self.identify(sorted(set(unknown.values()))) if unknown else {}
        of_record = {
            row_id: [identifier.value for identifier in held[record_id] if identifier.kind == "email"]
            for row_id, record_id in unknown.items()
        }
        return {row.row_id: own.get(row.row_id) or of_record.get(row.row_id) or [] for row in rows}

    def _unusable(self, object: str, detail: str) -> SetAside:
        failure = Failure(self.account.platform, self.account.name, object, 200, detail)
        return SetAside(failure, "The answer is left out; check base_url and api_version.")


def _normal(identifier: Identifier) -> Identifier:
    return Identifier(identifier.kind, "".join(identifier.value.split()).lower())


DESTINATION = HubSpot
