"""A home with three configured accounts, the signed webhooks of their platforms, and a receiver to send them to."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette

from orchestration.home import Home
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.files import Landed, Landing, new_id
from orchestration.landing.lanes import lane_of

PUBLIC = "https://hooks.example.test"
TWILIO_TOKEN, KLAVIYO_SECRET, SHOPIFY_SECRET = "0123456789abcdef", "supersecretkey_1234567890", "shpss_test_secret"

CONFIG = f"""
[receiver]
public_url = "{PUBLIC}"

[sources.klaviyo.main]
brand = "acme"
base_url = "http://127.0.0.1:9"

[sources.shopify.main]
brand = "acme"
shop = "acme"
base_url = "http://127.0.0.1:9"

[sources.twilio.main]
brand = "acme"
account_sid = "AC00000000000000000000000000000000"
messaging_service_sid = "MG00000000000000000000000000000001"
base_url = "http://127.0.0.1:9"
"""
SECRETS = f"""
[sources.klaviyo.main]
api_key = "pk_test"
webhook_secret = "{KLAVIYO_SECRET}"

[sources.shopify.main]
access_token = "shpat_test"
client_secret = "{SHOPIFY_SECRET}"

[sources.twilio.main]
auth_token = "{TWILIO_TOKEN}"
"""


@dataclass(frozen=True)
class Request:
    """A webhook request as a platform sends it."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


def make_home(folder: Path) -> Home:
    """A home with an account at each of the three platforms."""
    (folder / ".dlt").mkdir(parents=True)
    (folder / ".dlt" / "config.toml").write_text(CONFIG)
    (folder / ".dlt" / "secrets.toml").write_text(SECRETS)
    home = Home(folder)
    Landing(home.landing).create()
    return home


def publish_catalogue(home: Home, *, leave_on: tuple[str, ...] = ("order_placed",), name: str = "lapsed") -> None:
    """Publish a catalogue with one e-mail audience at Klaviyo."""
    home.published.mkdir(parents=True, exist_ok=True)
    place = {"platform": "klaviyo", "account": "main", "target": f"list:{name}", "traits": {}, "create_missing": False}
    audience = {
        "name": name,
        "channel": "email",
        "purpose": "marketing",
        "topic": "news",
        "brand": "acme",
        "question_id": "email|marketing|news|*|none|default",
        "leave_on": list(leave_on),
        "destinations": [place],
    }
    draft = home.published / "catalogue.tmp"
    draft.write_text(json.dumps({"build_id": 1, "audiences": [audience]}))
    draft.replace(home.published / "catalogue.json")


def twilio(text: str, phone: str, sid: str, address: str = PUBLIC) -> Request:
    """A text message from a person."""
    form = {"AccountSid": "AC00000000000000000000000000000000", "MessageSid": sid, "From": phone, "Body": text}
    path = "/webhooks/twilio/main"
    signed = address + path + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.digest(TWILIO_TOKEN.encode(), signed.encode(), hashlib.sha1)).decode()
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    return Request(path, urlencode(form).encode(), headers)


def klaviyo(topic: str, id_: str, *, email: str = "", profile: str = "") -> Request:
    """One event of a Klaviyo system webhook; without an e-mail it names the profile only."""
    properties = {"email_address": email} if email else {}
    relations = {"profile": {"data": {"type": "profile", "id": profile}}} if profile else {}
    resource = {
        "type": "event",
        "id": id_,
        "attributes": {"timestamp": int(time.time()), "event_properties": properties},
        "relationships": relations,
    }
    item = {"topic": f"event:klaviyo.{topic}", "external_id": id_, "payload": {"data": resource}}
    body = json.dumps({"data": [item], "meta": {"timestamp": datetime.now(UTC).isoformat()}}).encode()
    stamp = "Mon, 13 Apr 2026 22:50:12 GMT"
    signature = hmac.digest(KLAVIYO_SECRET.encode(), body + stamp.encode(), hashlib.sha256).hex()
    headers = {"Klaviyo-Signature": signature, "Klaviyo-Timestamp": stamp, "Content-Type": "application/json"}
    return Request("/webhooks/klaviyo/main", body, headers)


def klaviyo_unsubscribe(email: str, id_: str) -> Request:
    """A person left Klaviyo's e-mails."""
    return klaviyo("unsubscribed_from_email_marketing", id_, email=email)


def shopify(topic: str, id_: str, body: Mapping[str, object] | bytes) -> Request:
    """A Shopify webhook."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = base64.b64encode(hmac.digest(SHOPIFY_SECRET.encode(), raw, hashlib.sha256)).decode()
    headers = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-SHA256": signature,
        "X-Shopify-Webhook-Id": id_,
        "X-Shopify-Event-Id": f"e-{id_}",
        "Content-Type": "application/json",
    }
    return Request("/webhooks/shopify/main", raw, headers)


def shopify_unsubscribe(email: str, id_: str, customer: int = 1) -> Request:
    """A customer withdrew the shop's e-mail consent."""
    consent = {"state": "unsubscribed", "consent_updated_at": datetime.now(UTC).isoformat()}
    body = {"customer_id": customer, "email_address": email, "email_marketing_consent": consent}
    return shopify("customers_email_marketing_consent/update", id_, body)


def shopify_order(email: str, id_: str) -> Request:
    """Somebody placed an order."""
    return shopify("orders/create", id_, {"id": 77, "email": email, "created_at": datetime.now(UTC).isoformat()})


def land(home: Home, *requests: Request, endpoints: Endpoints | None = None) -> list[Path]:
    """Write requests into the landing zone as the receiver would, all of one lane into one file."""
    known = endpoints or Endpoints.load(home.folder)
    by_lane: dict[str, list[Landed]] = {}
    for request in requests:
        landed = landed_of(request)
        delivery = known.parse(landed)
        lane = lane_of(delivery.events, ())
        by_lane.setdefault(lane, []).append(replace(landed, lane=lane))
    landing = Landing(home.landing)
    return [path for lane, some in by_lane.items() for path in landing.write(lane, [one.line() for one in some])]


def landed_of(request: Request, lane: str = "speed") -> Landed:
    """A request as the receiver lands it."""
    _, _, platform, account = request.path.partition("?")[0].split("/")
    return Landed(
        id=new_id(),
        received_at=datetime.now(UTC),
        platform=platform,
        account=account,
        lane=lane,
        topic="t",
        delivery_id=new_id(),
        method=request.method,
        url=PUBLIC + request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
    )


@contextmanager
def serving(app: Starlette) -> Iterator[int]:
    """Serve an app on a free port of 127.0.0.1; the port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 10
    while not server.started and time.monotonic() < end:
        time.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def send(port: int, request: Request, timeout: float = 10) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request to the receiver; status, headers, body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(request.method, request.path, body=request.body, headers=dict(request.headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()
