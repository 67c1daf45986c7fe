"""Shopify's search syntax, as far as customers need it: `field:value` terms joined by spaces or AND."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any

from sandbox.facts import valid_email, valid_phone
from sandbox.platforms.shopify.paging import when
from sandbox.platforms.shopify.state import split_tags
from sandbox.store import Row

_TERM = re.compile(r"""(?:(-)?(\w+):)?(>=|<=|>|<)?("[^"]*"|'[^']*'|[^\s]+)""")


def compile_search(text: str | None) -> Callable[[Row], bool]:
    """A test for customers; unknown fields match nothing, as Shopify warns they might."""
    tests = [_term(*found.groups()) for found in _TERM.finditer(text or "") if found.group(0) != "AND"]
    return lambda row: all(test(row) for test in tests)


def _term(negated: str | None, field: str | None, operator: str | None, raw: str) -> Callable[[Row], bool]:
    value = raw.strip("\"'")
    test = _test(field, operator, value)
    return (lambda row: not test(row)) if negated else test


def _test(field: str | None, operator: str | None, value: str) -> Callable[[Row], bool]:
    wanted = value.lower()
    match field:
        case None:
            texts = ("email", "first_name", "last_name", "phone")
            return lambda row: any(wanted in str(row[key] or "").lower() for key in texts)
        case "updated_at" | "created_at" | "customer_date":
            name, bound = ("updated_at" if field == "updated_at" else "created_at"), when(value, field)
            return lambda row: _compare(row[name], operator, bound)
        case "id":
            return lambda row: _compare(row["id"], operator, int(wanted))
        case "email":
            return lambda row: (valid_email(row["email"]) or "") == wanted
        case "phone":
            return lambda row: valid_phone(row["phone"]) == (valid_phone(value) or value)
        case "tag" | "customer_tag":
            return lambda row: wanted in [tag.lower() for tag in split_tags(row["tags"])]
        case "country":
            return lambda row: wanted in _countries(row["default_address"] or {})
        case "first_name" | "last_name" | "state":
            return lambda row: str(row[field] or "").lower() == wanted
    return lambda row: False


def _countries(address: Row) -> tuple[str, str]:
    return str(address.get("country")).lower(), str(address.get("country_code")).lower()


def _compare(have: Any, sign: str | None, want: Any) -> bool:
    if sign is None:
        return bool(have == want)
    return bool({">": gt, ">=": ge, "<": lt, "<=": le}[sign](have, want))
