"""Twilio's Messages resource: list, fetch, send, change, delete."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import Facts, utc_now, valid_phone
from sandbox.platforms.twilio.errors import failure, not_found
from sandbox.standin import RefusalError, StandIn, Way, json_response
from sandbox.store import Row

BASE = "/2010-04-01/Accounts/{account}"
_ERRORS = {21610: "Attempt to send to unsubscribed recipient"}
_DELIVERED_AFTER = 1.0
_GONE: Row = {"at": "", "status": "deleted"}


class Messages:
    """The message log, and the numbers that said STOP."""

    def __init__(self, standin: StandIn, number: str, service: str, account: str) -> None:
        self.standin, self.number, self.service, self.account = standin, number, service, account
        self.table = standin.table("messages")
        self.table.sort_by("sent", lambda row: str(row["at"]))
        self.stopped = standin.table("stopped")
        self._queued: deque[str] | None = None

    def seed(self, facts: Facts) -> None:
        """Fill the log."""
        rows: dict[str, Row] = {}
        for text in facts.texts:
            ends = (text.phone, self.number) if text.inbound else (self.number, text.phone)
            direction = "inbound" if text.inbound else "outbound-api"
            rows[text.sid] = self._row(*ends, text.body, direction, text.status, text.at, text.error_code)
        self.table.load(rows)
        said = [s for person in facts.people.values() for s in person.statements if s.platform == "twilio"]
        last = {s.identifier: s for s in sorted(said, key=lambda s: s.at)}
        withdrawn = {phone: {"at": s.at.isoformat()} for phone, s in last.items() if s.state == "withdrawn"}
        self.stopped.load(withdrawn)

    def ways(self) -> list[Way]:
        """The paths."""
        return [
            Way(BASE + "/Messages.json", GET=self.every, POST=self.send),
            Way(BASE + "/Messages/{sid}.json", GET=self.one, POST=self.change, DELETE=self.delete),
        ]

    def receive(self, phone: str, body: str, at: datetime) -> str:
        """Log a text from a phone; its sid."""
        sid = "SM" + uuid.uuid4().hex
        self.table.put(sid, self._row(phone, self.number, body, "inbound", "received", at, None))
        return sid

    def every(self, call: Call) -> Response:
        """GET Messages.json, newest first; the operators of DateSent stand in the parameter's name."""
        keep = _conditions(call)
        size = min(int(_digits(call, "PageSize", "50")) or 50, 1000)
        page = int(_digits(call, "Page", "0"))
        token = call.query.get("PageToken", "")
        found: list[str] = []
        more = False
        for sid in self.table.indexes["sent"].scan(_decode(token) if token else None, descending=True):
            if keep(self.table.rows[sid]):
                if len(found) == size:
                    more = True
                    break
                found.append(sid)
        kept = {k: v for k, v in call.query.items() if k not in ("Page", "PageToken", "PageSize")} | {"PageSize": size}

        def uri(number: int, cursor: str = "") -> str:
            return f"{call.path}?{urlencode({**kept, 'Page': number, **({'PageToken': cursor} if cursor else {})})}"

        following = uri(page + 1, _encode(self.table.indexes["sent"].position(found[-1]))) if more else None
        return json_response(
            {
                "messages": [self._resource(sid) for sid in found], "page": page, "page_size": size,
                "start": page * size, "end": page * size + max(0, len(found) - 1),
                "uri": f"{call.path}?{call.query_text}",
                "first_page_uri": uri(0), "next_page_uri": following,
                "previous_page_uri": uri(page - 1) if page else None,
            }
        )  # fmt: skip

    def one(self, call: Call) -> Response:
        """GET one message."""
        return json_response(self._resource(self._known(call)))

    def send(self, call: Call) -> Response:
        """POST Messages.json: 201 with status queued, or 400; an opted-out recipient is 21610."""
        fields = dict(call.form)
        to = valid_phone(fields.get("To"))
        sender = fields.get("From") or (self.number if fields.get("MessagingServiceSid") else "")
        if not to:
            return failure(400, 21211, f"Invalid 'To' Phone Number: {fields.get('To', '')}")
        if not sender:
            return failure(400, 21603, "A 'From' phone number or a MessagingServiceSid is required.")
        if not (fields.get("Body") or fields.get("MediaUrl") or fields.get("ContentSid")):
            return failure(400, 21602, "Message body is required.")
        if len(fields.get("Body", "")) > 1600:
            return failure(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if to in self.stopped.rows:
            return failure(400, 21610, "Attempt to send to unsubscribed recipient")
        sid = "SM" + uuid.uuid4().hex
        status = "scheduled" if fields.get("ScheduleType") == "fixed" else "queued"
        row = self._row(sender, to, fields.get("Body", ""), "outbound-api", status, utc_now(), None)
        self.table.put(sid, row | {"service": fields.get("MessagingServiceSid")})
        if self._queued is not None and status == "queued":
            self._queued.append(sid)
        return json_response(self._resource(sid), 201)

    def change(self, call: Call) -> Response:
        """POST one message: an empty Body redacts it, Status=canceled stops a scheduled one."""
        sid, fields = self._known(call), dict(call.form)
        row = dict(self.table.rows[sid])
        if fields.get("Status") == "canceled":
            if row["status"] != "scheduled":
                return failure(409, 30409, "Message is not in a cancelable state")
            row["status"] = "canceled"
        elif fields.get("Body") == "":
            row["body"] = ""
        else:
            return failure(400, 20001, "Only an empty Body or Status=canceled can be posted to a message")
        self.table.put(sid, row | {"updated": utc_now().isoformat()})
        return json_response(self._resource(sid))

    def delete(self, call: Call) -> Response:
        """DELETE one message."""
        self.table.drop(self._known(call))
        return Response(status_code=204)

    def settle(self) -> None:
        """Deliver what was queued a second ago."""
        now = utc_now()
        due = (now - timedelta(seconds=_DELIVERED_AFTER)).isoformat()
        if self._queued is None:
            index = self.table.indexes["sent"]
            self._queued = deque(sid for sid in index.scan() if self.table.rows[sid]["status"] == "queued")
        while self._queued and self.table.rows.get(self._queued[0], _GONE)["at"] <= due:
            row = self.table.rows.get(sid := self._queued.popleft(), _GONE)
            if row["status"] == "queued":
                self.table.put(sid, row | {"status": "delivered", "updated": now.isoformat()})

    def _known(self, call: Call) -> str:
        if call.path_params["sid"] not in self.table.rows:
            raise RefusalError(not_found(call.path))
        return call.path_params["sid"]

    def _row(
        self, sender: str, to: str, body: str, direction: str, status: str, at: datetime, error: int | None
    ) -> Row:
        return {
            "from": sender, "to": to, "body": body, "direction": direction, "status": status, "at": at.isoformat(),
            "updated": at.isoformat(), "error": error, "service": None if direction == "inbound" else self.service,
        }  # fmt: skip

    def _resource(self, sid: str) -> Row:
        row = self.table.rows[sid]
        at, updated = rfc2822(row["at"]), rfc2822(row["updated"])
        uri = f"{BASE.format(account=self.account)}/Messages/{sid}"
        return {
            "sid": sid, "account_sid": self.account, "messaging_service_sid": row["service"], "from": row["from"],
            "to": row["to"], "body": row["body"], "direction": row["direction"], "status": row["status"],
            "error_code": row["error"], "error_message": _ERRORS.get(row["error"]), "date_created": at,
            "date_sent": None if row["status"] in ("queued", "scheduled") else at, "date_updated": updated,
            "num_segments": "1", "num_media": "0", "price": None if row["direction"] == "inbound" else "-0.00790",
            "price_unit": "USD", "api_version": "2010-04-01", "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json", "feedback": f"{uri}/Feedback.json"},
        }  # fmt: skip


