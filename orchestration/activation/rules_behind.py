"""The rows of rules that a verdict went by, each with its source: what the law, a platform or our policy says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.activation.evidence import Evidence
from orchestration.warehouse import has_table

_REGISTRIES = ("registry_hit", "registry_stale")
_STOPPED = ("withdrawn", "spam_complaint")
#: Where somebody may live; nowhere in particular where nobody knows.
_HERE = (
    "WITH known AS (SELECT country, region FROM intermediate.person_places WHERE person_id = $person), "
    "here AS (FROM known UNION ALL SELECT NULL, NULL WHERE NOT EXISTS (FROM known)) "
)
_REGIONS = "(here.region IS NULL OR rules.region IN (here.region, '*'))"
_OWN_REGION_FIRST = "here.region IS NOT NULL AND rules.region = '*'"
#: Seed → its rows about a question, and what makes one of them nearer to a place than another.
_OF_GOODS = {
    "minimum_age": (
        f"""category IN (SELECT $category UNION SELECT takes_rules_of FROM seeds.category_fallbacks
        WHERE category = $category) AND rules.country IN (here.country, '*') AND {_REGIONS}""",
        f"rules.country = '*', {_OWN_REGION_FIRST}, category <> $category",
    ),
    "channel_category_legality": (
        """product_category = $category AND channel = $channel
        AND rules.country IN (here.country, here.country || '-' || here.region, '*')""",
        "rules.country = '*', rules.country = here.country",
    ),
    "age_levels_required": ("product_category = $category", ""),
}
#: When messages may be sent on the day that is asked about, by the clock of whoever gets them.
_QUIET_HOURS = (
    f"""$channel IN (SELECT channel FROM seeds.channel_kinds WHERE quiet_hours)
    AND weekday = isodow(timezone('UTC', $as_of)) AND rules.country = here.country AND {_REGIONS}""",
    _OWN_REGION_FIRST,
)


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
    as_of: datetime,
) -> list[Rule]:
    """The rows in force that the vocabulary, the place and the goods of a question bring in for one person."""
    channel, _, _, _, category, *_ = (question_id.split("|") + [""] * 6)[:6]
    rules = _Rules(connection, {"person": person_id, "channel": channel, "category": category}, as_of)
    for one in evidence:
        if one.kind == "statement":
            rules.of_statement(one)
        elif one.kind == "suppression":
            rules.add("suppression_kinds", "kind = $kind", {"kind": one.value})
        elif one.kind == "registry":
            rules.add("registries", "registry = $registry", {"registry": one.field})
    if set(codes).intersection(_REGISTRIES):
        rules.add("registries", "list_contains(string_split(channels, '|'), $channel) AND needed")
    if set(codes).intersection(_STOPPED):
        rules.of_clocks()
    if category not in ("", "none"):
        for seed, (condition, nearness) in _OF_GOODS.items():
            rules.of_place(seed, condition, nearness)
    if list(codes) == ["ok"]:
        rules.of_place("quiet_hours", *_QUIET_HOURS)
    return list({(rule.seed, str(rule.row)): rule for rule in rules.found}.values())


class _Rules:
    """Collects rows of seeds that are in force."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, about: Mapping[str, str], as_of: datetime) -> None:
        self.found: list[Rule] = []
        self._connection = connection
        self._about = about
        self._as_of = as_of
        self._knows_places = has_table(connection, "intermediate", "person_places")

    def of_statement(self, one: Evidence) -> None:
        """What the vocabulary makes of a platform's word; the row of its detail goes before that of any."""
        value, _, detail = one.value.partition(" (")
        about = {"platform": one.platform, "value": value, "detail": detail.rstrip(")")}
        told = one.recorded_at or self._as_of
        words = (
            "platform = $platform AND value = $value AND detail IN ('*', $detail) "
            "QUALIFY rank() OVER (PARTITION BY field ORDER BY detail = '*') = 1"
        )
        self.add("platform_values", words, about, as_of=told)
        self.add("event_names", "platform = $platform AND raw_name = $value", about, as_of=told)
        self.add("stop_words", "word = $value", about, as_of=told)

    def of_clocks(self) -> None:
        """The deadlines that bind where the person may live; the Union's where no country there has its own."""
        places = (
            "SELECT country FROM here UNION SELECT country || '-' || region FROM here UNION SELECT '*' "
            "UNION SELECT 'EU' WHERE NOT EXISTS (FROM here JOIN seeds.honour_clocks ON jurisdiction = country)"
        )
        if self._knows_places:
            condition = f"channel = $channel AND legal_unit <> 'minutes' AND jurisdiction IN ({places})"
            self.add("honour_clocks", condition, before=_HERE)

    def of_place(self, seed: str, condition: str, nearness: str) -> None:
        """The rows nearest to each place where the person may live."""
        if not self._knows_places:
            return
        nearest = f" QUALIFY rank() OVER (PARTITION BY here.country, here.region ORDER BY {nearness}) = 1"
        self.add(seed, condition + (nearest if nearness else ""), before=_HERE, beside=", here" if nearness else "")

    def add(
        self,
        seed: str,
        condition: str,
        more: Mapping[str, str] | None = None,
        *,
        as_of: datetime | None = None,
        before: str = "",
        beside: str = "",
    ) -> None:
        """The rows of a seed that meet a condition; none where the seed was never loaded."""
        if not has_table(self._connection, "seeds", seed):
            return
        query = (
            f"{before}SELECT DISTINCT rules.* FROM seeds.{seed} AS rules{beside} "
            "WHERE coalesce(effective_from <= timezone('UTC', $as_of), true) "
            "AND coalesce(effective_to > timezone('UTC', $as_of), true) "
            f"AND {condition}"
        )
        known = {**self._about, **(more or {}), "as_of": as_of or self._as_of}
        used = {name: value for name, value in known.items() if f"${name}" in query}
        cursor = self._connection.execute(f"FROM ({query}) ORDER BY ALL", used)
        names = [column[0] for column in cursor.description]
        for values in cursor.fetchall():
            row = {name: str(value) for name, value in zip(names, values, strict=True) if value is not None}
            source, confidence = row.pop("source", ""), row.pop("confidence", "")
            self.found.append(Rule(seed=seed, row=row, source=source, confidence=confidence))
