"""The rules as data: the seeds, with a case's own rows beside them or in their place."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestration.deciding.cases import Rule

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
Row = Mapping[str, str]
#: By which columns two rows of a seed are the same rule.
KEYS: dict[str, tuple[str, ...]] = {
    "platform_values": ("platform", "field", "value", "detail"),
    "minimum_age": ("category", "country", "region", "kind", "effective_from"),
    "channel_category_legality": ("product_category", "channel", "country"),
    "age_levels_required": ("product_category",),
    "age_tags": ("platform", "object", "tag"),
    "suppression_kinds": ("kind",),
    "reason_codes": ("code",),
    "placeholder_birth_dates": ("birth_date",),
    "registries": ("registry",),
    "age_level_expiry": ("level",),
    "statement_bases": ("basis", "country", "channel"),
    "policies": ("policy",),
}


class Rules:
    """Every seed as a list of rows, by name."""

    def __init__(self, tables: Mapping[str, Sequence[Row]]) -> None:
        self.tables = tables
        self.memory: dict[object, Any] = {}

    @classmethod
    def load(cls, folder: Path = SEEDS) -> Rules:
        """The seeds of the project."""
        tables = {}
        for path in sorted(folder.glob("*.csv")):
            with path.open(newline="") as lines:
                tables[path.stem] = list(csv.DictReader(lines))
        return cls(tables)

    def beside(self, rules: Iterable[Rule]) -> Rules:
        """These rules with a case's rows put in, each in place of the row that has the same keys."""
        tables = {name: list(rows) for name, rows in self.tables.items()}
        own = list(rules)
        for rule in own:
            row = {name: _text(value) for name, value in rule.row.items()}
            rows = tables.setdefault(rule.seed, [])
            keys = KEYS.get(rule.seed, tuple(row))
            same = tuple(row.get(key, "") for key in keys)
            rows[:] = [old for old in rows if tuple(old.get(key) or "" for key in keys) != same]
            rows.append(row)
        return Rules(tables) if own else self

    def rows(self, name: str) -> Sequence[Row]:
        return self.tables.get(name, ())

    @cached_property
    def vocabulary(self) -> dict[tuple[str, str], dict[tuple[str, str], Row]]:
        """Platform and field -> value and detail -> the row."""
        told: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
        for row in self.rows("platform_values"):
            told.setdefault((row["platform"], row["field"]), {})[row["value"], row["detail"] or "*"] = row
        return told

    @cached_property
    def revoke_all_from(self) -> date | None:
        """The day on which one stop by text begins to end every text and call."""
        return next(
            (
                date.fromisoformat(row["effective_from"])
                for row in self.rows("withdrawal_scopes")
                if (row["act"], row["covers_channel"], row["basis"]) == ("sms_stop", "voice", "law")
            ),
            None,
        )

    @cached_property
    def words(self) -> dict[str, str]:
        """A text of one word -> stop, start, start_after_stop or help."""
        return {row["word"]: row["reading"] for row in self.rows("stop_words")}

    @cached_property
    def bases(self) -> dict[tuple[str, str, str], Row]:
        """Basis, country and channel -> whether it grants anything there."""
        return {(row["basis"], row["country"], row["channel"]): row for row in self.rows("statement_bases")}

    @cached_property
    def registries(self) -> dict[tuple[str, str], list[Row]]:
        """Channel and category -> the registries that guard it."""
        told: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows("registries"):
            for channel in row["channels"].split("|"):
                for category in row["categories"].split("|"):
                    told.setdefault((channel, category), []).append(row)
        return told

    @cached_property
    def parents(self) -> dict[str, str]:
        """Category -> the category whose rules it takes where it has none of its own."""
        return {row["category"]: row["takes_rules_of"] for row in self.rows("category_fallbacks")}

    @cached_property
    def policies(self) -> dict[str, Any]:
        """The policies as the project sets them; a case may set its own."""
        return {row["policy"]: _value(row["kind"], row["value"]) for row in self.rows("policies")}

    @cached_property
    def positions(self) -> dict[str, int]:
        """Reason code -> its place in the order of evaluation."""
        return {row["code"]: int(row["position"]) for row in self.rows("reason_codes")}

    @cached_property
    def minimum_ages(self) -> dict[tuple[str, str], dict[str, list[Row]]]:
        """Category and country -> region -> rows; there may be several kinds of rule for one place."""
        told: dict[tuple[str, str], dict[str, list[Row]]] = {}
        for row in self.rows("minimum_age"):
            place = told.setdefault((row["category"], row["country"]), {})
            place.setdefault(row["region"], []).append(row)
        return told

    @cached_property
    def legality(self) -> dict[tuple[str, str], dict[str, list[Row]]]:
        """Category and channel -> country, or country-region -> rows."""
        told: dict[tuple[str, str], dict[str, list[Row]]] = {}
        for row in self.rows("channel_category_legality"):
            places = told.setdefault((row["product_category"], row["channel"]), {})
            places.setdefault(row["country"], []).append(row)
        return told

    @cached_property
    def dated(self) -> list[tuple[str, str, date]]:
        """Category, country and day of every rule on age or advertising that begins or ends on a day."""
        rows = [(row["category"], row) for row in self.rows("minimum_age")]
        rows += [(row["product_category"], row) for row in self.rows("channel_category_legality")]
        return [
            (category, row["country"].partition("-")[0], date.fromisoformat(text))
            for category, row in rows
            for text in (row.get("effective_from"), row.get("effective_to"))
            if text
        ]

    @cached_property
    def levels(self) -> dict[str, int]:
        return {row["product_category"]: int(row["level"]) for row in self.rows("age_levels_required")}

    @cached_property
    def expiry(self) -> dict[int, Row]:
        """Level of evidence -> when it expires."""
        return {int(row["level"]): row for row in self.rows("age_level_expiry")}

    @cached_property
    def tags(self) -> dict[tuple[str, str], list[Row]]:
        told: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows("age_tags"):
            told.setdefault((row["platform"], row["tag"]), []).append(row)
        return told

    @cached_property
    def placeholders(self) -> dict[date, int]:
        """Date -> the highest level of evidence at which it is not believed."""
        rows = self.rows("placeholder_birth_dates")
        return {date.fromisoformat(row["birth_date"]): int(row["level"]) for row in rows}

    @cached_property
    def suppression_kinds(self) -> dict[str, Row]:
        return {row["kind"]: row for row in self.rows("suppression_kinds")}


def in_force(row: Row, day: date) -> bool:
    """Whether a rule holds on a day: from its first day until the day on which it ends."""
    first, last = row.get("effective_from"), row.get("effective_to")
    return (not first or date.fromisoformat(first) <= day) and (not last or day < date.fromisoformat(last))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _value(kind: str, text: str) -> Any:
    if kind == "boolean":
        return text == "true"
    if kind == "list":
        return tuple(text.split(","))
    return int(text) if kind == "integer" else text
