"""Where Twilio sends what comes in: the number's own addresses, and those of the messaging service it belongs to."""

from __future__ import annotations

from datetime import UTC
from urllib.parse import urlsplit

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now
from sandbox.platforms.twilio.errors import failure, not_found
from sandbox.platforms.twilio.messages import BASE, rfc2822
from sandbox.standin import RefusalError, StandIn, Way, json_response
from sandbox.store import Row

#: What a new number says until somebody gives it an address.
DEMO_REPLY = "https://demo.twilio.com/welcome/sms/reply"
_URLS = frozenset(
    {"SmsUrl", "SmsFallbackUrl", "StatusCallback", "VoiceUrl", "InboundRequestUrl", "FallbackUrl", "VoiceFallbackUrl"}
)
_METHODS = frozenset({"SmsMethod", "SmsFallbackMethod", "StatusCallbackMethod", "InboundMethod", "FallbackMethod"})
_OF_NUMBER = {
    "FriendlyName": "friendly_name", "SmsUrl": "sms_url", "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url", "SmsFallbackMethod": "sms_fallback_method",
    "StatusCallback": "status_callback", "StatusCallbackMethod": "status_callback_method",
    "SmsApplicationSid": "sms_application_sid",
}  # fmt: skip
_OF_SERVICE = {
    "FriendlyName": "friendly_name", "InboundRequestUrl": "inbound_request_url", "InboundMethod": "inbound_method",
    "FallbackUrl": "fallback_url", "FallbackMethod": "fallback_method", "StatusCallback": "status_callback",
    "UseInboundWebhookOnNumber": "use_inbound_webhook_on_number",
}  # fmt: skip


class Addresses:
    """The one number and the one service of an account."""

    def __init__(self, standin: StandIn, account: str, number: tuple[str, str], service: str) -> None:
        self.standin, self.account, self.service_sid = standin, account, service
        self.number_sid, self.number_text = number
        self.table = standin.table("addresses")

    def seed(self) -> None:
        """A new number answers with Twilio's own demonstration; a new service sends nowhere."""
        born = self.standin.world.facts.as_of.isoformat()
        number = {
            "friendly_name": "(888) 555-0142", "sms_url": DEMO_REPLY, "sms_method": "POST", "sms_fallback_url": "",
            "sms_fallback_method": "POST", "status_callback": "", "status_callback_method": "POST",
            "sms_application_sid": "", "updated": born,
        }  # fmt: skip
        service = {
            "friendly_name": "Acme marketing", "inbound_request_url": None, "inbound_method": "POST",
            "fallback_url": None, "fallback_method": "POST", "status_callback": None,
            "use_inbound_webhook_on_number": False, "updated": born,
        }  # fmt: skip
        self.table.load({self.number_sid: number, self.service_sid: service})

    def ways(self) -> list[Way]:
        """The paths of two hosts."""
        return [
            Way(BASE + "/IncomingPhoneNumbers.json", GET=self.numbers),
            Way(BASE + "/IncomingPhoneNumbers/{sid}.json", GET=self.number, POST=self.change_number),
            Way("/v1/Services", GET=self.services),
            Way("/v1/Services/{sid}", GET=self.service, POST=self.change_service),
        ]

    def inbound(self) -> list[str]:
        """Where an incoming message goes: the service's address, unless it leaves that to the number."""
        number, service = self.table.rows[self.number_sid], self.table.rows[self.service_sid]
        url = number["sms_url"] if service["use_inbound_webhook_on_number"] else service["inbound_request_url"]
        return [url] if url and url != DEMO_REPLY else []

    def numbers(self, call: Call) -> Response:
        """GET IncomingPhoneNumbers.json, perhaps only those with a PhoneNumber."""
        wanted = call.query.get("PhoneNumber", self.number_text).replace(" ", "+")
        found = [self._number()] if wanted in self.number_text else []
        pages = {"page": 0, "page_size": 50, "start": 0, "end": 0, "uri": call.path, "first_page_uri": call.path}
        rest = {"next_page_uri": None, "previous_page_uri": None}
        return json_response({"incoming_phone_numbers": found, **pages, **rest})

    def number(self, call: Call) -> Response:
        """GET one number."""
        self._only(call, self.number_sid)
        return json_response(self._number())

    def change_number(self, call: Call) -> Response:
        """POST one number: what is given changes."""
        self._only(call, self.number_sid)
        self._change(call, self.number_sid, _OF_NUMBER)
        return json_response(self._number())

    def services(self, call: Call) -> Response:
        """GET Services: the one service."""
        me = f"http://{call.headers.get('host', '')}/v1/Services"
        meta = {
            "page": 0, "page_size": 50, "first_page_url": f"{me}?PageSize=50&Page=0", "previous_page_url": None,
            "url": f"{me}?PageSize=50&Page=0", "next_page_url": None, "key": "services",
        }  # fmt: skip
        return json_response({"services": [self._service(call)], "meta": meta})

    def service(self, call: Call) -> Response:
        """GET one service."""
        self._only(call, self.service_sid)
        return json_response(self._service(call))

    def change_service(self, call: Call) -> Response:
        """POST one service: what is given changes."""
        self._only(call, self.service_sid)
        self._change(call, self.service_sid, _OF_SERVICE)
        return json_response(self._service(call))

    def _change(self, call: Call, sid: str, names: dict[str, str]) -> None:
        row = dict(self.table.rows[sid])
        for name, value in call.form:
            if name not in names:
                raise RefusalError(failure(400, 20001, f"Unknown parameter {name}"))
            if name in _URLS and value and urlsplit(value).scheme not in ("http", "https"):
                raise RefusalError(failure(400, 21502, f"{name} is not a valid URL"))
            if name in _METHODS and value not in ("GET", "POST"):
                raise RefusalError(failure(400, 21403, f"{name} must be GET or POST"))
            row[names[name]] = value.lower() == "true" if name == "UseInboundWebhookOnNumber" else value
        self.table.put(sid, row | {"updated": utc_now().isoformat()})

    def _only(self, call: Call, sid: str) -> None:
        if call.path_params["sid"] != sid:
            raise RefusalError(not_found(call.path))

    def _number(self) -> Row:
        row = dict(self.table.rows[self.number_sid])
        updated, at = rfc2822(row.pop("updated")), rfc2822(self.standin.world.facts.as_of.isoformat())
        me = f"{BASE.format(account=self.account)}/IncomingPhoneNumbers/{self.number_sid}.json"
        return {
            **row, "sid": self.number_sid, "account_sid": self.account, "phone_number": self.number_text,
            "capabilities": {"sms": True, "mms": True, "voice": True, "fax": False}, "status": "in-use",
            "date_created": at, "date_updated": updated, "api_version": "2010-04-01", "uri": me,
        }  # fmt: skip

    def _service(self, call: Call) -> Row:
        row = dict(self.table.rows[self.service_sid])
        updated = row.pop("updated")
        me = f"http://{call.headers.get('host', '')}/v1/Services/{self.service_sid}"
        return {
            **row, "sid": self.service_sid, "account_sid": self.account, "url": me,
            "date_created": _iso(self.standin.world.facts.as_of.astimezone(UTC).isoformat()),
            "date_updated": _iso(updated), "links": {"phone_numbers": f"{me}/PhoneNumbers"},
            "sticky_sender": True, "smart_encoding": True, "validity_period": 36_000, "usecase": "marketing",
        }  # fmt: skip


def _iso(text: str) -> str:
    return text.replace("+00:00", "Z")
