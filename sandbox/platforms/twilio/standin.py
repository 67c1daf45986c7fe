"""Twilio's manners: Basic auth, consent writes, numbers, the account, and signed webhooks about incoming texts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import Facts, Person, utc_now, valid_phone
from sandbox.platforms.twilio.addresses import Addresses
from sandbox.platforms.twilio.errors import failure, not_found
from sandbox.platforms.twilio.messages import BASE, Messages, rfc2822
from sandbox.standin import StandIn, Way, Webhook, json_response
from sandbox.store import Row
from sandbox.words import reading
from sandbox.world import World

ACCOUNT_SID = "AC" + "5a" * 16
SERVICE_SID = "MG" + "5b" * 16
NUMBER_SID = "PN" + "5c" * 16
NUMBER = "+18885550142"
_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
_START = frozenset({"START", "UNSTOP", "YES"})
_SOURCES = frozenset({"website", "offline", "opt-in-message", "opt-out-message", "others"})


def sign(token: str, url: str, form: list[tuple[str, str]]) -> str:
    """The X-Twilio-Signature: base64 HMAC-SHA1 over the URL and the sorted fields, equal pairs once."""
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Twilio(StandIn):
    """One Twilio account with one number in one messaging service with Advanced Opt-Out."""

    name: ClassVar[str] = "twilio"
    credentials: ClassVar[dict[str, str]] = {
        "account_sid": ACCOUNT_SID,
        "auth_token": "0123456789abcdef0123456789abcdef",
        "api_key_sid": "SK" + "5d" * 16,
        "api_key_secret": "twiliosandboxsecret0123456789abcd",
    }
    webhook_timeout: ClassVar[float] = 15.0

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.messages = Messages(self, NUMBER, SERVICE_SID, ACCOUNT_SID)
        self.addresses = Addresses(self, ACCOUNT_SID, (NUMBER_SID, NUMBER), SERVICE_SID)
        self.acts = {"sms_stop": self.stop, "sms_text": self.text}

    def seed(self, facts: Facts) -> None:
        """Fill the message log."""
        self.messages.seed(facts)
        self.addresses.seed()

    def ways(self) -> list[Way]:
        """All paths of the three hosts."""
        return [
            *self.messages.ways(),
            Way("/2010-04-01/Accounts/{account}.json", GET=self.account),
            *self.addresses.ways(),
            Way("/v1/Consents/Bulk", POST=self.consents),
        ]

    def settle(self) -> None:
        """Deliver queued messages."""
        self.messages.settle()

    def admit(self, call: Call) -> Response | None:
        """Basic auth by account or API key, and only on the own account."""
        known = self.credentials
        pairs = {(known["account_sid"], known["auth_token"]), (known["api_key_sid"], known["api_key_secret"])}
        if _basic(call) not in pairs:
            response = failure(401, 20003, "Authenticate")
            response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
            return response
        found = re.match(r"/2010-04-01/Accounts/([^/.]+)", call.path)
        return not_found(call.path) if found and found.group(1) != ACCOUNT_SID else None

    def finish(self, call: Call, response: Response) -> None:
        """How many calls are under way."""
        response.headers["Twilio-Concurrent-Requests"] = "1"

    def error(self, status: int, call: Call, retry_after: float = 1.0) -> Response:
        """Twilio's error document; a 429 names no time to wait."""
        if status == 404:
            return not_found(call.path)
        known = {405: (20004, "Method not allowed"), 429: (20429, "Too Many Requests")}
        return failure(status, *known.get(status, (20500, "An internal server error has occurred")))

    def members(self) -> dict[str, list[str]]:
        """The numbers that may not be written to."""
        return {"stopped": sorted(self.messages.stopped.rows)}

    def config(self, url: str) -> dict[str, str]:
        """One address for all hosts, and the sender."""
        return {"base_url": url, "accounts_base_url": url, "messaging_service_sid": SERVICE_SID, "from_number": NUMBER}

    def account(self, call: Call) -> Response:
        """GET Accounts/{sid}.json."""
        at = rfc2822(self.world.facts.as_of.isoformat())
        return json_response(
            {
                "sid": ACCOUNT_SID, "friendly_name": "Acme", "status": "active", "type": "Full", "auth_token": None,
                "owner_account_sid": ACCOUNT_SID, "date_created": at, "date_updated": at, "uri": call.path,
                "subresource_uris": {"messages": f"{BASE.format(account=ACCOUNT_SID)}/Messages.json"},
            }
        )  # fmt: skip

    def consents(self, call: Call) -> Response:
        """POST /v1/Consents/Bulk: 201 with an outcome per item, errors included."""
        texts = [value for name, value in call.form if name == "Items"]
        if not 1 <= len(texts) <= 25:
            return failure(400, 20001, "Items must hold between 1 and 25 items")
        outcomes = [self._consent(call, text) for text in texts]
        return json_response({"items": outcomes}, 201)

    def stop(self, person: Person, options: Row) -> Webhook:
        """The person texts a stop word to our number."""
        return self.text(person, {"body": "STOP", **options})

    def text(self, person: Person, options: Row) -> Webhook:
        """The person texts `body`; a stop word is remembered, and the webhook says so in OptOutType."""
        phones = person.identifiers("phone")
        phone, at = valid_phone(options.get("phone")) or (phones or [""])[0], utc_now()
        body = str(options.get("body", "Hi"))
        if not phone:
            raise LookupError(f"{person.person} has no phone number")
        sid, word = self.messages.receive(phone, body, at), body.strip().upper()
        form = [
            ("ToCountry", "US"), ("SmsMessageSid", sid), ("NumMedia", "0"), ("SmsSid", sid), ("SmsStatus", "received"),
            ("FromCountry", "GB" if phone.startswith("+44") else "US"), ("Body", body), ("To", NUMBER),
            ("MessagingServiceSid", SERVICE_SID), ("NumSegments", "1"), ("MessageSid", sid),
            ("AccountSid", ACCOUNT_SID), ("From", phone), ("ApiVersion", "2010-04-01"),
        ]  # fmt: skip
        state = "withdrawn" if word in _STOP else "granted" if word in _START else ""
        if state:
            form.append(("OptOutType", "STOP" if state == "withdrawn" else "START"))
            said = {"channel": "sms", "identifier": phone, "state": state, "platform": "twilio"}
            sender = "*" if state == "withdrawn" else SERVICE_SID
            self.world.add_fact("statement", person.person, at, **said, sender=sender)
        else:
            self._hear(person, phone, body, at)
        if state == "withdrawn":
            self.messages.stopped.put(phone, {"at": at.isoformat()})
        elif state == "granted":
            self.messages.stopped.drop(phone)
        token = self.credentials["auth_token"]

        def signed(url: str, body: bytes) -> dict[str, str]:
            return {"X-Twilio-Signature": sign(token, url, parse_qsl(body.decode(), keep_blank_values=True))}

        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "User-Agent": "TwilioProxy/1.1"}
        targets = self.addresses.inbound()
        return Webhook("incoming_message", urlencode(form).encode(), kind, sid, signed, targets)

    def _hear(self, person: Person, phone: str, body: str, at: datetime) -> None:
        """Take to the facts what words say that Twilio itself does not act on."""
        match reading(body):
            case "stop":
                said = {"channel": "sms", "identifier": phone, "state": "withdrawn", "platform": "twilio"}
                self.world.add_fact("statement", person.person, at, **said)
            case "hold":
                self.world.add_fact("block", person.person, at, email=phone, block="held_for_review")

    def _consent(self, call: Call, text: str) -> Row:
        try:
            item = orjson.loads(text)
        except ValueError:
            item = None
        item = item if isinstance(item, dict) else {}
        phone, status = valid_phone(item.get("contact_id")), item.get("status")
        wrong = [] if phone and not self.faults.rejects(phone) else ["INVALID_CONTACT_ID"]
        wrong += [] if re.fullmatch(r"[0-9a-f]{32}", str(item.get("correlation_id"))) else ["INVALID_CORRELATION_ID"]
        wrong += [] if item.get("sender_id") in (NUMBER, SERVICE_SID) else ["INVALID_SENDER_ID"]
        wrong += [] if status in ("opt-in", "opt-out") else ["INVALID_STATUS"]
        wrong += [] if item.get("source") in _SOURCES else ["INVALID_SOURCE"]
        if status == "opt-in":
            call.notes.append("grant")
        if not wrong and status == "opt-out":
            self.messages.stopped.put(str(phone), {"at": utc_now().isoformat()})
        elif not wrong:
            self.messages.stopped.drop(str(phone))
        code = 30646 if wrong else 0
        return {"correlation_id": item.get("correlation_id"), "error_code": code, "error_messages": wrong}


def _basic(call: Call) -> tuple[str, str]:
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return (user, password) if scheme.lower() == "basic" else ("", "")
