import json
from pathlib import Path
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.registry import all_platforms
from orchestration.activation import catalogue as catalogues
from orchestration.activation.catalogue import Audience, Catalogue, Place
from orchestration.activation.twin import Problem
from orchestration.activation.twins import collect
from orchestration.home import Home
from tests.activation.shop import MAILER, PLATFORM

TWIN: dict[str, Any] = {
    "channel": "email",
    "purpose": "marketing",
    "topic": "marketing",
    "product_category": "none",
    "destinations": [{"platform": "mailer", "list": "Buyers", "traits": {"total": "spent"}}],
}


def manifest(folder: Path, **twins: Any) -> Path:
    """A manifest with a segment per twin, and a model that is no segment."""
    nodes = {
        f"model.audiences.{name}": {
            "name": name,
            "resource_type": "model",
            "original_file_path": f"models/segments/{name}.sql",
            "patch_path": f"audiences://models/segments/{name}.yml",
            "config": {"meta": {"owner": "jo", "rule": "bought"} | ({"audience": twin} if twin is not None else {})},
        }
        for name, twin in twins.items()
    }
    nodes["model.audiences.persons"] = {
        "name": "persons",
        "resource_type": "model",
        "original_file_path": "models/marts/persons.sql",
        "config": {"meta": {}},
    }
    nodes["test.audiences.accepted_values_customer_events_event_name"] = {
        "name": "accepted_values_customer_events_event_name",
        "resource_type": "test",
        "attached_node": "model.audiences.customer_events",
        "column_name": "event_name",
        "test_metadata": {"name": "accepted_values", "kwargs": {"values": ["order_placed"]}},
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps({"nodes": nodes}))
    return path


def read(path: Path, **more: Any) -> tuple[Catalogue, list[Problem]]:
    values: dict[str, Any] = {
        "build_id": 1,
        "platforms": [PLATFORM],
        "accounts": [MAILER],
        "former": Catalogue(0, ()),
        "with_members": set(),
    }
    return collect(path, **(values | more))


def test_a_sound_twin_becomes_an_audience(tmp_path: Path) -> None:
    found, problems = read(
        manifest(tmp_path, buyers=TWIN | {"leave_on": ["order_placed"], "limits": {"removed_share": 0.5}})
    )
    assert problems == []
    assert found.audiences == (
        Audience(
            name="buyers",
            channel="email",
            purpose="marketing",
            topic="marketing",
            brand="acme",
            question_id="email|marketing|marketing|any|none|default",
            owner="jo",
            rule="bought",
            leave_on=("order_placed",),
            destinations=(Place(platform="mailer", account="main", target="list:Buyers", traits={"total": "spent"}),),
            limits={"removed_share": 0.5},
        ),
    )


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in TWIN.items() if name != key}


@pytest.mark.parametrize(
    ("twin", "key", "text"),
    [
        (None, "config.meta.audience", "is missing; write there channel, purpose"),
        (without("topic"), "topic", "is missing; write the topic people agreed to"),
        (TWIN | {"channel": "pigeon"}, "channel", "is 'pigeon'; write one of email, sms"),
        (TWIN | {"chanel": "email"}, "chanel", "is not a key of an audience"),
        (TWIN | {"leave_on": "order_placed"}, "leave_on", "is no list"),
        (TWIN | {"leave_on": ["order_paced"]}, "leave_on", "names 'order_paced', which is no event"),
        (TWIN | {"limits": {"removed_share": 30}}, "limits.removed_share", "is 30; write a share from 0 to 1"),
        (TWIN | {"limits": {"removed": 0.3}}, "limits.removed", "is no limit"),
        (TWIN | {"destinations": {"platform": "mailer"}}, "destinations", "is no list"),
        (TWIN | {"destinations": [{"platform": "mailer"}]}, "destinations[0]", "needs exactly one of list, tag"),
        (
            TWIN | {"destinations": [{"platform": "mailer", "property": "x"}]},
            "destinations[0]",
            "Mailer has no property; write one of list, tag",
        ),
        (
            TWIN | {"destinations": [{"platform": "mialer", "list": "x"}]},
            "destinations[0].platform",
            "is 'mialer'; write one of mailer",
        ),
        (
            TWIN | {"destinations": [{"platform": "mailer", "account": "second", "list": "x"}]},
            "destinations[0].account",
            "is 'second'; write one of main",
        ),
        (
            TWIN | {"destinations": [{"platform": "mailer", "list": "x", "trait": {}}]},
            "destinations[0].trait",
            "is not a key of a destination",
        ),
    ],
)
def test_a_broken_twin_is_told_by_file_key_and_what_to_write(tmp_path: Path, twin: Any, key: str, text: str) -> None:
    found, problems = read(manifest(tmp_path, broken=twin, sound=TWIN))
    [problem] = problems
    assert (problem.audience, problem.file, problem.key) == ("broken", "models/segments/broken.yml", key)
    assert text in problem.message
    assert [audience.name for audience in found.audiences] == ["sound"]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ({"platform": "hubspot", "list": "Buyers", "traits": {"hs_email_optout": "out"}}, "hs_email_optout"),
        ({"platform": "hubspot", "property": "hs_email_optout_4711"}, "hs_email_optout_4711"),
        ({"platform": "klaviyo", "list": "Buyers", "traits": {"total": "spent", "$Consent": "said"}}, "$Consent"),
    ],
)
def test_no_audience_writes_what_a_platform_tells_consent_by(tmp_path: Path, place: Any, name: str) -> None:
    path = manifest(tmp_path, granting=TWIN | {"destinations": [place]})
    found, [problem] = read(path, platforms=all_platforms(), accounts=None)
    assert found.audiences == ()
    assert f"writes {name!r}, by which" in problem.message


