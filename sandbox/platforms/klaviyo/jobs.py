"""Klaviyo's asynchronous jobs: bulk import, suppression, subscription, unsubscription, erasure.

A job is accepted at once and takes effect `job_seconds` later; the effect is carried out at the next call after that
moment, so nothing runs in the background.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.facts import utc_now, valid_email, valid_phone
from sandbox.platforms.klaviyo.jsonapi import stamp
from sandbox.platforms.klaviyo.state import State, new_profile, suppress, unsubscribe_email, unsubscribe_sms
from sandbox.store import Row

LIFTED_BY_SUBSCRIBING = ("UNSUBSCRIBE", "SPAM_COMPLAINT", "USER_SUPPRESSED")


class Jobs:
    """Accepts jobs and carries out those that are due."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.table = state.standin.table("jobs")
        self._open: set[str] = set()

    def accept(self, kind: str, payload: Row, total: int) -> str:
        """Queue a job; its id."""
        now = datetime.now(UTC)
        ready = now + timedelta(seconds=self.state.standin.world.settings.job_seconds)
        row_id = str(uuid.uuid4())
        row: Row = {
            "kind": kind, "status": "queued", "created_at": stamp(now), "total_count": total, "completed_count": 0,
            "failed_count": 0, "skipped_count": 0, "started_at": None, "completed_at": None,
            "expires_at": stamp(now + timedelta(days=7)), "payload": payload, "ready": ready.timestamp(), "errors": [],
            "done": [],
        }  # fmt: skip
        self.table.put(row_id, row)
        self._open.add(row_id)
        return row_id

    def resume(self) -> None:
        """Find the jobs that an earlier life of the sandbox left open."""
        self._open = {row_id for row_id, row in self.table.rows.items() if row["completed_at"] is None}

    def settle(self) -> None:
        """Carry out what is due; a job in the second half of its time is "processing"."""
        now = time.time()
        for row_id in sorted(self._open, key=lambda job: float(self.table.rows[job]["ready"])):
            row = self.table.rows[row_id]
            if now >= row["ready"]:
                self._open.discard(row_id)
                done = dict(row)
                getattr(self, "_" + row["kind"].replace("-", "_"))(done)
                done |= {"status": "complete", "completed_at": stamp(utc_now())}
                self.table.put(row_id, done)
            elif row["status"] == "queued" and now >= row["ready"] - self.state.standin.world.settings.job_seconds / 2:
                self.table.put(row_id, row | {"status": "processing", "started_at": stamp(utc_now())})

    def upsert(self, attributes: Row, profile_id: str | None, meta: Row | None = None) -> tuple[str | None, bool]:
        """Create or update one profile; (id, created). The id is None when it cannot be imported."""
        state, at = self.state, stamp(utc_now())
        given = {name: value for name, value in attributes.items() if name not in ("subscriptions", "location")}
        if not self._importable(attributes, profile_id):
            return None, False
        row_id = profile_id or self.identify(attributes)
        created = row_id is None
        row_id = row_id or "01" + uuid.uuid4().hex[:24].upper()
        row = new_profile(at) if created else dict(state.profiles.rows[row_id])
        properties = row["properties"] | (given.pop("properties", None) or {})
        patch = (meta or {}).get("patch_properties") or {}
        for name in patch.get("unset") or []:
            properties.pop(name, None)
        location = row["location"] | (attributes.get("location") or {})
        row |= given | {"properties": properties, "location": location}
        state.touch(row_id, row, at)
        return row_id, created

    def identify(self, attributes: Row) -> str | None:
        """The profile that these attributes name: by external id, e-mail or phone, in this order."""
        profiles = self.state.profiles
        return (
            profiles.find("external_id", attributes.get("external_id"))
            or profiles.find("email", valid_email(attributes.get("email")))
            or profiles.find("phone_number", valid_phone(attributes.get("phone_number")))
        )

    def _importable(self, attributes: Row, profile_id: str | None) -> bool:
        email, phone = attributes.get("email"), attributes.get("phone_number")
        known = profile_id is None or profile_id in self.state.profiles.rows
        named = bool(profile_id or email or phone or attributes.get("external_id"))
        return known and named and (not email or bool(valid_email(email))) and (not phone or bool(valid_phone(phone)))

    def _profile_bulk_import_job(self, job: Row) -> None:
        at = stamp(utc_now())
        refused = self.state.standin.faults.rejects
        for number, item in enumerate(job["payload"]["profiles"]):
            attributes = item.get("attributes") or {}
            row_id: str | None = None
            if not refused(item.get("id"), attributes.get("email"), attributes.get("external_id")):
                row_id, _ = self.upsert(attributes, item.get("id"), item.get("meta"))
            if row_id is None:
                job["errors"].append(_import_error(number, item))
                continue
            job["done"].append(row_id)
            for list_id in job["payload"]["lists"]:
                self.state.join(list_id, row_id, at)
        job["completed_count"], job["failed_count"] = len(job["done"]), len(job["errors"])

    def _profile_suppression_bulk_create_job(self, job: Row) -> None:
        at, state = stamp(utc_now()), self.state
        for row_id in self._targets(job["payload"]):
            if state.standin.faults.rejects(row_id, state.profiles.rows[row_id]["email"]):
                job["skipped_count"] += 1
                continue
            row = _copied(state.profiles.rows[row_id])
            suppress(row["subscriptions"]["email"], "USER_SUPPRESSED", at)
            state.touch(row_id, row, at)
            job["completed_count"] += 1

    def _profile_suppression_bulk_delete_job(self, job: Row) -> None:
        for row_id in self._targets(job["payload"]):
            self._lift(row_id, ("USER_SUPPRESSED",))
            job["completed_count"] += 1

    def _profile_subscription_bulk_delete_job(self, job: Row) -> None:
        at, state, list_id = stamp(utc_now()), self.state, job["payload"]["list"]
        for item in job["payload"]["profiles"]:
            row_id = self._one(item, at)
            row = _copied(state.profiles.rows[row_id])
            if list_id and f"{list_id}:{row_id}" in state.members.rows:
                state.members.drop(f"{list_id}:{row_id}")
                entry = {"list_id": list_id, "reason": "USER_SUPPRESSED", "timestamp": at}
                row["subscriptions"]["email"]["list_suppressions"].append(entry)
            else:
                # With a list named, whoever is not on it is unsubscribed from everything.
                channels = item.get("subscriptions") or {}
                if "email" in channels:
                    unsubscribe_email(row["subscriptions"]["email"], at)
                if "sms" in channels:
                    unsubscribe_sms(row["subscriptions"]["sms"], at)
            state.touch(row_id, row, at)

    def _profile_subscription_bulk_create_job(self, job: Row) -> None:
        at, state = stamp(utc_now()), self.state
        for item in job["payload"]["profiles"]:
            row_id = self._one(item, at)
            channels = item.get("subscriptions") or {}
            if "email" in channels:
                self._lift(row_id, LIFTED_BY_SUBSCRIBING)
            row = _copied(state.profiles.rows[row_id])
            granted = {"consent": "SUBSCRIBED", "consent_timestamp": at, "last_updated": at, "method": "API"}
            if "email" in channels:
                row["subscriptions"]["email"] |= granted | {"double_optin": False}
            if "sms" in channels:
                row["subscriptions"]["sms"] |= granted | {"can_receive_sms_marketing": True}
            state.touch(row_id, row, at)
            if job["payload"]["list"]:
                state.join(job["payload"]["list"], row_id, at)

    def _data_privacy_deletion_job(self, job: Row) -> None:
        row_id = job["payload"].get("id") or self.identify(job["payload"])
        if row_id in self.state.profiles.rows:
            self.state.forget(str(row_id))

    def _targets(self, payload: Row) -> list[str]:
        if payload.get("list"):
            return [row["profile"] for row in self.state.members.rows.values() if row["list"] == payload["list"]]
        at = stamp(utc_now())
        return [self._one({"email": email}, at) for email in payload["emails"]]

    def _one(self, item: Row, at: str) -> str:
        """The profile named, made when there is none: it then remembers the opt-out of a stranger."""
        row_id = item.get("id") or self.identify(item)
        if row_id is None:
            row_id = "01" + uuid.uuid4().hex[:24].upper()
            named: dict[str, Any] = {"email": item.get("email"), "phone_number": item.get("phone_number")}
            self.state.profiles.put(row_id, new_profile(at, **named))
        return str(row_id)

    def _lift(self, row_id: str, reasons: tuple[str, ...]) -> None:
        row = _copied(self.state.profiles.rows[row_id])
        email = row["subscriptions"]["email"]
        email["suppression"] = [entry for entry in email["suppression"] if entry["reason"] not in reasons]
        email["can_receive_email_marketing"] = not email["suppression"]
        self.state.touch(row_id, row, stamp(utc_now()))


def _copied(row: Row) -> Row:
    """A copy deep enough to change consent in: tables must see the old row until the new one is put."""
    email, sms = row["subscriptions"]["email"], row["subscriptions"]["sms"]
    lists = {"suppression": list(email["suppression"]), "list_suppressions": list(email["list_suppressions"])}
    return row | {"subscriptions": {"email": email | lists, "sms": dict(sms)}}


def _import_error(number: int, item: Row) -> Row:
    return {
        "type": "import-error",
        "id": str(uuid.uuid4()),
        "attributes": {
            "code": "invalid", "title": "Invalid input.", "detail": "The profile could not be imported.",
            "source": {"pointer": f"/data/attributes/profiles/data/{number}/attributes"}, "original_payload": item,
        },
    }  # fmt: skip
