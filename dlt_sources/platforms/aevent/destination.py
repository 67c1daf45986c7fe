"""Pushes to AEvent: one GET per person sets a tag. There is no call that takes a tag away, and none is invented."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

import requests

from dlt_sources.accounts import Account
from dlt_sources.http import unreachable
from dlt_sources.outcomes import accepted, dead, failed, one_by_one
from dlt_sources.platform import Destination, Operation, Outcome, Row, Target, TargetKind
from dlt_sources.platforms.aevent import client


class AEvent(Destination):
    """One AEvent account."""

    batch_size: ClassVar[Mapping[Operation, int]] = {"add": 1}
    target_kinds: ClassVar[tuple[TargetKind, ...]] = ("tag",)
    judges_by_status: ClassVar[bool] = True

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._session = client.session(account)
        self._calls_a_second = client.calls_a_second(account)
        self._turn = threading.Lock()
        self._next = 0.0

    def add(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Set the tag for each row's registrant id, else for its e-mail address; any 2xx is done.

        A redirect is not followed, since it would carry the token to another place.
        """
        return one_by_one(rows, lambda row: self._tag(target.name, row))

    def _tag(self, tag: str, row: Row) -> Outcome:
        if row.record_id:
            name, value = "r", row.record_id
        elif row.identifier is not None and row.identifier.kind == "email":
            name, value = "email", row.identifier.value
        else:
            return dead(row, "no_identifier", "AEvent knows people by registrant id or e-mail address.")
        self._wait()
        try:
            response = self._session.request(
                "GET",
                client.path(self.account, tag, name, value),
                timeout=client.SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise unreachable(self.account, "add", error) from None
        if 300 <= response.status_code < 400:
            return failed(row, str(response.status_code), "The URL leads elsewhere; check subdomain or base_url.")
        if not response.ok:
            raise self._session.refusal("add", response)
        return accepted([row])[0]

    def _wait(self) -> None:
        """Keep our own limit: AEvent publishes none."""
        with self._turn:
            now = time.monotonic()
            pause = max(0.0, self._next - now)
            self._next = now + pause + 1 / self._calls_a_second
        time.sleep(pause)


DESTINATION = AEvent
