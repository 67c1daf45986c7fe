"""Twilio's webhooks: incoming messages and status callbacks, signed over the public URL and the form.

A request carries no time and no id of its own; a repeat has the same MessageSid (and status).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, urlsplit, urlunsplit

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Answer, Delivery, Effect, Event, Identifier, WebhookRequest
from dlt_sources.platforms.twilio.tables import TOPICS
from dlt_sources.platforms.twilio.words import reading
from dlt_sources.receiving import require_equal, require_secret

#: An empty TwiML document: any <Message> in it would be sent to the person.
ACCEPTED = Answer(body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>', media_type="text/xml")

_TOPICS = {topic.topic: topic for topic in TOPICS}
#: Error codes of a status callback that reveal an opt-out: 21610 for texts, 63014 for other channels.
_OPTED_OUT = {"21610", "63014"}
_PORTS = {"https": 443, "http": 80}


def verify(request: WebhookRequest, account: Account) -> None:
    """Raise WebhookRejected(403) unless the account's primary auth token signed URL and form."""
    token = require_secret(account, "auth_token")
    given = request.headers.get("x-twilio-signature", "")
    try:
        query = _fields(urlsplit(request.url).query)
        urls = list(_spellings(request.url))
    except ValueError:
        raise WebhookRejected("bad_url", status=403) from None
    form = _fields(request.body) if request.method.upper() == "POST" and "bodySHA256" not in query else {}
    if "bodySHA256" in query:  # a JSON body is signed through its hash in the URL
        require_equal(query["bodySHA256"][0], hashlib.sha256(request.body).hexdigest(), status=403)
    fields = "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
    computed = [_signature(token, url + fields) for url in urls]
    # Twilio signs the URL with the port or without; both are computed whichever it is.
    matching = [value for value in computed if hmac.compare_digest(value.encode(), given.encode("utf-8", "replace"))]
    require_equal(given, matching[0] if matching else computed[0], status=403)


def parse(request: WebhookRequest, account: Account) -> Delivery:
    """Read the act: an incoming message, a status callback, or (a call, say) something unknown to us."""
    fields = _fields(request.body if request.method.upper() == "POST" else urlsplit(request.url).query)
    form = {name: values[0] for name, values in fields.items()}
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    if not sid:
        return Delivery(topic="unknown", id=hashlib.sha256(request.body).hexdigest(), events=())
    if form.get("MessageStatus"):
        opted_out = form.get("ErrorCode") in _OPTED_OUT
        topic, id_, address = "status.opted_out" if opted_out else "status", f"{sid}:{form['MessageStatus']}", "To"
    else:
        topic, id_, address = f"message.{reading(form.get('Body', ''), form.get('OptOutType', ''))}", sid, "From"
    declared = _TOPICS[topic]
    channel, identifiers = _who(form, form.get(address, ""))
    event = Event(
        id=id_,
        name=declared.event if topic != "status" or form["MessageStatus"] in ("sent", "delivered") else "other",
        lane=declared.lane,
        occurred_at=request.received_at,
        identifiers=identifiers,
        effect=_effect(topic, channel),
    )
    return Delivery(topic=topic, id=id_, events=(event,))


def _effect(topic: str, channel: str) -> Effect | None:
    if topic in ("message.stop", "status.opted_out"):
        return Effect(kind="withdrawn", channel=channel)
    return Effect(kind="manual_block", channel=channel) if topic == "message.review" else None


def _who(form: Mapping[str, str], address: str) -> tuple[str, tuple[Identifier, ...]]:
    """The channel and whom an address means: a phone, or on WhatsApp perhaps a user id that is no phone."""
    prefix, _, rest = address.rpartition(":")
    channel = "whatsapp" if prefix == "whatsapp" else "sms"
    found = []
    if rest.startswith("+") or (rest and channel == "sms"):
        found.append(Identifier("phone", rest))
    elif rest:
        found.append(Identifier("external", rest))
    if form.get("ExternalUserIdentifier"):
        found.append(Identifier("external", form["ExternalUserIdentifier"]))
    return channel, tuple(dict.fromkeys(found))


def _fields(encoded: bytes | str) -> dict[str, list[str]]:
    try:
        decoded = encoded.decode() if isinstance(encoded, bytes) else encoded
        return parse_qs(decoded, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise WebhookRejected("not_a_form", status=403) from None


def _spellings(url: str) -> Iterator[str]:
    """The URL as it came, with the scheme's port, and without any."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    yield url
    for netloc in (f"{host}:{parts.port or _PORTS.get(parts.scheme, 443)}", host):
        yield urlunsplit(parts._replace(netloc=netloc))


def _signature(token: bytes, message: str) -> str:
    return base64.b64encode(hmac.digest(token, message.encode(), hashlib.sha1)).decode()
