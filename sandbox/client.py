"""`Sandbox`: the handle on running stand-ins, in this process or another. It speaks the control API over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests


@dataclass(frozen=True, slots=True)
class ActResult:
    """What became of an act: the receiver's status (None: nothing sent or no answer) and the milliseconds it took."""

    act: str
    person: str
    platform: str
    topic: str
    delivery_id: str
    status: int | None
    ms: float
    late: float


class SandboxError(Exception):
    """The sandbox refused a control call; the text says why."""


class Sandbox:
    """Addresses, credentials and control of a running sandbox.

    `urls`, `credentials` and `config` are by platform; `config` holds what a client needs besides credentials.
    """

    def __init__(self, described: dict[str, Any]) -> None:
        self.urls: dict[str, str] = described["urls"]
        self.credentials: dict[str, dict[str, str]] = described["credentials"]
        self.config: dict[str, dict[str, Any]] = described["config"]
        self.pid: int = described["pid"]
        self._session = requests.Session()
        self._session.trust_env = False

    @classmethod
    def connect(cls, home: Path) -> Sandbox:
        """The sandbox that runs in another process with this home; FileNotFoundError when there is none."""
        return cls(json.loads((home / "sandbox.json").read_bytes()))

    def act(self, act: str, person: str, **options: Any) -> ActResult:
        """Let a person (id, e-mail, phone or `platform:record_id`) do something; the webhook is sent after it is so."""
        told = self._ask("POST", "/act", {"act": act, "person": person, **options})
        return ActResult(**{name: told[name] for name in ActResult.__slots__})

    def misbehave(
        self, platform: str, kind: str, times: int = 1, *, path: str = "", method: str = "", seconds: float = 1.0,
        effect: bool = False, records: Iterable[str] = (),
    ) -> None:  # fmt: skip
        """Queue a fault at one platform; the kinds and fields are those of `sandbox.faults.Fault`."""
        fault = {"kind": kind, "times": times, "path": path, "method": method, "seconds": seconds, "effect": effect}
        self._ask("POST", "/faults", {**fault, "records": list(records)}, platform)

    def behave(self) -> None:
        """Take back every fault at every platform."""
        for platform in self.urls:
            self._ask("DELETE", "/faults", platform=platform)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings (unlimited, job_seconds, receiver, public_url, retry_delays); all settings as they are."""
        found: dict[str, Any] = self._ask("POST", "/settings", changes)
        return found

    def calls(self, **wanted: str | int) -> list[dict[str, Any]]:
        """The log, oldest first: number, at, platform, method, path, query, body, status, ms, and fault or notes."""
        found: list[dict[str, Any]] = self._ask("GET", "/calls", query=wanted)
        return found

    def clear_calls(self) -> None:
        """Empty the log."""
        self._ask("DELETE", "/calls")

    def deliveries(self) -> list[dict[str, Any]]:
        """Every webhook sent, oldest first, with attempt, status and ms."""
        found: list[dict[str, Any]] = self._ask("GET", "/deliveries")
        return found

    def truth(self, as_of: datetime | None = None) -> dict[str, Any]:
        """What must be true at a moment (default: now), as `sandbox.truth.Truth.document` gives it."""
        found: dict[str, Any] = self._ask("GET", "/truth", query={"as_of": as_of.isoformat()} if as_of else {})
        return found

    def expected_members(self, audience: str, as_of: datetime | None = None) -> dict[str, set[str]]:
        """The record ids that each destination must hold for an audience, by platform."""
        members = self.truth(as_of)["audiences"][audience]["members"]
        return {platform: set(told["records"]) for platform, told in members.items()}

    def members(self) -> dict[str, dict[str, set[str]]]:
        """The record ids really held: platform, then list or tag."""
        found = self._ask("GET", "/members")
        return {platform: {name: set(ids) for name, ids in held.items()} for platform, held in found.items()}

    def people(self, story: str | None = None) -> list[dict[str, Any]]:
        """People with their records and identifiers, perhaps only those of one story."""
        found: list[dict[str, Any]] = self._ask("GET", "/people", query={"story": story} if story else {})
        return found

    def person(self, who: str) -> dict[str, Any]:
        """One person, found by id, e-mail, phone or `platform:record_id`."""
        found: dict[str, Any] = self._ask("GET", "/people", query={"who": who})[0]
        return found

    def registries(self) -> dict[str, dict[str, Any]]:
        """What registries answered, by name: `compared_on`, and `found` with identifier, result and since of each."""
        found: dict[str, dict[str, Any]] = self._ask("GET", "/registries")
        return found

    def _ask(self, method: str, path: str, body: Any = None, platform: str | None = None, query: Any = None) -> Any:
        url = self.urls[platform or next(iter(self.urls))]
        answer = self._session.request(method, f"{url}/_sandbox{path}", json=body, params=query, timeout=120)
        if answer.status_code >= 400:
            raise SandboxError(answer.json()["error"] if answer.status_code == 400 else answer.text)
        return answer.json()
