"""HubSpot's contact properties: the ones every account has, the shop's own, and what values each takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.facts import valid_email
from sandbox.platforms.hubspot.manners import read_moment, stamp
from sandbox.store import Row

SUBSCRIPTION_ID = 312456789
GROUPS = {
    "contactinformation": "Contact information",
    "emailinformation": "Email information",
    "webinars": "Webinars and age",
}
TYPES = {
    "bool": ("booleancheckbox", "calculation_equation"),
    "enumeration": ("booleancheckbox", "calculation_equation", "checkbox", "radio", "select"),
    "date": ("date",),
    "datetime": ("date",),
    "string": ("calculation_equation", "file", "html", "phonenumber", "text", "textarea"),
    "number": ("calculation_equation", "number"),
    "phone_number": ("phonenumber",),
}  # fmt: skip
_YES_NO = [("true", "Yes"), ("false", "No")]
# name, label, type, field type, group, read-only
_KNOWN: tuple[tuple[str, str, str, str, str, bool], ...] = (
    ("email", "Email", "string", "text", "contactinformation", False),
    ("firstname", "First Name", "string", "text", "contactinformation", False),
    ("lastname", "Last Name", "string", "text", "contactinformation", False),
    ("phone", "Phone Number", "string", "phonenumber", "contactinformation", False),
    ("mobilephone", "Mobile Phone Number", "string", "phonenumber", "contactinformation", False),
    ("country", "Country/Region", "string", "text", "contactinformation", False),
    ("state", "State/Region", "string", "text", "contactinformation", False),
    ("hs_country_region_code", "Country/Region Code", "string", "text", "contactinformation", False),
    ("hs_state_code", "State/Region Code", "string", "text", "contactinformation", False),
    ("jobtitle", "Job Title", "string", "text", "contactinformation", False),
    ("date_of_birth", "Date of birth", "string", "text", "contactinformation", False),
    ("createdate", "Create Date", "datetime", "date", "contactinformation", True),
    ("lastmodifieddate", "Last Modified Date", "datetime", "date", "contactinformation", True),
    ("hs_object_id", "Record ID", "number", "number", "contactinformation", True),
    ("hs_additional_emails", "Additional email addresses", "enumeration", "checkbox", "contactinformation", True),
    ("hs_merged_object_ids", "Merged record IDs", "enumeration", "checkbox", "contactinformation", True),
    ("hs_email_optout", "Unsubscribed from all email", "bool", "booleancheckbox", "emailinformation", True),
    ("hs_email_bounce", "Marketing emails bounced", "number", "number", "emailinformation", True),
    ("hs_email_quarantined", "Email address quarantined", "bool", "booleancheckbox", "emailinformation", True),
    ("hs_legal_basis", "Legal basis for processing contact's data", "enumeration", "checkbox", "emailinformation",
     False),
    (f"hs_email_optout_{SUBSCRIPTION_ID}", "Opted out of email: Marketing", "enumeration", "booleancheckbox",
     "emailinformation", True),
)  # fmt: skip
_OWN: tuple[tuple[str, str, str, str], ...] = (
    ("aevent_registrant_id", "AEvent registrant id", "string", "text"),
    ("age_verified", "Age verified", "bool", "booleancheckbox"),
    ("loyalty_number", "Loyalty number", "string", "text"),
)
_LEGAL = (
    ("Legitimate interest - prospect/lead", "Legitimate interest - prospect/lead"),
    ("Freely given consent from contact", "Freely given consent from contact"),
    ("Not applicable", "Not applicable"),
)


def definitions(at: str) -> dict[str, Row]:
    """The properties of a new account."""
    found = {}
    for name, label, kind, field, group, fixed in _KNOWN:
        options = _YES_NO if kind == "bool" else list(_LEGAL) if name == "hs_legal_basis" else []
        found[name] = define(at, name, label, kind, field, group, options, hubspot_defined=True, read_only=fixed)
    for name, label, kind, field in _OWN:
        options = _YES_NO if kind == "bool" else []
        unique = name == "loyalty_number"
        found[name] = define(at, name, label, kind, field, "webinars", options, unique=unique)
    return found


def define(
    at: str, name: str, label: str, kind: str, field: str, group: str, options: list[tuple[str, str]], *,
    description: str = "", hubspot_defined: bool = False, read_only: bool = False, unique: bool = False,
) -> Row:  # fmt: skip
    """One property as the API shows it."""
    listed = [
        {"label": text, "value": value, "displayOrder": number, "hidden": False}
        for number, (value, text) in enumerate(options)
    ]
    fixed = hubspot_defined
    return {
        "name": name, "label": label, "type": kind, "fieldType": field, "groupName": group, "description": description,
        "options": listed, "displayOrder": -1, "calculated": False, "externalOptions": False, "archived": False,
        "hasUniqueValue": unique, "hidden": False, "hubspotDefined": hubspot_defined, "formField": not read_only,
        "dataSensitivity": "non_sensitive", "createdAt": at, "updatedAt": at,
        "modificationMetadata": {"archivable": not fixed, "readOnlyDefinition": fixed, "readOnlyValue": read_only},
    }  # fmt: skip


def checked(definition: Row, given: Any) -> tuple[str | None, Row | None]:
    """A value as it is stored, or what is wrong with it; an empty text clears the property."""
    text = given if isinstance(given, str) else "" if given is None else str(given).lower()
    name, kind = definition["name"], definition["type"]
    if definition["modificationMetadata"]["readOnlyValue"]:
        message = f'"{name}" is a read only property; its value cannot be set.'
        return None, _wrong(name, message, "READ_ONLY_VALUE")
    if text == "":
        return None, None
    if name == "email":
        address = valid_email(text)
        return address, None if address else _wrong(name, f"Email address {text} is invalid", "INVALID_EMAIL")
    if kind in ("bool", "enumeration") and definition["options"]:
        options = [option["value"] for option in definition["options"]]
        parts = text.split(";") if definition["fieldType"] == "checkbox" else [text]
        if all(part in options for part in parts):
            return text, None
        message = f"{text} was not one of the allowed options: [{', '.join(options)}]"
        return None, _wrong(name, message, "INVALID_OPTION")
    if kind == "number":
        wrong = None if _is_number(text) else _wrong(name, f"{text} was not a valid number.", "INVALID_DOUBLE")
        return (None if wrong else text), wrong
    if kind in ("date", "datetime"):
        return _time(name, kind, text)
    return text, None


def unknown(name: str) -> Row:
    """What is wrong with a property that is not there."""
    return _wrong(name, f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST")


def _time(name: str, kind: str, text: str) -> tuple[str | None, Row | None]:
    moment = read_moment(text)
    if moment is None:
        return None, _wrong(name, f"{text} was not a valid {kind}", "INVALID_DATE")
    if kind == "datetime":
        return stamp(moment), None
    day = moment.astimezone(UTC)
    if day.time() != datetime.min.time():
        return None, _wrong(name, f"{text} is at {day.time()} UTC, not midnight!", "INVALID_DATE")
    return day.date().isoformat(), None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong(name: str, message: str, code: str) -> Row:
    return {"message": message, "code": code, "context": {"propertyName": [name]}}
