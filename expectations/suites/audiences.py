"""Audiences to destinations: a suite per audience, built from its entry in the catalogue of twins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from expectations import vocabulary
from expectations.suites import Suite
from expectations.vocabulary import Expectation

COLUMNS = ("audience", "person_id", "identifier_type", "identifier", "question_id", "as_of", "build_id")


def suites(catalogue: Iterable[Mapping[str, Any]]) -> Iterator[Suite]:
    """A suite for every audience that is not retired.

    An entry has name, channel, purpose, question_id and destinations with their traits (theirs → ours). Whatever a
    broken twin left out fails the expectation that asks for it.
    """
    for entry in catalogue:
        if entry.get("retired"):
            continue
        yield Suite(
            boundary="audience",
            subject=entry["name"],
            schema="audiences",
            table=entry["name"],
            expectations=tuple(_expectations(entry)),
        )


def _expectations(entry: Mapping[str, Any]) -> Iterator[Expectation]:
    channel, purpose = entry.get("channel", ""), entry.get("purpose", "")
    traits = _mapped_traits(entry)
    yield vocabulary.columns_present(COLUMNS, table_required=True)
    yield vocabulary.build_is_the_clocks()
    yield vocabulary.question_is_the_twins(entry.get("question_id", ""))
    yield vocabulary.everybody_is_eligible()
    yield vocabulary.nobody_admitted_without_ok()
    yield vocabulary.no_withdrawn_identifier(channel, purpose)
    yield vocabulary.identifier_is_valid()
    yield vocabulary.identifier_serves_the_channel(channel)
    yield vocabulary.nobody_listed_twice()
    yield vocabulary.no_birth_date_column()
    if traits:
        yield vocabulary.traits_exist(traits)
        yield vocabulary.no_birth_date_values(traits)


def _mapped_traits(entry: Mapping[str, Any]) -> list[str]:
    mappings = (destination.get("traits") or {} for destination in entry.get("destinations") or ())
    return sorted({column for mapping in mappings for column in mapping.values()})
