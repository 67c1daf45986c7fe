"""Segment twins: collects every segment's twin out of dbt's manifest into the catalogue of a build.

A twin that is wrong is reported with the file, the key and what to write, and holds its own audience alone: the last
good entry stays in the catalogue, gains nobody, and still loses whoever must go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Platform
from orchestration.activation.catalogue import Catalogue, clashes
from orchestration.activation.twin import Problem, Twin

FOLDER = "models/segments/"


def collect(
    manifest: Path,
    *,
    build_id: int,
    platforms: Sequence[Platform],
    accounts: Sequence[Account] | None,
    former: Catalogue,
    with_members: Collection[str],
    set_aside: Sequence[tuple[str, str, str]] = (),
) -> tuple[Catalogue, list[Problem]]:
    """Read every twin of the manifest; give the catalogue of this build and every problem.

    `former` is the catalogue published last, `with_members` the audiences that destinations still hold members of:
    an audience that left the project stays as retired until it is not among them. Without `accounts` the configuration
    is not asked: places are given as the twins name them. `set_aside` are segments that the manifest leaves out because
    dbt cannot read them (name, file, what to mend): they are held, not retired.
    """
    problems = [Problem(name, f"{FOLDER}{file}", "file", message) for name, file, message in set_aside]
    audiences = [
        replace(last_good, held_because=(str(problem),), retired=False)
        for problem in problems
        if (last_good := former.get(problem.audience)) is not None
    ]
    nodes = _nodes(manifest)
    events = _vocabulary(nodes)
    for node in _segments(nodes):
        reader = Twin(node, platforms, accounts, events)
        audience = reader.read()
        problems += reader.problems
        if reader.problems:
            last_good = former.get(reader.name)
            why = tuple(str(problem) for problem in reader.problems)
            if last_good is not None:
                audiences.append(replace(last_good, held_because=why, retired=False))
        elif audience is not None:
            audiences.append(audience)
    names = {audience.name for audience in audiences} | {problem.audience for problem in problems}
    audiences += [
        replace(audience, retired=True, held_because=())
        for audience in former.audiences
        if audience.name not in names and audience.name in with_members
    ]
    for name, others in clashes([audience for audience in audiences if not audience.retired]).items():
        message = f"writes to the same target as {', '.join(others)}; give each audience a target of its own"
        problems.append(Problem(name, f"{FOLDER}{name}.yml", "destinations", message))
        audiences = [
            replace(audience, held_because=(*audience.held_because, message)) if audience.name == name else audience
            for audience in audiences
        ]
    return Catalogue(build_id, tuple(sorted(audiences, key=lambda audience: audience.name))), problems


def _nodes(manifest: Path) -> list[Mapping[str, Any]]:
    try:
        return list(orjson.loads(manifest.read_bytes())["nodes"].values())
    except FileNotFoundError:
        raise ConfigurationError(f"dbt's {manifest.name} is missing: parse the dbt project first.") from None


def _vocabulary(nodes: Sequence[Mapping[str, Any]]) -> Collection[str]:
    """The event names that `customer_events` accepts: its own test says so. Empty where there is none."""
    for node in nodes:
        told = node.get("test_metadata") or {}
        about = (str(node.get("attached_node") or "").rpartition(".")[2], node.get("column_name"), told.get("name"))
        if about == ("customer_events", "event_name", "accepted_values"):
            return frozenset(told["kwargs"]["values"])
    return frozenset()


def _segments(nodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    segments = [
        node
        for node in nodes
        if node["resource_type"] == "model" and node["original_file_path"].replace("\\", "/").startswith(FOLDER)
    ]
    return sorted(segments, key=lambda node: str(node["name"]))
