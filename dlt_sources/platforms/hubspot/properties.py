"""Traits as contact properties: made where one is missing, of the type its values show, and written in that type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from dlt_sources.errors import SetAside
from dlt_sources.http import Session
from dlt_sources.platforms.hubspot import client

#: The group that properties made by us stand in.
GROUP = "audiences"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_FIELDS = {
    "bool": "booleancheckbox",
    "number": "number",
    "date": "date",
    "datetime": "date",
    "string": "text",
}
_CONFLICT = 409


class Properties:
    """The contact properties of an account, looked up once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._types: dict[str, str] = {}

    def type(self, name: str) -> str:
        """The type of a property: bool, number, date, datetime, string, enumeration; empty where there is none."""
        if not self._types:
            self._look_up()
        return self._types.get(name, "")

    def prepare(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Make the properties that these values need and the account lacks; one without any value yet can wait."""
        samples = {name: value for row in rows for name, value in row.items() if value is not None}
        missing = {name: kind(value) for name, value in samples.items() if not self.type(name)}
        if not missing:
            return
        self._make("/groups", {"name": GROUP, "label": "Audiences"})
        for name, type_ in missing.items():
            self._make("", _definition(name, type_))
        self._look_up()

    def written(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Values as HubSpot takes them; an empty text clears, and what has no property yet needs no clearing."""
        return {name: _text(value, self.type(name)) for name, value in values.items() if self.type(name)}

    def _look_up(self) -> None:
        path = client.path(self._session.account, "properties")
        answer = client.call(self._session, "GET", path, object="properties", holds="results")
        self._types = {str(row.get("name")): str(row.get("type")) for row in answer["results"]}

    def _make(self, tail: str, body: Mapping[str, Any]) -> None:
        path = client.path(self._session.account, "properties", tail)
        try:
            client.call(self._session, "POST", path, object="properties", body=body)
        except SetAside as error:
            if error.failure.status != _CONFLICT:  # somebody made it in between, or long ago
                raise


def kind(value: Any) -> str:
    """The property type that suits a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float | Decimal):
        return "number"
    text = str(value)
    return "date" if _DATE.fullmatch(text) else "datetime" if _TIME.fullmatch(text) else "string"


def _definition(name: str, type_: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "type": type_,
        "fieldType": _FIELDS[type_],
        "groupName": GROUP,
    }
    if type_ == "bool":
        labels = {"true": "Yes", "false": "No"}
        made["options"] = [
            {"label": label, "value": value, "displayOrder": place, "hidden": False}
            for place, (value, label) in enumerate(labels.items())
        ]
    return made


def _text(value: Any, type_: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if type_ == "date" and _TIME.fullmatch(text):
        return text[:10]
    return f"{text}T00:00:00Z" if type_ == "datetime" and _DATE.fullmatch(text) else text
