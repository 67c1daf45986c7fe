"""What platforms show of our own writes: it ends with what we wrote it for, and a colleague's act does not.

One chain of two runs, since each takes half a minute: the withdrawals are pushed, the people come back, all is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
import requests

from tests.end_to_end.shop import House, house

# Whole runs: half a minute each on two quiet cores, minutes on a busy machine.
pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True)
class Story:
    """Two people who opted out in the shop and opted in again; a colleague had suppressed the second at Klaviyo."""

    house: House
    pushed: str
    colleague_s: str
    blocks: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with house(tmp_path_factory.mktemp("house"), people=150) as shop:
        left = [*shop.sandbox.people("spender_withdrew"), *shop.sandbox.people("vaper_withdrew")]
        pushed, colleague_s = [one["emails"][0] for one in left if one["records"].get("klaviyo")][:2]
        suppress(shop, colleague_s)
        assert shop.run().failures == []
        blocks = {email: suppressions(shop, email) for email in (pushed, colleague_s)}
        for email in (pushed, colleague_s):
            shop.sandbox.act("email_double_opt_in", email)
        assert shop.run().failures == []
        yield Story(shop, pushed, colleague_s, blocks)


def suppress(shop: House, email: str) -> None:
    """Suppress a profile as somebody does by hand in Klaviyo, or another tool by its API."""
    calls(
        shop,
        "POST",
        "/api/profile-suppression-bulk-create-jobs",
        {
            "data": {
                "type": "profile-suppression-bulk-create-job",
                "attributes": {"profiles": {"data": [{"type": "profile", "attributes": {"email": email}}]}},
            }
        },
    )


def suppressions(shop: House, email: str) -> list[tuple[Any, ...]]:
    """What Klaviyo shows of a profile's suppression."""
    answer = calls(
        shop,
        "GET",
        "/api/profiles",
        params={"filter": f'equals(email,"{email}")', "additional-fields[profile]": "subscriptions"},
    )
    [profile] = answer["data"]
    return [entry["reason"] for entry in profile["attributes"]["subscriptions"]["email"]["marketing"]["suppression"]]


def calls(shop: House, method: str, path: str, body: Any = None, params: Any = None) -> Any:
    """A call to the Klaviyo stand-in that is none of ours."""
    headers = {
        "Authorization": f"Klaviyo-API-Key {shop.sandbox.credentials['klaviyo']['api_key']}",
        "revision": "2026-07-15",
    }
    url = shop.sandbox.urls["klaviyo"] + path
    answer = requests.request(method, url, json=body, params=params, headers=headers, timeout=10)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def reasons(shop: House, email: str) -> set[str]:
    """Why the address hears nothing of ordinary goods by e-mail."""
    with duckdb.connect(str(shop.home.published_warehouse), read_only=True) as published:
        rows = published.execute(
            "SELECT unnest(decisions.reason_codes) FROM marts.decisions AS decisions "
            "JOIN marts.questions AS questions USING (question_id) WHERE decisions.identifier = ? "
            "AND questions.channel = 'email' AND questions.product_category = 'none'",
            [email.lower()],
        ).fetchall()
    return {code for (code,) in rows}


def test_klaviyo_shows_both_suppressions_alike(story: Story) -> None:
    assert story.blocks == {email: ["USER_SUPPRESSED"] for email in (story.pushed, story.colleague_s)}


def test_a_suppression_that_we_pushed_does_not_outlive_a_later_double_opt_in(story: Story) -> None:
    assert reasons(story.house, story.pushed) == {"ok"}


def test_a_suppression_by_a_colleague_does(story: Story) -> None:
    assert reasons(story.house, story.colleague_s) == {"manual_block"}


def test_every_call_that_suppressed_somebody_is_on_record_as_a_write(story: Story) -> None:
    with duckdb.connect(str(story.house.home.published_warehouse), read_only=True) as published:
        written = {
            email
            for (email,) in published.execute(
                "SELECT identifier FROM raw_audiences.writes WHERE platform = 'klaviyo' AND channel = 'email'"
            ).fetchall()
        }
    assert story.pushed.lower() in written
    assert story.colleague_s.lower() not in written
