"""Which texts stop, which hold a number back until a person has read them, and which say nothing about it."""

import pytest

from dlt_sources.platforms.twilio.words import STOP, reading

FULL_WIDTH = "\uff33\uff34\uff2f\uff30"


@pytest.mark.parametrize("word", sorted(STOP))
@pytest.mark.parametrize("form", ["{}", " {}\n", "{}!", "“{}.”", "*{}*", "🛑 {} 🛑"])
def test_a_bare_stop_word_stops_in_any_case_and_dress(word: str, form: str) -> None:
    for spelled in (word, word.upper(), word.title()):
        assert reading(form.format(spelled)) == "stop"


@pytest.mark.parametrize("text", ["Stop all", "OPT-OUT", "opt out", "s.t.o.p", "ARRÊT", FULL_WIDTH])
def test_a_stop_word_in_pieces_or_with_accents_stops(text: str) -> None:
    assert reading(text) == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "stop texting me",
        "Stop please",
        "please STOP!!",
        "don't stop the deals!",
        "Don\u2019t text me again",
        "do not send me messages",
        "no more texts",
        "unsubscribe me",
        "take me off your list",
        "remove me",
        "I want to opt out",
        "wrong number",
        "quit messaging me",
        "arrêtez",
        "stopping by later",
    ],
)
def test_words_that_may_mean_stop_hold_the_number_back(text: str) -> None:
    assert reading(text) == "review"


@pytest.mark.parametrize(
    "text",
    ["", " ", "🙂", "Hi", "Where is my order?", "the weekend", "cancel my order please", "I quit smoking", "endless"],
)
def test_chatter_says_nothing(text: str) -> None:
    assert reading(text) == "received"


@pytest.mark.parametrize("text", ["START", "unstop", "Yes!"])
def test_a_start_word_is_told_apart(text: str) -> None:
    assert reading(text) == "start"


@pytest.mark.parametrize(
    ("text", "verdict", "expected"),
    [("whatever", "STOP", "stop"), ("START", "stop", "stop"), ("STOP", "START", "stop"), ("hallo", "START", "start")],
)
def test_a_stop_wins_whoever_says_so(text: str, verdict: str, expected: str) -> None:
    assert reading(text, verdict) == expected
