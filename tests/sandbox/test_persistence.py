"""The platforms' memory: it survives a restart and a kill, and starts again only when told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import Sandbox, running
from sandbox.store import Journal, Table

from .conftest import AS_OF

ROOT = Path(__file__).parents[2]


def add_to_list(sandbox: Sandbox, name: str) -> str:
    """Put the good buyer on a list by the platform's own API; their profile id."""
    headers = {
        "Authorization": f"Klaviyo-API-Key {sandbox.credentials['klaviyo']['api_key']}",
        "revision": sandbox.config["klaviyo"]["revision"],
    }
    url, row_id = sandbox.urls["klaviyo"], sandbox.people("good_buyer")[0]["records"]["klaviyo"][0]
    asked = {"filter": f'equals(name,"{name}")'}
    found = requests.get(f"{url}/api/lists", params=asked, headers=headers, timeout=5).json()["data"][0]["id"]
    body = {"data": [{"type": "profile", "id": row_id}]}
    told = requests.post(f"{url}/api/lists/{found}/relationships/profiles", json=body, headers=headers, timeout=5)
    assert told.status_code == 204
    return str(row_id)


def test_a_restart_meets_the_same_platforms(tmp_path: Path) -> None:
    with running(tmp_path, people=30, seed=1, as_of=AS_OF) as first:
        row_id = add_to_list(first, "High spenders")
        person = first.people("good_buyer")[0]["person"]
        first.act("email_unsubscribe", person)
        first.act("order", person, total="77.00")
        held, truth = first.members(), first.truth(datetime(2026, 11, 30, tzinfo=UTC))
    with running(tmp_path, people=999, seed=9) as second:
        assert second.members() == held
        assert row_id in held["klaviyo"]["High spenders"]
        assert second.truth(datetime(2026, 11, 30, tzinfo=UTC)) == truth
        shop = {"X-Shopify-Access-Token": second.credentials["shopify"]["access_token"]}
        row = second.people("good_buyer")[0]["records"]["shopify"][0]
        url = f"{second.urls['shopify']}/admin/api/2026-10/customers/{row}"
        customer = requests.get(f"{url}.json", headers=shop, timeout=5).json()["customer"]
        assert customer["email_marketing_consent"]["state"] == "unsubscribed"
        orders = requests.get(f"{url}/orders.json", headers=shop, timeout=5).json()["orders"]
        assert "77.00" in [order["total_price"] for order in orders]


def test_a_restart_meets_the_same_contacts_lists_and_statuses(tmp_path: Path) -> None:
    with running(tmp_path, people=60, seed=1, as_of=AS_OF, unlimited=True) as first:
        contact = first.people("good_buyer")[0]
        put_on_list(first, contact["records"]["hubspot"][0])
        first.act("hubspot_unsubscribe", contact["person"])
        first.act("hubspot_contact_merged", first.people("two_contacts")[0]["person"])
        stranger = next(p for p in first.people() if p["emails"] and "hubspot" not in p["records"])["person"]
        first.act("hubspot_contact_created", stranger)
        held, people = first.members(), first.people()
        truth = first.truth(datetime(2026, 11, 30, tzinfo=UTC))
    with running(tmp_path) as second:
        assert second.members() == held
        assert contact["records"]["hubspot"][0] in held["hubspot"]["Recent buyers"]
        assert second.people() == people
        assert second.truth(datetime(2026, 11, 30, tzinfo=UTC)) == truth
        asked = {"inputs": contact["emails"]}
        read = f"{second.urls['hubspot']}/communication-preferences/2026-09/statuses/batch/unsubscribe-all/read"
        told = requests.post(f"{read}?channel=EMAIL", json=asked, headers=bearer(second), timeout=5).json()
        assert told["results"][0]["wideStatuses"][0]["status"] == "UNSUBSCRIBED"
        new = second.person(stranger)["records"]["hubspot"][0]
        url = f"{second.urls['hubspot']}/crm/objects/2026-09/contacts/{new}"
        assert requests.get(url, headers=bearer(second), timeout=5).status_code == 200


