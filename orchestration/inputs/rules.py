"""Registries, policies and forbidden writes out of the seeds: commands need them before the first build, too."""

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


@cache
def forbidden_write(platform: str, operation: str) -> str:
    """Why this write, in the platform's own words, is made for nobody; empty where no rule says so."""
    rows = (row for row in _seed("forbidden_writes") if row["platform"] == platform and row["operation"] == operation)
    return next((row["source"] for row in rows), "")


def tells_consent(platform: str, field: str) -> bool:
    """Whether a field of that name at the platform says what somebody agreed to."""
    name = field.lstrip("$").casefold()
    return any(name == one or name.startswith(f"{one}_") for one in _consent_fields(platform))


@cache
def _consent_fields(platform: str) -> frozenset[str]:
    """Whatever the vocabulary reads consent from, and whatever may not be written."""
    read = [row for row in _seed("platform_values") if row["platform"] == platform]
    names = {row["field"] for row in read} | {row["value"].partition("=")[0] for row in read if "=" in row["value"]}
    written = (row["operation"] for row in _seed("forbidden_writes") if row["platform"] == platform)
    names |= {operation.partition("=")[0] for operation in written if "=" in operation}
    return frozenset(name.lstrip("$").casefold() for name in names)


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
