"""Pushes to Twilio: opt-outs, single messages, and the deletion of a number's messages.

Twilio has no lists: an audience lives elsewhere, and sending is its only use here. Opt-outs go to the consent store
of the sender or messaging service, so that Twilio itself refuses whoever texted no stop word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import orjson
import requests

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, SetAside
from dlt_sources.http import json_body, refused
from dlt_sources.outcomes import accepted, dead, failed, one_by_one
from dlt_sources.platform import Destination, Operation, Outcome, Row
from dlt_sources.platforms.twilio import client

#: The only status that any code here can write to the consent store.
_WITHDRAWN = "opt-out"


class Twilio(Destination):
    """One Twilio account."""

    batch_size: ClassVar[Mapping[Operation, int]] = {"suppress": 25}
    channels: ClassVar[tuple[str, ...]] = ("sms",)

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._api = client.session(account, retry=False)
        self._accounts = client.accounts_session(account, retry=False)

    def suppress(self, channel: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Opt the numbers out of the account's sender; every row has its own answer."""
        if channel not in self.channels:
            raise self._not_offered(f"suppress {channel}")
        phones = {row.row_id: _phone(row) for row in rows}
        items = [
            orjson.dumps(
                {
                    "contact_id": phones[row.row_id],
                    "correlation_id": _correlation(row),
                    "sender_id": self._sender(),
                    "status": _WITHDRAWN,
                    "source": "others",
                }
            ).decode()
            for row in rows
            if phones[row.row_id]
        ]
        answers: dict[str, Mapping[str, Any]] = {}
        if items:
            response = self._accounts.call(
                "POST", "/v1/Consents/Bulk", object="suppress", explain=client.explain, data={"Items": items}
            )
            for item in self._page("suppress", response, "items")["items"]:
                answers[str(item.get("correlation_id"))] = item
        return [_consent_outcome(row, phones[row.row_id], answers.get(_correlation(row))) for row in rows]

    def send(self, sender: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Text each row's `body` trait to its number.

        A call without a clear answer may have sent the text, so its row is dead and not tried again.
        """
        return [self._send(sender or self._sender(), row) for row in rows]

    def erase(self, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Delete every message from and to each row's number; the opt-out must live on with us."""
        return one_by_one(rows, self._erase)

    def _send(self, sender: str, row: Row) -> Outcome:
        phone = _phone(row)
        if not phone or not row.traits.get("body"):
            return dead(row, "no_phone" if not phone else "no_body")
        origin = "MessagingServiceSid" if sender.startswith("MG") else "From"
        form = {"To": phone, origin: sender, "Body": str(row.traits["body"])}
        try:
            response = self._api.request("POST", client.account_path(self.account, "/Messages.json"), data=form)
        except requests.RequestException as error:
            return dead(row, "outcome_unknown", type(error).__name__)
        if response.ok:
            return accepted([row])[0]
        if response.status_code in (401, 403):
            raise refused(self.account, "send", response, client.explain(response))
        if response.status_code == 429:
            return failed(row, "429")
        number = client.code(response)
        if response.status_code >= 500:
            return dead(row, "outcome_unknown", f"HTTP {response.status_code}")
        return dead(row, str(number or response.status_code), client.explain(response))

    def _erase(self, row: Row) -> Outcome:
        phone = _phone(row)
        if not phone:
            return dead(row, "no_phone")
        for field in ("To", "From"):
            for sid in list(self._messages(field, phone)):
                path = client.account_path(self.account, f"/Messages/{sid}.json")
                self._api.call("DELETE", path, object="erase", explain=client.explain)
        return accepted([row])[0]

    def _messages(self, field: str, phone: str) -> Iterator[str]:
        path: str | None = client.account_path(self.account, "/Messages.json")
        params: dict[str, str] | None = {field: phone, "PageSize": str(client.PAGE_SIZE)}
        while path:
            response = self._api.call("GET", path, object="erase", explain=client.explain, params=params)
            page = self._page("erase", response, "messages")
            yield from (str(message["sid"]) for message in page["messages"])
            path, params = page.get("next_page_uri"), None

    def _sender(self) -> str:
        return self.account.get("messaging_service_sid") or self.account["from_number"]

    def _page(self, object: str, response: requests.Response, key: str) -> dict[str, Any]:
        """An answer that must hold a list of objects under `key`."""
        answer = json_body(self.account, object, response)
        rows = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            failure = Failure(self.account.platform, self.account.name, object, response.status_code, f"no {key} in it")
            raise SetAside(failure, "The answer is left out; check base_url.")
        page: dict[str, Any] = answer
        return page


def _consent_outcome(row: Row, phone: str, answer: Mapping[str, Any] | None) -> Outcome:
    if not phone:
        return dead(row, "no_phone")
    if answer is None:
        return failed(row, "no_answer")
    if not answer.get("error_code"):
        return accepted([row])[0]
    return dead(row, str(answer["error_code"]), ", ".join(map(str, answer.get("error_messages") or ())))


def _phone(row: Row) -> str:
    return row.identifier.value if row.identifier and row.identifier.kind == "phone" else ""


def _correlation(row: Row) -> str:
    return hashlib.sha256(row.row_id.encode()).hexdigest()[:32]


DESTINATION = Twilio
