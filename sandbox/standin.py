"""What a stand-in is: one platform's paths, manners, acts and memory. Adding a platform means writing one of these.

A module (or package) in `sandbox/platforms/` names its class `PLATFORM`; the folder is walked, no list is kept.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import orjson
from starlette.responses import Response
from starlette.routing import compile_path

from sandbox import platforms
from sandbox.calls import Call
from sandbox.faults import Faults

if TYPE_CHECKING:
    from sandbox.facts import Facts, Person
    from sandbox.store import Table
    from sandbox.world import World

Handler: TypeAlias = Callable[[Call], Response]


class RefusalError(Exception):
    """Raised anywhere in a handler: the call ends with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Way:
    """One path of a platform with a handler per method, for example `Way("/shop.json", GET=read_shop)`."""

    def __init__(self, path: str, **handlers: Handler) -> None:
        self._regex, _, self._convertors = compile_path(path)
        self.path = path
        self.handlers = handlers

    def match(self, path: str) -> dict[str, str] | None:
        """The path's parameters, or None when this is another path."""
        found = self._regex.match(path)
        return None if found is None else found.groupdict()


@dataclass(slots=True)
class Webhook:
    """One webhook ready to go. `sign` takes the URL as the platform knows it and the body, and gives headers.

    `to` is a whole address in place of the receiver's: somebody was given just that one. `again` gives the body of the
    first, second ... repetition where the platform counts them inside it.
    """

    topic: str
    body: bytes
    headers: dict[str, str]
    delivery_id: str
    sign: Callable[[str, bytes], dict[str, str]]
    more_targets: list[str] = field(default_factory=list)
    method: str = "POST"
    to: str = ""
    again: Callable[[int], bytes] | None = None


Act: TypeAlias = Callable[["Person", dict[str, Any]], Webhook]


class StandIn(ABC):
    """One platform as its clients see it."""

    name: ClassVar[str]
    credentials: ClassVar[dict[str, str]]
    # How long the platform waits for the receiver, and how often it tries again.
    webhook_timeout: ClassVar[float] = 5.0
    webhook_retries: ClassVar[int] = 0

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.acts: dict[str, Act] = {}

    @abstractmethod
    def seed(self, facts: Facts) -> None:
        """Fill the tables with this platform's view of the population."""

    @abstractmethod
    def ways(self) -> list[Way]:
        """The platform's paths; the first that matches answers."""

    @abstractmethod
    def admit(self, call: Call) -> Response | None:
        """Refuse wrong credentials, headers and a spent limit as the platform does; None lets the call in."""

    @abstractmethod
    def error(self, status: int, call: Call, retry_after: float = 1.0) -> Response:
        """The platform's own answer for 404, 405, 429 and 500."""

    @abstractmethod
    def members(self) -> dict[str, list[str]]:
        """Who is in each list, or bears each tag: sorted record ids by name."""

    @abstractmethod
    def finish(self, call: Call, response: Response) -> None:
        """Add the headers that every answer of the platform carries."""

    @abstractmethod
    def settle(self) -> None:
        """Carry out what the platform does by itself in the meantime (jobs, deliveries)."""

    def abandoned(self, target: str) -> bool:
        """Hear that a webhook target failed at every try; whether a subscription was deleted for it."""
        return False

    def config(self, url: str) -> dict[str, Any]:
        """What a client has to be told besides the credentials."""
        return {"base_url": url}

    def table(self, name: str) -> Table:
        """This platform's table of that name, made at the first call."""
        return self.world.table(f"{self.name}.{name}")


def all_platforms() -> list[type[StandIn]]:
    """Every stand-in in the folder, by name."""
    names = [module.name for module in pkgutil.iter_modules(platforms.__path__)]
    modules = [importlib.import_module(f"{platforms.__name__}.{name}") for name in names]
    return sorted((module.PLATFORM for module in modules), key=lambda standin: str(standin.name))


def json_response(content: Any, status: int = 200, media_type: str = "application/json") -> Response:
    """A JSON answer, written by orjson."""
    return Response(orjson.dumps(content), status, media_type=media_type)