def rfc2822(iso: str) -> str:
    """A stored time as Twilio writes it."""
    return format_datetime(datetime.fromisoformat(iso).astimezone(UTC))


def _digits(call: Call, name: str, default: str) -> str:
    text = call.query.get(name, default)
    if not text.isdigit():
        raise RefusalError(failure(400, 20001, f"{name} must be a number"))
    return text


def _conditions(call: Call) -> Callable[[Row], bool]:
    wanted = [(name.lower(), value) for name, value in call.query.items() if name in ("To", "From")]
    earliest, latest = "", "9999"
    for name, value in call.query.items():
        if not name.startswith("DateSent"):
            continue
        operator = name.removeprefix("DateSent") or (value[0] if value[:1] in "<>" else "")
        begin = _moment(value.lstrip("<>="))
        if operator.startswith(">"):
            earliest = max(earliest, begin.isoformat())
        elif operator.startswith("<"):
            latest = min(latest, begin.isoformat())
        else:
            # Equality means the whole day, also when a client writes the day as a moment.
            begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
            earliest, latest = begin.isoformat(), (begin + timedelta(days=1, seconds=-1)).isoformat()
    return lambda row: earliest <= row["at"] <= latest and all(row[name] == value for name, value in wanted)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError:
        raise RefusalError(failure(400, 20001, f"Invalid DateSent: {text}")) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _encode(position: tuple[str, str]) -> str:
    return "PA" + base64.urlsafe_b64encode(" ".join(position).encode()).decode().rstrip("=")


def _decode(token: str) -> tuple[str, str]:
    try:
        at, sid = base64.urlsafe_b64decode(token[2:] + "=" * (-len(token[2:]) % 4)).decode().split(" ")
        return at, sid
    except (binascii.Error, ValueError):
        raise RefusalError(failure(400, 20006, "Invalid PageToken")) from None
