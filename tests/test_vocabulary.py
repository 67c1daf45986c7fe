"""The speed lane and dbt read the same words: a platform's topic means one standard event in both."""

import csv
from pathlib import Path

import pytest

from dlt_sources import registry

_SEEDS = Path(__file__).resolve().parent.parent / "dbt_project" / "seeds"
#: A consent topic's payload decides; until it is read the event is only a changed profile.
_STATE_DECIDES = "profile_updated"
_TOPICS = [(platform.name, topic) for platform in registry.all_platforms() for topic in platform.topics]


def _seed(name: str) -> list[dict[str, str]]:
    with (_SEEDS / name).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("platform", "topic"), _TOPICS, ids=[f"{name}-{topic.topic}" for name, topic in _TOPICS])
def test_a_topic_means_the_same_event_in_the_speed_lane_and_in_dbt(platform, topic):
    meanings = {
        row["event_name"]
        for row in _seed("event_names.csv")
        if (row["platform"], row["raw_name"]) == (platform, topic.topic)
    }
    assert meanings <= {topic.event, _STATE_DECIDES}


def test_every_reason_that_decisions_can_give_has_a_meaning_and_a_next_step():
    rows = _seed("reason_codes.csv")
    assert rows
    assert all(row["meaning"] and row["next_step"] for row in rows if row["code"] != "ok")