def test_a_broken_twin_keeps_its_last_good_entry_and_holds_it(tmp_path: Path) -> None:
    former, _ = read(manifest(tmp_path, buyers=TWIN))
    found, problems = read(manifest(tmp_path, buyers=without("topic")), former=former)
    assert found["buyers"].held_because == (str(problems[0]),)
    assert found["buyers"].destinations == former["buyers"].destinations
    mended, _ = read(manifest(tmp_path, buyers=TWIN), former=found)
    assert mended["buyers"].held_because == ()


def test_two_audiences_on_one_target_are_both_held(tmp_path: Path) -> None:
    other = TWIN | {"destinations": [{"platform": "mailer", "list": "BUYERS"}]}
    third = TWIN | {"destinations": [{"platform": "mailer", "tag": "buyers"}]}
    found, problems = read(manifest(tmp_path, buyers=TWIN, vips=other, tagged=third))
    assert {problem.audience for problem in problems} == {"buyers", "vips"}
    assert {audience.name: bool(audience.held_because) for audience in found.audiences} == {
        "buyers": True,
        "vips": True,
        "tagged": False,
    }


def test_an_audience_that_left_the_project_is_retired_until_its_members_are_gone(tmp_path: Path) -> None:
    former, _ = read(manifest(tmp_path, buyers=TWIN))
    found, _ = read(manifest(tmp_path), former=former, with_members={"buyers"})
    assert found["buyers"].retired
    found, _ = read(manifest(tmp_path), former=found, with_members=set())
    assert found.audiences == ()


def test_an_account_may_go_unnamed_only_where_there_is_one(tmp_path: Path) -> None:
    second = Account(platform="mailer", name="second", brand="beta", default_region="", markets=(), settings={})
    _, problems = read(manifest(tmp_path, buyers=TWIN), accounts=[MAILER, second])
    assert "write one of main, second" in problems[0].message


def test_a_platform_that_is_not_configured_is_left_out_without_a_problem(tmp_path: Path) -> None:
    found, problems = read(manifest(tmp_path, buyers=TWIN), accounts=[])
    assert (found["buyers"].destinations, problems) == ((), [])
    asked_nobody, _ = read(manifest(tmp_path, buyers=TWIN), accounts=None)
    assert asked_nobody["buyers"].destinations[0].account == ""


def test_a_missing_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="parse the dbt project first"):
        read(tmp_path / "manifest.json")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert catalogues.read(home) == Catalogue(0, ())
    found, _ = read(manifest(tmp_path, buyers=TWIN | {"leave_on": ["order_placed"]}))
    catalogues.write(home, found)
    assert catalogues.read(home) == found
    assert [path.name for path in home.published.iterdir()] == ["catalogue.json"]


def test_a_crash_while_writing_leaves_the_former_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    found, _ = read(manifest(tmp_path, buyers=TWIN))
    catalogues.write(home, found)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        catalogues.write(home, Catalogue(2, ()))
    assert catalogues.read(home) == found
