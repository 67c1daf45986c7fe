"""People who are hard to judge, one kind after the other; each is a story of its own name, told once.

All of them bought a mug five days ago, or vapes when the story is about age, or last bought 200 days ago when it is
about texts; unless told otherwise they live in California and consented 100 days ago to what their story is about.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sandbox.facts import Person, Receipt, Text
from sandbox.hazards import addresses, age, consent, texts
from sandbox.hazards.story import Story

REGISTRIES = ("child_protection_utah", "child_protection_michigan", "do_not_call_us", "reassigned_numbers_us")
#: Every hazard by its story's name.
HAZARDS: dict[str, Callable[[Story], None]] = {
    name.removeprefix("_"): tell
    for module in (consent, texts, addresses, age)
    for name, tell in vars(module).items()
    if getattr(tell, "__annotations__", {}) == {"story": "Story", "return": "None"}
}


def hazards(first: int, as_of: datetime) -> tuple[list[Person], list[Text], list[Receipt]]:
    """Everybody of every hazard, numbered from `first` on, with their texts, and all receipts of registries."""
    people: list[Person] = []
    said: list[Text] = []
    receipts = [Receipt(registry, as_of - timedelta(days=6)) for registry in REGISTRIES]
    for index, (name, tell) in enumerate(HAZARDS.items(), first):
        story = Story(name, index, as_of)
        tell(story)
        people += story.people
        said += story.texts
        receipts += story.receipts
    return people, said, receipts