def bearer(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {sandbox.credentials['hubspot']['access_token']}"}


def put_on_list(sandbox: Sandbox, contact: str) -> None:
    url = f"{sandbox.urls['hubspot']}/crm/lists/2026-09"
    found = requests.get(f"{url}/object-type-id/0-1/name/Recent buyers", headers=bearer(sandbox), timeout=5).json()
    path = f"{url}/{found['list']['listId']}/memberships/add"
    told = requests.put(path, json=[contact], headers=bearer(sandbox), timeout=5)
    assert told.json()["recordsIdsAdded"] == [contact]


def test_fresh_starts_again(tmp_path: Path) -> None:
    with running(tmp_path, people=30, seed=1, as_of=AS_OF) as first:
        add_to_list(first, "High spenders")
    with running(tmp_path, people=25, seed=2, fresh=True) as second:
        assert second.members()["klaviyo"]["High spenders"] == set()
        assert len(second.people()) == 25


def test_one_home_has_one_sandbox(tmp_path: Path) -> None:
    with (
        running(tmp_path, people=20),
        pytest.raises(RuntimeError, match="another sandbox"),
        running(tmp_path, people=20),
    ):
        pass


@contextmanager
def process(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Sandbox]]:
    command = [sys.executable, "-m", "sandbox", "--home", str(home), "--people", "20", *options]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not _ready(home, child.pid):
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield child, Sandbox.connect(home)
    finally:
        child.kill()
        child.communicate()


def _ready(home: Path, pid: int) -> bool:
    told = home / "sandbox.json"
    found: dict[str, Any] = json.loads(told.read_bytes()) if told.exists() else {}
    return found.get("pid") == pid


def test_a_killed_process_loses_nothing_it_answered(tmp_path: Path) -> None:
    with process(tmp_path) as (child, first):
        row_id = add_to_list(first, "High spenders")
        os.kill(child.pid, signal.SIGKILL)
        child.wait(5)
    with running(tmp_path) as second:
        assert second.members()["klaviyo"]["High spenders"] == {row_id}


def test_a_process_prints_its_addresses_and_stops_promptly(tmp_path: Path) -> None:
    with process(tmp_path) as (child, sandbox):
        os.kill(child.pid, signal.SIGTERM)
        printed, _ = child.communicate(timeout=3)
        assert child.returncode == 0
        assert all(url in printed.decode() for url in sandbox.urls.values())
        assert not (tmp_path / "sandbox.json").exists()


def test_a_torn_last_line_is_ignored_and_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'["t","1",{"a":1}]\n["t","2",{"a"')
    journal = Journal(path)
    assert list(journal.read()) == [("t", "1", {"a": 1})]
    journal.add("t", "3", None)
    journal.close()
    assert list(Journal(path).read()) == [("t", "1", {"a": 1}), ("t", "3", None)]


def test_an_index_follows_every_change(tmp_path: Path) -> None:
    table = Table("t", Journal(tmp_path / "journal.jsonl"))
    table.sort_by("age", lambda row: str(row["age"]))
    table.look_up_by("name", lambda row: row["name"])
    table.load({"a": {"age": 3, "name": "x"}, "b": {"age": 1, "name": None}})
    table.put("c", {"age": 2, "name": "y"})
    index = table.indexes["age"]
    assert list(index.scan()) == ["b", "c", "a"]
    table.put("b", {"age": 9, "name": "z"})
    table.put("a", {"age": 3, "name": "w"})
    assert list(index.scan()) == ["c", "a", "b"]
    assert list(index.scan(descending=True)) == ["b", "a", "c"]
    assert list(index.scan(index.position("c"))) == ["a", "b"]
    assert list(index.scan(index.position("b"), descending=True)) == ["a", "c"]
    assert [table.find("name", name) for name in ("x", "w", "z")] == [None, "a", "b"]
    table.drop("a")
    assert list(index.scan()) == ["c", "b"]
    assert table.find("name", "w") is None
