"""The catalogue: which audiences exist, where they live, and why some are held; read by every lane.

It is written after each good build to `published/catalogue.json`. Reading it imports neither dbt nor pydantic, because
the speed lane and the gate read it before every decision.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from dlt_sources.platform import Target, TargetKind
from orchestration.home import Home

FILE = "catalogue.json"
#: The purpose and channel of an audience that tells a destination whom to leave alone.
SUPPRESSION, NO_CHANNEL = "suppression", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an audience asks of the decisions: may this identifier be used for this."""

    channel: str
    purpose: str
    topic: str
    sender: str = "any"
    product_category: str = "none"
    policy: str = "default"

    @property
    def id(self) -> str:
        """The readable key that `marts.questions` and `marts.decisions` use."""
        parts = [self.channel, self.purpose, self.topic, self.sender, self.product_category, self.policy]
        return "|".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place where an audience lives: a target of an account, the traits written there (theirs → ours)."""

    platform: str
    account: str
    target: str
    traits: Mapping[str, str] = field(default_factory=dict)
    create_missing: bool = False

    @property
    def address(self) -> tuple[str, str, str]:
        """Platform, account and target, spelt so that two names the platform treats as one are equal."""
        return self.platform, self.account, self.target.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A segment's twin, checked. `held_because` is why it may gain nobody; a retired one only loses members."""

    name: str
    channel: str
    purpose: str
    topic: str
    brand: str
    question_id: str
    owner: str = ""
    rule: str = ""
    leave_on: tuple[str, ...] = ()
    enter_on: tuple[str, ...] = ()
    send_event: str = ""
    destinations: tuple[Place, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    held_because: tuple[str, ...] = ()
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The audiences of one build, by name."""

    build_id: int
    audiences: tuple[Audience, ...]

    def __getitem__(self, name: str) -> Audience:
        for audience in self.audiences:
            if audience.name == name:
                return audience
        raise KeyError(name)

    def get(self, name: str) -> Audience | None:
        """The audience of that name, or None."""
        return next((audience for audience in self.audiences if audience.name == name), None)


def target(text: str) -> Target:
    """Read `list:Recent buyers` back into a target."""
    kind, _, name = text.partition(":")
    if kind not in ("list", "tag", "property") or not name:
        raise ValueError(f"{text!r} is no target such as 'list:Recent buyers'")
    return Target(cast("TargetKind", kind), name)


def read(home: Home) -> Catalogue:
    """The catalogue of the newest published build; empty before the first one."""
    path = home.published / FILE
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return Catalogue(0, ())
    return Catalogue(int(content["build_id"]), tuple(_audience(values) for values in content["audiences"]))


def write(home: Home, catalogue: Catalogue) -> Path:
    """Publish the catalogue in one step: a reader sees the former one or this one, also after a crash."""
    home.published.mkdir(parents=True, exist_ok=True)
    path = home.published / FILE
    content = {"build_id": catalogue.build_id, "audiences": [entry(audience) for audience in catalogue.audiences]}
    replace_file(path, orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return path


def entry(audience: Audience) -> dict[str, Any]:
    """An audience as the published file has it."""
    return asdict(audience)


def replace_file(path: Path, content: bytes) -> None:
    """Write a whole file durably under its name, or leave the former one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clashes(audiences: Sequence[Audience]) -> dict[str, tuple[str, ...]]:
    """Audience → names of the others that write to one of its targets; two writers would undo each other."""
    writers: dict[tuple[str, str, str], set[str]] = {}
    for audience in audiences:
        for place in audience.destinations:
            writers.setdefault(place.address, set()).add(audience.name)
    found: dict[str, set[str]] = {}
    for names in writers.values():
        for name in names if len(names) > 1 else ():
            found.setdefault(name, set()).update(names - {name})
    return {name: tuple(sorted(others)) for name, others in found.items()}


def _audience(content: Mapping[str, Any]) -> Audience:
    values = dict(content)
    values["destinations"] = tuple(Place(**place) for place in values["destinations"])
    for key in ("leave_on", "enter_on", "held_because"):
        values[key] = tuple(values.get(key, ()))
    return Audience(**values)
