"""AEvent's side of the inbound webhook: registrants, their tags, and the Timeline audience that tagged people leave."""

from __future__ import annotations

import base64
import uuid
from typing import ClassVar
from urllib.parse import quote, urlencode

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import Facts, Person, utc_now, valid_email
from sandbox.platforms.aevent.setpixel import Tagging, WrongCallError, read
from sandbox.standin import StandIn, Way, Webhook, json_response
from sandbox.store import Row
from sandbox.world import World

TAGS = ("Buyer", "Gold Buyer")
#: What `members` calls the people whom the Timeline still writes to.
TIMELINE = "(timeline)"
#: Nothing documents the answer, and a pixel is an image: a client that reads the body of a 200 would be wrong.
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


class AEvent(StandIn):
    """One AEvent account with one Timeline, whose audience drops the people that its webhook tags."""

    name: ClassVar[str] = "aevent"
    # Fifteen letters and digits, like the token in the help article's example.
    credentials: ClassVar[dict[str, str]] = {"wtl": "Sb7Kq2ZtWm4Rx9N"}

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.registrants = self.table("registrants")
        self.registrants.look_up_by("email", lambda row: row["email"])
        # Tags for people who have not registered yet, by "r:..." or "email:...".
        self.pending = self.table("pending")
        self.acts = {"tag": self.tag}

    def seed(self, facts: Facts) -> None:
        """Fill the Timeline with everyone who registered for a webinar."""
        rows = [row for person in facts.people.values() if (row := _registrant(person, tagged=True))]
        self.registrants.load({row["r"]: row for row in rows})

    def ways(self) -> list[Way]:
        """The one path that is documented. HEAD changes nothing: mail scanners and previews send it."""
        return [Way("/setpixel", GET=self.setpixel, HEAD=lambda call: Response())]

    def admit(self, call: Call) -> Response | None:
        """Let every call in: the token in the URL is the only credential."""
        return None

    def finish(self, call: Call, response: Response) -> None:
        """An answer to a GET with an effect must not be kept by anybody."""
        response.headers["Cache-Control"] = "no-store"

    def error(self, status: int, call: Call, retry_after: float = 1.0) -> Response:
        """A refusal; its shape is ours, since none is documented."""
        codes = {404: "not_found", 405: "method_not_allowed", 429: "too_many_requests"}
        response = _refusal(status, codes.get(status, "server_error"), "")
        if status == 429:
            response.headers["Retry-After"] = str(max(1, round(retry_after)))
        return response

    def settle(self) -> None:
        """Do nothing: a tag takes effect in the call that brings it."""

    def members(self) -> dict[str, list[str]]:
        """Registrant ids by tag, and those whom the Timeline still writes to."""
        self._take_up()
        rows = self.registrants.rows
        found = {tag: sorted(r for r, row in rows.items() if tag in row["tags"]) for tag in TAGS}
        return {**found, TIMELINE: sorted(r for r, row in rows.items() if not row["tags"])}

    def config(self, url: str) -> dict[str, str]:
        """Where it answers, and a pace: AEvent publishes no limit, so a client's own caution only costs time."""
        return {"base_url": url, "calls_per_second": "100"}

    def setpixel(self, call: Call) -> Response:
        """GET /setpixel: add a tag; repeating it changes nothing, and a stranger is no error."""
        try:
            told = read(call.query_text, self.credentials["wtl"], TAGS)
        except WrongCallError as wrong:
            return _refusal(wrong.status, wrong.code, wrong.hint)
        r = self._registered(told)
        if r not in self.registrants.rows:
            self._take_up()
            r = self._registered(told)
        if self.faults.rejects(told.identifier, r):
            return _refusal(400, "bad_identifier", "no such registrant")
        table, key = (self.registrants, r) if r in self.registrants.rows else (self.pending, _key(told))
        row = table.rows.get(str(key), {"tags": []})
        if told.tag not in row["tags"]:
            table.put(str(key), row | {"tags": sorted([*row["tags"], told.tag])})
        return Response(_PIXEL, media_type="image/gif")

    def tag(self, person: Person, options: Row) -> Webhook:
        """The person bought: a Zapier calls the setpixel URL that it was given for them.

        That URL is told by `base` (default: the receiver), `wtl` and `value`; `by` is email or r. AEvent is not called.
        """
        by, base = str(options.get("by", "email")), str(options.get("base") or self.world.settings.receiver or "")
        named = [person.registrant_id] if person.registrant_id else []
        known = {"r": named, "email": person.identifiers("email")}.get(by, [])
        if not known:
            raise LookupError(f"{person.person} has no {by}")
        if not base or "wtl" not in options:
            raise LookupError("nothing to call: give wtl, and base while there is no receiver")
        tag = str(options.get("value", TAGS[0]))
        self.world.add_fact("tag", person.person, utc_now(), name=_stored(tag))
        fields = {"page": "webhook", "wtl": str(options["wtl"]), "value": tag}
        query = urlencode({**fields, by: known[0]}, quote_via=quote)
        address = f"{base.rstrip('/')}/setpixel?{query}"
        return Webhook(
            "setpixel", b"", {"User-Agent": "Zapier"}, str(uuid.uuid4()), _unsigned, method="GET", to=address
        )

    def _registered(self, told: Tagging) -> str | None:
        return told.identifier if told.kind == "r" else self.registrants.find("email", told.identifier)

    def _take_up(self) -> None:
        """Take up registrations that happened since, with the tags that waited for them."""
        for person in self.world.facts.people.values():
            row = _registrant(person)
            if row is None or row["r"] in self.registrants.rows:
                continue
            keys = [f"{kind}:{row[kind]}" for kind in ("r", "email") if row[kind]]
            waiting = [tag for key in keys for tag in self.pending.rows.get(key, {"tags": []})["tags"]]
            self.registrants.put(row["r"], row | {"tags": sorted(set(waiting))})
            for key in keys:
                self.pending.drop(key)


def _registrant(person: Person, tagged: bool = False) -> Row | None:
    """The person as a registrant, with the tags of their birth if asked; None for whoever never registered."""
    if person.registrant_id is None:
        return None
    named = sorted(person.records, key=lambda record: record.registrant_id is None)
    emails = [email for record in named if (email := valid_email(record.email))]
    tags = sorted({_stored(tag.name) for tag in person.tags}) if tagged else []
    return {"r": person.registrant_id, "email": emails[0] if emails else None, "tags": tags}


def _stored(tag: str) -> str:
    """A tag as the audience spells it."""
    return next((known for known in TAGS if known.casefold() == tag.casefold()), tag)


def _key(told: Tagging) -> str:
    return f"{told.kind}:{told.identifier}"


def _unsigned(url: str, body: bytes) -> dict[str, str]:
    return {}


def _refusal(status: int, code: str, hint: str) -> Response:
    return json_response({"status": "error", "code": code, "hint": hint}, status)
