"""`audiences decide`: the models of production answer, case by case, and nothing of one case meets another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.home import Home

CASES = """
defaults:
  as_of: 2026-11-22T18:00:00Z
  facts:
    - {id: jane, fact: record, platform: shopify, record: jane, email: Jane@Example.com, phone: "+12135550142",
       country: US, region: CA, time_zone: America/Los_Angeles, at: 2025-01-01T12:00:00Z}
    - {id: grant, fact: status, platform: shopify, identifier: jane@example.com, field: consent, value: subscribed,
       detail: single_opt_in, channel: email, at: 2025-01-10T12:00:00Z, actor: customer, evidence: true}
cases:
  - id: granted
    questions:
      - {ask: E, eligible: true, lead: ok}
      - {ask: S, eligible: false, lead: no_grant}
  - id: withdrawn
    facts:
      - {id: stop, fact: status, platform: klaviyo, identifier: jane@example.com, field: consent, value: UNSUBSCRIBED,
         channel: email, at: 2026-11-01T12:00:00Z, recorded: 2026-11-10T12:00:00Z}
    questions:
      - {ask: E, eligible: false, lead: withdrawn}
      - {ask: E, known_at: 2026-11-05T12:00:00Z, eligible: true}
      - {ask: T, eligible: true}
  - id: unseen value
    facts:
      - {id: odd, fact: status, platform: klaviyo, identifier: jane@example.com, field: consent, value: PERHAPS,
         channel: email, at: 2026-11-01T12:00:00Z}
    questions:
      - {ask: E, eligible: false, lead: withdrawn}
  - id: of age
    policy: {apply_registries: false}
    facts:
      - {id: birth date, fact: age, platform: shopify, record: jane, kind: dob, level: 4, value: "2005-11-22",
         at: 2025-01-01T12:00:00Z}
    questions:
      - {ask: "E:alcohol", as_of: 2026-11-22T07:30:00Z, eligible: false, lead: under_age,
         next_change_at: 2026-11-22T08:00:00Z}
"""
PLANS = """
  - id: eligible
    plans:
      - {platform: shopify, operation: add, identifier: jane@example.com, allowed: true}
      - {platform: shopify, operation: remove, identifier: jane@example.com, allowed: true}
      - {platform: shopify, operation: suppress, identifier: jane@example.com, allowed: false}
      - {platform: shopify, operation: "consent=subscribed", identifier: jane@example.com, allowed: false}
      - {platform: klaviyo, operation: add, identifier: jane@example.com, allowed: false}
      - {platform: mailchimp, operation: add, identifier: jane@example.com}
  - id: refused
    facts:
      - {id: stop, fact: status, platform: klaviyo, identifier: jane@example.com, field: consent, value: UNSUBSCRIBED,
         channel: email, at: 2026-11-01T12:00:00Z}
    plans:
      - {platform: shopify, operation: add, identifier: jane@example.com, allowed: false}
      - {platform: shopify, operation: remove, identifier: jane@example.com, allowed: true}
      - {platform: shopify, operation: suppress, identifier: jane@example.com, allowed: true}
"""


@pytest.fixture
def path(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a file of cases can be written, with a home to ask in."""
    monkeypatch.setenv("AUDIENCES_HOME", str(home.folder))
    return tmp_path / "cases.yaml"


def test_every_case_is_decided_apart_and_at_the_time_that_is_asked_about(path: Path) -> None:
    path.write_text(CASES)
    result = CliRunner().invoke(app, ["decide", str(path), "--json"])
    answers = json.loads(result.stdout)
    assert [(one["case"], one["unexpected"]) for one in answers if one["unexpected"]] == []
    assert result.exit_code == 0
    assert len(answers) == 7
    assert [one["evidence"] for one in answers if one["case"] == "withdrawn"] == [["stop"], ["grant"], []]
    assert len({one["rule_version"] for one in answers}) == 1


def test_planned_writes_are_answered_by_the_planner(path: Path) -> None:
    path.write_text(CASES.partition("cases:")[0] + "cases:" + PLANS)
    result = CliRunner().invoke(app, ["decide", str(path), "--json"])
    answers = json.loads(result.stdout)
    assert [one for one in answers if one["unexpected"]] == []
    assert result.exit_code == 0
    assert {(one["case"], one["place"]): one["because"] for one in answers if not one["allowed"]} == {
        ("eligible", 2): "no withdrawal of it is known, or it stands there already",
        ("eligible", 3): "made for nobody: rule of write-back: creates consent at the platform",
        ("eligible", 4): "klaviyo has no record with this identifier",
        ("eligible", 5): "no destination of ours does this at mailchimp",
        ("refused", 0): "not eligible: withdrawn",
    }


def test_what_is_not_as_expected_is_said_and_counts_in_the_exit_status(path: Path) -> None:
    may_add = "operation: add, identifier: jane@example.com, allowed: true"
    head, _, cases = CASES.partition("cases:")
    wrong = cases.replace("lead: no_grant", "lead: pending") + PLANS.replace(may_add, may_add.replace("true", "false"))
    path.write_text(f"{head}cases:{wrong}")
    result = CliRunner().invoke(app, ["decide", str(path)])
    assert result.exit_code == 1
    assert "the lead is no_grant, not pending" in " ".join(result.output.split())
    assert "allowed is true" in " ".join(result.output.split())


def test_a_file_that_cannot_be_read_is_said_and_ends_with_2(path: Path) -> None:
    path.write_text("cases: [{id: 1, as_of: 2026-11-22T18:00:00Z, facts: [{fact: rumour}]}]")
    result = CliRunner().invoke(app, ["decide", str(path)])
    assert result.exit_code == 2
    assert "case 1" in result.output
