"""Pushes to Klaviyo: list membership by bulk import or by id, withdrawals by suppression, never a grant.

A list is named by its name and must exist. Being on a list is membership: it changes no consent, and nobody is mailed
for it whose consent Klaviyo itself does not hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, RetryLater, SetAside, StopRun
from dlt_sources.outcomes import accepted, dead, failed, one_by_one
from dlt_sources.platform import Destination, Identifier, Job, Operation, Outcome, Row, Target, TargetKind
from dlt_sources.platforms.klaviyo import client

_FIELDS = {"email": "email", "phone": "phone_number"}
_NAMING = _FIELDS | {"external": "external_id"}
_POINTER = re.compile(r"/profiles/data/(\d+)")
#: A look-up names at most this many values, to keep the URL below what servers take.
_LOOK_UP = 50


class Klaviyo(Destination):
    """One Klaviyo account."""

    batch_size: ClassVar[Mapping[Operation, int]] = {"add": 1000, "remove": 1000, "suppress": 100}
    target_kinds: ClassVar[tuple[TargetKind, ...]] = ("list",)
    channels: ClassVar[tuple[str, ...]] = ("email", "sms")

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._session = client.session(account, retry=False)
        self._lists: dict[str, str] = {}

    def add(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome] | Job:
        """Put profiles on the list: known ones by id, at once; with traits or as new profiles by a job."""
        list_id = self._list_id(target)
        if all(row.record_id and not row.traits for row in rows):
            self._members("POST", target, list_id, rows)
            return accepted(rows)
        body = _resource(
            "profile-bulk-import-job",
            {"profiles": {"data": [_profile(row) for row in rows]}},
            relationships={"lists": {"data": [{"type": "list", "id": list_id}]}},
        )
        answer = self._call("POST", "/api/profile-bulk-import-jobs", "add", body)
        return Job(str(answer["data"]["id"]))

    def poll(self, job: Job, rows: Sequence[Row]) -> Sequence[Outcome] | None:
        """Read the job; its errors name rows by their place. One that Klaviyo no longer knows has to be repeated."""
        path = f"/api/profile-bulk-import-jobs/{job.id}"
        try:
            attributes = self._call("GET", path, "job")["data"]["attributes"]
        except StopRun as error:
            if error.failure.status != 404:
                raise
            return [failed(row, "job_unknown") for row in rows]
        if attributes.get("status") in ("queued", "processing"):
            return None
        if attributes.get("status") != "complete":
            return [failed(row, f"job_{attributes.get('status')}") for row in rows]
        count = int(attributes.get("failed_count") or 0)
        errors = self._import_errors(path) if count else {}
        # Where some failed row is not named, nobody knows which: the rest goes again, which changes nothing.
        rest = failed if len(errors) < count else _done
        return [
            dead(row, str(errors[place].get("code")), str(errors[place].get("title")))
            if place in errors
            else rest(row, "")
            for place, row in enumerate(rows)
        ]

    def remove(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Take profiles off the list."""
        known = [row for row in rows if row.record_id]
        if known:
            self._members("DELETE", target, self._list_id(target), known)
        return [*accepted(known), *(dead(row, "no_record") for row in rows if not row.record_id)]

    def suppress(self, channel: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Suppress e-mail addresses, or unsubscribe phone numbers from texts alone.

        The job to unsubscribe is never given a list: it would unsubscribe from everything whoever is not on that list.
        """
        if channel not in self.channels:
            raise self._not_offered(f"suppress {channel}")
        addresses = self._addresses("email" if channel == "email" else "phone", rows)
        values = sorted({value for held in addresses.values() for value in held})
        if values and channel == "email":
            profiles = [{"type": "profile", "attributes": {"email": value}} for value in values]
            self._job("profile-suppression-bulk-create-job", profiles)
        elif values:
            withdrawal = {"sms": {"marketing": {"consent": "UNSUBSCRIBED"}}}
            profiles = [
                {"type": "profile", "attributes": {"phone_number": value, "subscriptions": withdrawal}}
                for value in values
            ]
            self._job("profile-subscription-bulk-delete-job", profiles)
        return [
            Outcome(row_id=row.row_id, status="accepted", code="" if addresses[row.row_id] else "no_address")
            for row in rows
        ]

    def find(self, identifiers: Sequence[Identifier]) -> Mapping[Identifier, Sequence[str]]:
        """Look up profiles by e-mail and phone; Klaviyo compares e-mails without regard to case."""
        found: dict[Identifier, list[str]] = {identifier: [] for identifier in identifiers}
        for kind, name in _FIELDS.items():
            wanted: dict[str, list[Identifier]] = {}
            for identifier in identifiers:
                if identifier.kind == kind:
                    wanted.setdefault(identifier.value.strip().lower(), []).append(identifier)
            for profile in self._profiles(name, list(wanted)):
                value = str(profile["attributes"].get(name) or "").lower()
                for identifier in wanted.get(value, []):
                    found[identifier].append(str(profile["id"]))
        return found

    def identify(self, record_ids: Sequence[str]) -> Mapping[str, Sequence[Identifier]]:
        """Look up what the profiles hold; a profile that is gone holds nothing."""
        held: dict[str, list[Identifier]] = {record_id: [] for record_id in record_ids}
        for profile in self._profiles("id", list(held)):
            email, phone = (profile["attributes"].get(name) for name in _FIELDS.values())
            held[str(profile["id"])] = [
                *([Identifier("email", str(email))] if email else []),
                *([Identifier("phone", str(phone))] if phone else []),
            ]
        return held

    def read_back(self, target: Target) -> Iterator[str]:
        """Yield the ids of the profiles on the list now."""
        with client.session(self.account) as session:
            path = f"/api/lists/{self._list_id(target)}/relationships/profiles"
            params = {"page[size]": str(client.MEMBERS_PER_PAGE)}
            for member in client.resources(session, path, params, object=str(target)):
                yield str(member["id"])

    def erase(self, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Ask for each profile's deletion; Klaviyo carries it out later and tells nobody."""
        return one_by_one(rows, self._erase)

    def _erase(self, row: Row) -> Outcome:
        profile: dict[str, Any] = {"type": "profile", "attributes": {}}
        if row.record_id:
            profile["id"] = row.record_id
        elif row.identifier and row.identifier.kind in _FIELDS:
            profile["attributes"] = {_FIELDS[row.identifier.kind]: row.identifier.value}
        else:
            return dead(row, "no_record")
        body = _resource("data-privacy-deletion-job", {"profile": {"data": profile}})
        self._call("POST", "/api/data-privacy-deletion-jobs", "erase", body)
        return accepted([row])[0]

    def _members(self, method: str, target: Target, list_id: str, rows: Sequence[Row]) -> None:
        body = {"data": [{"type": "profile", "id": row.record_id} for row in rows]}
        try:
            self._call(method, f"/api/lists/{list_id}/relationships/profiles", str(target), body)
        except StopRun as error:
            if error.failure.status != 404:
                raise
            # Either the list is gone, which the look-up says, or it was made anew, or one of the profiles is gone.
            self._lists.pop(target.name, None)
            if self._list_id(target) != list_id:
                raise RetryLater(error.failure, "The list was made anew; its new id is used from now on.") from None
            raise SetAside(error.failure, "A profile in it is gone; the others can be sent without it.") from None

    def _list_id(self, target: Target) -> str:
        if target.kind != "list":
            raise self._not_offered(f"target {target.kind}")
        if target.name not in self._lists:
            params = {"filter": f"equals(name,{_quoted(target.name)})"}
            answer = self._call("GET", "/api/lists", str(target), params=params)
            ids = [str(entry["id"]) for entry in answer.get("data") or ()]
            if len(ids) != 1:
                detail = f"{len(ids)} lists have this name"
                failure = Failure(self.account.platform, self.account.name, str(target), 200, detail)
                raise StopRun(failure, "Make it one in Klaviyo, or mend the name in the segment's twin.")
            self._lists[target.name] = ids[0]
        return self._lists[target.name]

    def _addresses(self, kind: str, rows: Sequence[Row]) -> dict[str, list[str]]:
        """Each row's own address of that kind, else those its record holds."""
        own = {row.row_id: [row.identifier.value] for row in rows if row.identifier and row.identifier.kind == kind}
        unknown = {row.row_id: row.record_id for row in rows if row.row_id not in own and row.record_id}
        held = self.identify(sorted(set(unknown.values()))) if unknown else {}
        of_record = {
            row_id: [identifier.value for identifier in held[record_id] if identifier.kind == kind]
            for row_id, record_id in unknown.items()
        }
        return {row.row_id: own.get(row.row_id) or of_record.get(row.row_id) or [] for row in rows}

    def _profiles(self, name: str, values: Sequence[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(values), _LOOK_UP):
            some = ",".join(_quoted(value) for value in values[start : start + _LOOK_UP])
            params = {
                "filter": f"any({name},[{some}])",
                "fields[profile]": ",".join(_FIELDS.values()),
                "page[size]": str(client.PROFILES_PER_PAGE),
            }
            yield from client.resources(self._session, "/api/profiles", params, object="look-up")

    def _import_errors(self, path: str) -> dict[int, Mapping[str, Any]]:
        errors: dict[int, Mapping[str, Any]] = {}
        params = {"page[size]": "100"}
        for entry in client.resources(self._session, f"{path}/import-errors", params, object="job"):
            attributes = entry.get("attributes") or {}
            place = _POINTER.search(str((attributes.get("source") or {}).get("pointer")))
            if place:
                errors[int(place[1])] = attributes
        return errors

    def _job(self, kind: str, profiles: Sequence[Mapping[str, Any]]) -> None:
        self._call("POST", f"/api/{kind}s", "suppress", _resource(kind, {"profiles": {"data": profiles}}))

    def _call(
        self, method: str, path: str, object: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return client.call(self._session, method, path, object=object, body=body, params=params)


def _profile(row: Row) -> dict[str, Any]:
    attributes: dict[str, Any] = {"properties": dict(row.traits)} if row.traits else {}
    if row.record_id:
        return {"type": "profile", "id": row.record_id, "attributes": attributes}
    if row.identifier and row.identifier.kind in _NAMING:
        attributes[_NAMING[row.identifier.kind]] = row.identifier.value
    return {"type": "profile", "attributes": attributes}


def _resource(kind: str, attributes: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": attributes, **more}}


def _done(row: Row, code: str) -> Outcome:
    return Outcome(row_id=row.row_id, status="accepted", code=code)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


DESTINATION = Klaviyo
