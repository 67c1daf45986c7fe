"""The speed lane and dbt read the same words: a platform's topic means one standard event in both."""

import csv
from functools import cache
from pathlib import Path

import pytest
import yaml

from dlt_sources import registry
from dlt_sources.platform import Topic

ROOT = Path(__file__).resolve().parent.parent
#: Its model's own test says which standard events there are.
VOCABULARY = ROOT / "dbt_project/models/marts/customer_events.yml"
#: A consent topic's payload decides; until it is read the event is only a changed profile.
_STATE_DECIDES = "profile_updated"


@cache
def event_names() -> frozenset[str]:
    """The standard events: what `customer_events` accepts, and `tag`, whose events are named tag:<tag>."""
    [model] = yaml.safe_load(VOCABULARY.read_text())["models"]
    [column] = [column for column in model["columns"] if column["name"] == "event_name"]
    [accepted] = [test["accepted_values"] for test in column["data_tests"] if "accepted_values" in test]
    return frozenset({*accepted["arguments"]["values"], "tag"})


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a seed."""
    with (ROOT / "dbt_project" / "seeds" / name).open() as file:
        return list(csv.DictReader(file))


def topics_of_the_seed() -> list[tuple[Topic, str]]:
    """The topics that dbt knows by name too, each with what dbt takes it for."""
    meant = {(row["platform"], row["raw_name"]): row["event_name"] for row in seed("event_names.csv")}
    return [
        (topic, meant[platform.name, topic.topic])
        for platform in registry.all_platforms()
        for topic in platform.topics
        if (platform.name, topic.topic) in meant
    ]


def test_every_event_that_the_seed_names_is_a_standard_one() -> None:
    found = {row["event_name"] for row in seed("event_names.csv")}
    assert found
    assert found - event_names() == set()


@pytest.mark.parametrize(("topic", "meaning"), topics_of_the_seed(), ids=lambda value: getattr(value, "topic", None))
def test_a_topic_means_the_same_event_in_the_speed_lane_and_in_dbt(topic: Topic, meaning: str) -> None:
    assert meaning in {topic.event, _STATE_DECIDES}


def test_every_reason_that_decisions_can_give_has_a_meaning_and_a_next_step() -> None:
    rows = seed("reason_codes.csv")
    assert rows
    assert all(row["meaning"] and row["next_step"] for row in rows if row["code"] != "ok")
