"""Where Twilio sends incoming messages and statuses: the messaging service's addresses, or the number's.

https://www.twilio.com/docs/messaging/api/service-resource,
https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource. Each holds one address, so setting ours
where somebody else's stands would take it away: that is left to a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, NotOffered, SetAside
from dlt_sources.http import Session, json_body
from dlt_sources.platforms.twilio.client import account_path, explain, messaging_session, session
from dlt_sources.subscriptions import Subscription

BY_HAND = (
    "Twilio holds one address per number and per messaging service; where another one stands, replace it in Twilio's "
    "Console, or let that tool pass the requests on unchanged. Statuses of a number without a service come only for "
    "messages that were sent with a StatusCallback."
)
_INBOUND, _STATUS, _NUMBER = "inbound_request_url", "status_callback", "sms_url"
_PARAMETERS = {_INBOUND: "InboundRequestUrl", _STATUS: "StatusCallback", _NUMBER: "SmsUrl"}
_METHODS = {_INBOUND: "InboundMethod", _NUMBER: "SmsMethod"}
#: Numbers are sold with an address of Twilio's own demonstration, which means none.
_DEMONSTRATION = "demo.twilio.com"


def wanted(account: Account) -> Sequence[str]:
    """The service's two addresses, or the number's one, by the names that Twilio gives them."""
    if account.get("messaging_service_sid"):
        return [_INBOUND, _STATUS]
    if account.get("from_number"):
        return [_NUMBER]
    raise NotOffered(
        f"{account.platform} ({account.name}) names no sender: write messaging_service_sid or from_number under "
        f"[sources.{account.platform}.{account.name}], or set the addresses of your numbers in Twilio's Console."
    )


def listed(account: Account) -> Sequence[Subscription]:
    """The addresses that are set now; one that another setting overrules is not active."""
    _, held = _resource(account)
    found = []
    for name in wanted(account):
        address = str(held.get(name) or "")
        if not address or urlsplit(address).hostname == _DEMONSTRATION:
            continue
        detail = _overruled(name, held)
        found.append(Subscription(topic=name, address=address, active=not detail, detail=detail))
    return found


def register(account: Account, url: str) -> Sequence[Subscription]:
    """Set the addresses that are empty; SetAside, before anything is set, when another one stands in its place."""
    path, held = _resource(account)
    there = {one.topic: one for one in listed(account)}
    for one in there.values():
        if one.address != url or not one.active:
            host = urlsplit(one.address).hostname
            failure = Failure(account.platform, account.name, one.topic, 200, one.detail or f"{host} stands there")
            raise SetAside(failure, BY_HAND)
    missing = [name for name in wanted(account) if name not in there]
    detail = "; ".join(filter(None, (_overruled(name, held) for name in missing)))
    if detail:
        raise SetAside(Failure(account.platform, account.name, "subscriptions", 200, detail), BY_HAND)
    if missing:
        form = {_PARAMETERS[name]: url for name in missing}
        form |= {_METHODS[name]: "POST" for name in missing if name in _METHODS}
        with _opened(account, retry=False) as opened:
            opened.call("POST", path, object="subscriptions", data=form, explain=explain)
    return [Subscription(topic=name, address=url) for name in missing]


def _resource(account: Account) -> tuple[str, Mapping[str, Any]]:
    """The path and the content of the service, or of the number where there is none."""
    wanted(account)
    with _opened(account) as opened:
        if service := account.get("messaging_service_sid"):
            path = f"/v1/Services/{service}"
            return path, _object(account, opened, path)
        path, query = account_path(account, "/IncomingPhoneNumbers.json"), {"PhoneNumber": account["from_number"]}
        found = _object(account, opened, path, query).get("incoming_phone_numbers")
    for number in found if isinstance(found, list) else []:
        if number.get("phone_number") == account["from_number"]:
            return account_path(account, f"/IncomingPhoneNumbers/{number['sid']}.json"), number
    failure = Failure(account.platform, account.name, "from_number", 200, "the account owns no such number")
    raise SetAside(failure, f"Mend from_number under [sources.{account.platform}.{account.name}].")


def _object(account: Account, opened: Session, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    response = opened.call("GET", path, object="subscriptions", params=query, explain=explain)
    content = json_body(account, "subscriptions", response)
    return content if isinstance(content, dict) else {}


def _opened(account: Account, *, retry: bool = True) -> Session:
    service = account.get("messaging_service_sid")
    return messaging_session(account, retry=retry) if service else session(account, retry=retry)


def _overruled(name: str, held: Mapping[str, Any]) -> str:
    if name == _INBOUND and held.get("use_inbound_webhook_on_number"):
        return "the service leaves incoming messages to each number's own address (use_inbound_webhook_on_number)"
    if name == _NUMBER and held.get("sms_application_sid"):
        return "a TwiML application takes the number's messages (sms_application_sid)"
    return ""
