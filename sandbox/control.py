"""The control API under `/_sandbox`, the same on every stand-in; it is no part of any platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.delivery import Courier
from sandbox.facts import Person, utc_now
from sandbox.faults import Fault
from sandbox.standin import StandIn, json_response
from sandbox.truth import Truth
from sandbox.world import Settings, World


class Control:
    """The handlers for one world; faults belong to the stand-in that is asked."""

    def __init__(self, world: World, courier: Courier) -> None:
        self.world, self.courier = world, courier

    def app(self, standin: StandIn) -> Starlette:
        """The control API as seen on one stand-in."""

        async def faults(request: Request) -> Response:
            if request.method == "POST":
                standin.faults.add(Fault(**await _body(request)))
            elif request.method == "DELETE":
                standin.faults.clear()
            return json_response(standin.faults.waiting())

        routes = {
            "": (self.about, ["GET"]),
            "/faults": (faults, ["GET", "POST", "DELETE"]),
            "/calls": (self.calls, ["GET", "DELETE"]),
            "/settings": (self.settings, ["GET", "POST"]),
            "/act": (self.act, ["POST"]),
            "/deliveries": (self.deliveries, ["GET"]),
            "/truth": (self.truth, ["GET"]),
            "/members": (self.members, ["GET"]),
            "/people": (self.people, ["GET"]),
            "/registries": (self.registries, ["GET"]),
        }
        paths = [Route(f"/_sandbox{path}", _guarded(run), methods=known) for path, (run, known) in routes.items()]
        return Starlette(routes=paths)

    async def about(self, request: Request) -> Response:
        """GET /_sandbox: what runs here."""
        acts = {name: sorted(standin.acts) for name, standin in self.world.standins.items()}
        return json_response({"origin": self.world.origin, "settings": asdict(self.world.settings), "acts": acts})

    async def calls(self, request: Request) -> Response:
        """GET or DELETE /_sandbox/calls: the log, filtered by platform, method, path (prefix), status, note, after."""
        if request.method == "DELETE":
            self.world.calls.clear()
        return json_response(self.world.calls.select(dict(request.query_params)))

    async def settings(self, request: Request) -> Response:
        """GET or POST /_sandbox/settings: unlimited, job_seconds, receiver, public_url, retry_delays."""
        given = await _body(request) if request.method == "POST" else {}
        known = {setting.name for setting in fields(Settings)}
        if not given.keys() <= known:
            raise ValueError(f"unknown settings {sorted(given.keys() - known)}; there are {', '.join(sorted(known))}")
        for name, value in given.items():
            setattr(self.world.settings, name, value)
        return json_response(asdict(self.world.settings))

    async def act(self, request: Request) -> Response:
        """POST /_sandbox/act {"act", "person", ...}: change the platform's state, then deliver its webhook."""
        options = await _body(request)
        name, who = str(options.pop("act")), str(options.pop("person"))
        standin = next((s for s in self.world.standins.values() if name in s.acts), None)
        if standin is None:
            known = sorted(act for s in self.world.standins.values() for act in s.acts)
            raise LookupError(f"unknown act {name!r}; there are {', '.join(known)}")
        self.world.settle()
        person = self.world.facts.find(who)
        webhook = standin.acts[name](person, options)
        self.world.journal.flush()
        outcome = await self.courier.deliver(standin, webhook)
        return json_response({"act": name, "person": person.person, "platform": standin.name, **outcome})

    async def deliveries(self, request: Request) -> Response:
        """GET /_sandbox/deliveries: every webhook sent, oldest first."""
        return json_response(list(self.courier.deliveries))

    async def truth(self, request: Request) -> Response:
        """GET /_sandbox/truth?as_of=...: what must be true (now, unless told)."""
        text = request.query_params.get("as_of", "").replace("Z", "+00:00").replace(" ", "+")
        as_of = datetime.fromisoformat(text) if text else utc_now()
        return json_response(Truth(self.world.facts, as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)).document())

    async def members(self, request: Request) -> Response:
        """GET /_sandbox/members: who is really in each list or bears each tag."""
        self.world.settle()
        return json_response({name: standin.members() for name, standin in self.world.standins.items()})

    async def people(self, request: Request) -> Response:
        """GET /_sandbox/people?story=... or ?who=...: people with their records and identifiers."""
        query = request.query_params
        if "who" in query:
            return json_response([_described(self.world.facts.find(query["who"]))])
        people = self.world.facts.people.values()
        return json_response([_described(p) for p in people if query.get("story", p.story) == p.story])

    async def registries(self, request: Request) -> Response:
        """GET /_sandbox/registries: by name, when the whole list was compared with it, and what was found."""
        found: dict[str, dict[str, Any]] = {}
        for receipt in self.world.facts.receipts:
            answer = found.setdefault(receipt.registry, {"compared_on": "", "found": []})
            if receipt.identifier is None:
                answer["compared_on"] = receipt.at.date().isoformat()
            else:
                since = receipt.since.isoformat() if receipt.since else ""
                answer["found"].append({"identifier": receipt.identifier, "result": receipt.result, "since": since})
        return json_response(found)


def _described(person: Person) -> dict[str, Any]:
    records: dict[str, list[str]] = {}
    for record in person.records:
        records.setdefault(record.platform, []).append(record.record_id)
    return {
        "person": person.person, "first": person.first, "last": person.last, "story": person.story, "records": records,
        "emails": person.identifiers("email"), "phones": person.identifiers("phone"),
        "registrant_id": person.registrant_id,
    }  # fmt: skip


async def _body(request: Request) -> dict[str, Any]:
    found = orjson.loads(await request.body())
    if not isinstance(found, dict):
        raise TypeError("the body must be a JSON object")
    return found


def _guarded(run: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Turn a wrong request into a 400 that says what is wrong."""

    async def answer(request: Request) -> Response:
        try:
            return await run(request)
        except (LookupError, ValueError, TypeError) as wrong:
            return json_response({"error": str(wrong)}, 400)

    return answer
