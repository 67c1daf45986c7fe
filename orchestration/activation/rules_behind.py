"""The rows of rules that a verdict went by, each with its source: what the law, a platform or our policy says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.activation.evidence import Evidence
from orchestration.warehouse import has_table

_REGISTRIES = ("registry_hit", "registry_stale")
_STOPPED = ("withdrawn", "spam_complaint")
_PLACES = "SELECT country, region FROM intermediate.person_places WHERE person_id = $person"
#: Seed → the rows of it that a question about somebody goes by.
_OF_GOODS = {
    "minimum_age": (
        "category IN (SELECT $category UNION SELECT takes_rules_of FROM seeds.category_fallbacks "
        "WHERE category = $category) AND country IN (SELECT country FROM here UNION SELECT '*') "
        "AND (region = '*' OR region IN (SELECT region FROM here))"
    ),
    "channel_category_legality": (
        "product_category = $category AND channel = $channel AND country IN (SELECT country FROM here UNION SELECT '*')"
    ),
    "age_levels_required": "product_category = $category",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a seed, in its own columns, with its source and how sure that is."""

    seed: str
    row: Mapping[str, str]
    source: str
    confidence: str


def rules_behind(
    connection: duckdb.DuckDBPyConnection,
    question_id: str,
    person_id: str,
    codes: Sequence[str],
    evidence: Sequence[Evidence],
) -> list[Rule]:
    """The rows that the vocabulary, the place and the goods of a question bring in for one person."""
    channel, _, _, _, category, *_ = (question_id.split("|") + [""] * 6)[:6]
    found: list[Rule] = []
    for one in evidence:
        if one.kind == "statement":
            value, _, detail = one.value.partition(" (")
            about = {"platform": one.platform, "value": value, "detail": detail.rstrip(")")}
            words = "platform = $platform AND value = $value AND detail IN ('*', $detail)"
            named = "platform = $platform AND raw_name = $value"
            found += _rows(connection, "platform_values", words, about)
            about.pop("detail")
            found += _rows(connection, "event_names", named, about)
            found += _rows(connection, "stop_words", "word = $value", {"value": value})
        elif one.kind == "suppression":
            found += _rows(connection, "suppression_kinds", "kind = $kind", {"kind": one.value})
        elif one.kind == "registry":
            found += _rows(connection, "registries", "registry = $registry", {"registry": one.field})
    if set(codes).intersection(_REGISTRIES):
        guards = "list_contains(string_split(channels, '|'), $channel) AND needed"
        found += _rows(connection, "registries", guards, {"channel": channel})
    if set(codes).intersection(_STOPPED):
        found += _clocks(connection, person_id, channel)
    if category not in ("", "none"):
        found += _of_goods(connection, person_id, category, channel)
    return list({(rule.seed, str(rule.row)): rule for rule in found}.values())


def _clocks(connection: duckdb.DuckDBPyConnection, person_id: str, channel: str) -> list[Rule]:
    """The deadlines that bind where the person may live; the Union's where no country there has its own."""
    if not has_table(connection, "intermediate", "person_places"):
        return []
    places = (
        "SELECT country AS place FROM here UNION SELECT country || '-' || region FROM here UNION SELECT '*' "
        "UNION SELECT 'EU' WHERE NOT EXISTS (FROM here JOIN seeds.honour_clocks ON jurisdiction = country)"
    )
    condition = f"channel = $channel AND legal_unit <> 'minutes' AND jurisdiction IN ({places})"
    return _rows(connection, "honour_clocks", condition, {"person": person_id, "channel": channel}, having=_PLACES)


def _of_goods(connection: duckdb.DuckDBPyConnection, person_id: str, category: str, channel: str) -> list[Rule]:
    if not has_table(connection, "intermediate", "person_places"):
        return []
    about = {"person": person_id, "category": category, "channel": channel}
    found: list[Rule] = []
    for seed, condition in _OF_GOODS.items():
        used = {name: value for name, value in about.items() if name == "person" or f"${name}" in condition}
        needs_place = "here" in condition
        if not needs_place:
            used.pop("person")
        found += _rows(connection, seed, condition, used, having=_PLACES if needs_place else "")
    return found


def _rows(
    connection: duckdb.DuckDBPyConnection, seed: str, condition: str, about: Mapping[str, Any], having: str = ""
) -> list[Rule]:
    """The rows of a seed that meet a condition; none where the seed was never loaded."""
    if not has_table(connection, "seeds", seed):
        return []
    before = f"WITH here AS ({having}) " if having else ""
    cursor = connection.execute(f"{before}SELECT * FROM seeds.{seed} WHERE {condition} ORDER BY ALL", dict(about))
    names = [column[0] for column in cursor.description]
    rows = [
        {name: str(value) for name, value in zip(names, row, strict=True) if value is not None}
        for row in cursor.fetchall()
    ]
    return [
        Rule(seed=seed, row=row, source=row.pop("source", ""), confidence=row.pop("confidence", "")) for row in rows
    ]
