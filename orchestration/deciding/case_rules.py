"""Rows of rules that a case has beside the project's, checked as the seeds have them: a slip must not pass unseen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

Channel = Literal["email", "sms", "mms", "whatsapp", "voice", "push", "postal", "ads_audience", "none"]


class Part(BaseModel):
    """A part of a case file: keys that it does not know are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _RuleRow(Part):
    effective_from: date | None = None  # in Greenwich
    effective_to: date | None = None


class MinimumAge(_RuleRow):
    """A row of the seed `minimum_age`."""

    category: str
    country: str
    region: str = "*"
    kind: Literal["age", "born_before", "year_of"] = "age"
    value: str

    @field_validator("value", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        return str(given) if isinstance(given, int | date) and not isinstance(given, bool) else given

    @field_validator("value")
    @classmethod
    def _of_its_kind(cls, given: str, info: ValidationInfo) -> str:
        if info.data.get("kind") == "born_before":
            date.fromisoformat(given)
        else:
            int(given)
        return given


class ChannelCategoryLegality(_RuleRow):
    """A row of the seed `channel_category_legality`."""

    product_category: str
    channel: Channel
    country: str
    lawful: bool
    unless_policy: str | None = None


_ROWS: Mapping[str, type[_RuleRow]] = {
    "minimum_age": MinimumAge,
    "channel_category_legality": ChannelCategoryLegality,
}


class Rule(Part):
    """A row of rules that holds in this case beside those of the project, or in place of the one with its keys."""

    seed: Literal["minimum_age", "channel_category_legality"]
    row: Mapping[str, Any]

    @field_validator("row")
    @classmethod
    def _as_its_seed_has_it(cls, given: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        kind = _ROWS.get(info.data.get("seed", ""))
        return kind.model_validate(given).model_dump(mode="json", exclude_none=True) if kind else given
