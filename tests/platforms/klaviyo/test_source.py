"""What is asked of Klaviyo when it is pulled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from dlt_sources.accounts import Account
from dlt_sources.platforms.klaviyo import PLATFORM, source

SINCE = datetime(2026, 11, 1, 10, tzinfo=UTC)
OBJECTS = {obj.name: obj for obj in PLATFORM.objects}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "profiles",
            {
                "page[size]": ["100"],
                "sort": ["updated"],
                "filter": ["greater-than(updated,2026-11-01T10:00:00Z)"],
                "additional-fields[profile]": ["subscriptions"],
            },
        ),
        (
            "events",
            {"page[size]": ["1000"], "sort": ["datetime"], "filter": ["greater-than(datetime,2026-11-01T10:00:00Z)"]},
        ),
        ("metrics", {}),
    ],
)
def test_the_first_page_is_asked_for_with(
    account: Account, calls: Callable[..., list[dict[str, Any]]], name: str, expected: dict[str, list[str]]
) -> None:
    list(source.pages(account, OBJECTS[name], SINCE))
    assert parse_qs(calls()[0]["query"]) == expected


def test_profiles_come_with_their_consent_over_all_pages(account: Account) -> None:
    profiles = [profile for page in source.pages(account, OBJECTS["profiles"], None) for profile in page]
    assert len(profiles) > 50
    assert all("consent" in profile["attributes"]["subscriptions"]["email"]["marketing"] for profile in profiles)
