import pytest

from dlt_sources import registry
from dlt_sources.platform import LANES, Effect, Event
from orchestration.landing.lanes import GRANTS, QUESTIONS, decide, lane_of, lane_of_event
from tests.activation.places import NOW


def event(name: str = "other", lane: str = "care", effect: Effect | None = None) -> Event:
    return Event(id="1", name=name, lane=lane, occurred_at=NOW, identifiers=(), effect=effect)  # type: ignore[arg-type]


def test_a_request_takes_the_lane_of_its_most_urgent_event() -> None:
    assert lane_of([event(lane="care"), event(lane="segmentation")], ()) == "segmentation"
    assert lane_of([event(lane="care"), event(lane="speed"), event(lane="segmentation")], ()) == "speed"


def test_a_request_without_events_waits_for_a_build() -> None:
    assert lane_of([], ()) == "segmentation"


def test_whatever_forbids_is_at_speed_wherever_its_platform_put_it() -> None:
    stop = event(lane="care", effect=Effect(kind="withdrawn", channel="sms"))
    assert lane_of([stop], ()) == "speed"


def test_what_an_audience_leaves_on_is_at_speed() -> None:
    assert lane_of([event("order_paid", "segmentation")], {"order_paid"}) == "speed"


@pytest.mark.parametrize("name", sorted(GRANTS))
def test_a_grant_is_never_at_speed(name: str) -> None:
    assert lane_of_event(event(name, "speed"), ()) == "segmentation"


def test_no_platform_declares_a_grant_at_speed() -> None:
    declared = [topic for platform in registry.all_platforms() for topic in platform.topics]
    assert declared
    assert [topic.topic for topic in declared if topic.event in GRANTS and topic.lane == "speed"] == []
    assert {topic.lane for topic in declared} <= set(LANES)


def test_the_questions_lead_to_every_lane_and_stops_come_first() -> None:
    answers = [[number == position for number in range(len(QUESTIONS))] for position in range(len(QUESTIONS))]
    assert {decide(one)[0] for one in answers} | {decide([])[0]} == set(LANES)
    assert decide([True] * len(QUESTIONS))[0] == "speed"
    assert decide([False, True, False, False, True])[0] == "segmentation"
