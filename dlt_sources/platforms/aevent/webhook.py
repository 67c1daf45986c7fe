"""AEvent's inbound-webhook URL, offered by us: a GET (or a form) that says "this person has this tag".

Nothing signs it; the token in the URL is the secret, and can only take people out. An accepted call is the event
`tag:<tag>`, by e-mail address or registrant id.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import orjson

from dlt_sources import url_tokens
from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Answer, Delivery, Event, WebhookRequest
from dlt_sources.platforms.aevent import parameters
from dlt_sources.platforms.aevent.tables import PAGE, PATH

ACCEPTED = Answer(body=b'{"status":"ok"}', media_type="application/json")
#: A call carries neither time nor id. The same call within so many seconds has the id of the first, since tools call
#: twice; later it is an act of its own, so that whoever came back meanwhile leaves again. Events count once in 24 h.
REPEAT_SECONDS = 600


def token(request: WebhookRequest) -> str:
    """The token of the URL; WebhookRejected(404) when the call is for another function of the pixel URL."""
    return parameters.token(parameters.given(request))


def verify(request: WebhookRequest, account: Account) -> None:
    """Raise WebhookRejected(400), with a hint, unless the call is clear and its token may set the tag."""
    found = parameters.given(request)
    call = parameters.call(found)
    known = url_tokens.find(parameters.token(found))
    if known is None or known.account != account.key:
        raise WebhookRejected("unknown_token", status=403)
    if known.tag(call.tag) is None:
        raise WebhookRejected("unknown_tag", status=400, hint="value is no tag of this URL; see what it was made for.")


def kept(request: WebhookRequest) -> WebhookRequest:
    """The call as it is landed: a GET of the parameters alone, the token as six characters of its hash.

    The tag is spelt as configured, and `event` says what the call is called in the warehouse too.
    """
    found = parameters.given(request)
    secret, call = parameters.token(found), parameters.call(found)
    known = url_tokens.find(secret)
    tag = (known and known.tag(call.tag)) or call.tag
    fields = {"page": PAGE, "wtl": url_tokens.hash_of(secret)[:6], "value": tag, "event": _event_name(tag)}
    fields["email" if call.identifier.kind == "email" else "r"] = call.identifier.value
    if call.repaired:
        fields["repaired"] = "true"
    url = urlunsplit(urlsplit(request.url)._replace(query=urlencode(fields, quote_via=quote)))
    return replace(request, method="GET", url=url, headers={}, body=b"")


def parse(request: WebhookRequest, account: Account) -> Delivery:
    """Read the act, of a call as it came or as it was kept; WebhookRejected(400) when it is none."""
    found = parameters.given(request)
    call = parameters.call(found)
    secret = parameters.token(found)
    short = secret if len(secret) == 6 else url_tokens.hash_of(secret)[:6]
    name = _event_name(call.tag)
    when = int(request.received_at.timestamp()) // REPEAT_SECONDS
    about = "\n".join((short, name, call.identifier.kind, call.identifier.value, str(when)))
    id_ = hashlib.sha256(about.encode()).hexdigest()
    event = Event(
        id=id_, name=name, lane="speed", occurred_at=request.received_at, identifiers=(call.identifier,), effect=None
    )
    return Delivery(topic="tag", id=id_, events=(event,))


def urls(base_url: str, token: str, tag: str) -> dict[str, str]:
    """The URLs to paste into a tool, ready but for the person's own value, which the tool appends."""
    start = f"{base_url.rstrip('/')}{PATH}?{urlencode({'page': PAGE, 'wtl': token, 'value': tag}, quote_via=quote)}"
    return {"by e-mail address": f"{start}&email=", "by registrant id": f"{start}&r="}


def refusal(error: WebhookRejected) -> Answer:
    """What the sender of a refused call is told: a fixed word and what to mend, nothing about any person or tag."""
    body = {"status": "error", "code": error.reason} | ({"hint": error.hint} if error.hint else {})
    return Answer(status=error.status, body=orjson.dumps(body), media_type="application/json")


def _event_name(tag: str) -> str:
    return f"tag:{tag.casefold()}"
