"""Which audiences an event takes a person out of: read from the catalogue that each good build publishes.

The receiver asks so that such an event travels the speed lane, the ledger so that it blocks, the gate so that it sees
what has not been settled yet. No catalogue means that nothing has been published: no audience to leave.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from dlt_sources.errors import AudiencesError

CATALOGUE = "catalogue.json"


class CatalogueUnreadableError(AudiencesError):
    """The published catalogue exists and cannot be read."""


@dataclass(frozen=True, slots=True)
class Scope:
    """An audience, as far as leaving it goes."""

    audience: str
    channel: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The audiences that each event name takes a person out of; `version` changes with the file."""

    version: tuple[int, ...] = ()
    scopes: Mapping[str, Sequence[Scope]] = field(default_factory=dict)


class Leaving:
    """The newest published catalogue; may be shared between threads."""

    def __init__(self, published: Path) -> None:
        self._path = published / CATALOGUE
        self._lock = threading.Lock()
        self._known = Catalogue()

    def current(self) -> Catalogue:
        """The catalogue as published now; CatalogueUnreadableError when it is there and cannot be read."""
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            with self._lock:
                if version != self._known.version:
                    self._known = Catalogue(version, _scopes(self._path.read_bytes()))
                return self._known
        except FileNotFoundError:
            return Catalogue()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CatalogueUnreadableError(
                f"{self._path.name} cannot be read ({type(error).__name__}): run a build, which publishes it anew."
            ) from None


def _scopes(content: bytes) -> dict[str, list[Scope]]:
    scopes: dict[str, list[Scope]] = {}
    for audience in orjson.loads(content)["audiences"]:
        for name in audience.get("leave_on") or ():
            scopes.setdefault(name, []).append(Scope(audience["name"], audience["channel"]))
    return scopes
