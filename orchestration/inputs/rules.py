"""The registries that the project knows, out of its seeds: commands need them before the first build, too."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from dlt_sources.errors import ConfigurationError
from orchestration.home import DBT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry: what it guards, what it lists, and how many days a comparison counts."""

    name: str
    channels: tuple[str, ...]
    categories: tuple[str, ...]
    identifier_types: tuple[str, ...]
    country: str
    needed: bool
    max_days: int
    lists_domains: bool
    results: tuple[str, ...]


@cache
def registries() -> dict[str, Registry]:
    """Every registry by its name, in the order of the seed."""
    return {row["registry"]: _registry(row) for row in _seed("registries")}


def registry(name: str) -> Registry:
    """One of them; ConfigurationError for a name that the seed does not have."""
    if name not in registries():
        known = ", ".join(registries())
        raise ConfigurationError(
            f"There is no registry {name!r}; known are {known} (dbt_project/seeds/registries.csv)."
        )
    return registries()[name]


@cache
def default_max_days() -> int:
    """How long a comparison counts at most, unless the project's variables say otherwise."""
    return next(int(row["value"]) for row in _seed("policies") if row["policy"] == "registry_max_days")


@cache
def policies() -> frozenset[str]:
    """The names of all policies that a project, or a case, may set."""
    return frozenset(row["policy"] for row in _seed("policies"))


def _registry(row: dict[str, str]) -> Registry:
    found = "disconnected" if row["suppression_kind"] == "reassigned_number" else "listed"
    return Registry(
        name=row["registry"],
        channels=tuple(row["channels"].split("|")),
        categories=tuple(row["categories"].split("|")),
        identifier_types=tuple(row["identifier_types"].split("|")),
        country=row["country"],
        needed=row["needed"] == "true",
        max_days=int(row["max_days"]),
        lists_domains=row["lists_domains"] == "true",
        results=(found, "clear"),
    )


def _seed(name: str) -> list[dict[str, str]]:
    with (DBT_PROJECT / "seeds" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
