"""Opting out and in again, imports, purchases, clocks that run ahead, and coming back after an erasure."""

from __future__ import annotations

from typing import Any

from sandbox.facts import Block
from sandbox.hazards.story import Story


def _again(story: Story, state: str, block: str = "", **more: Any) -> None:
    """Opted out at the shop, or was blocked at the mailer, 60 days ago; then something at the mailer."""
    story.customer("granted", 100)
    if block:
        story.people[-1].blocks.append(Block(story.mail, block, story.ago(60)))
    else:
        story.said("withdrawn", days=60)
    story.said(state, "klaviyo", 20, **more)
    story.bought()


def _single_opt_in_after_opt_out(story: Story) -> None:
    _again(story, "granted")


def _double_opt_in_after_opt_out(story: Story) -> None:
    _again(story, "granted_confirmed")


def _double_opt_in_after_complaint(story: Story) -> None:
    _again(story, "granted_confirmed", "spam_complaint")


def _single_opt_in_after_bounce(story: Story) -> None:
    _again(story, "granted", "hard_bounce")


def _double_opt_in_after_bounce(story: Story) -> None:
    _again(story, "granted_confirmed", "hard_bounce")


def _double_opt_in_after_block(story: Story) -> None:
    _again(story, "granted_confirmed", "manual_block")


def _imported_at_home(story: Story) -> None:
    story.customer()
    story.people[-1].statements[-1].imported = True
    story.bought()


def _imported_abroad(story: Story) -> None:
    story.customer(country="GB", region="ENG")
    story.people[-1].statements[-1].imported = True
    story.bought(country="GB", region="ENG")


def _imported_abroad_alone(story: Story) -> None:
    """As before, and no other platform shows that nobody asked."""
    story.person()
    story.at("shopify", story.mail, country="GB", region="ENG")
    story.said("granted", imported=True)
    story.bought(country="GB", region="ENG")


def _bought_in_canada(story: Story) -> None:
    """A purchase is consent to mail for two years there, though nobody was asked."""
    story.customer(country="CA", region="ON")
    story.people[-1].statements.clear()
    story.bought(country="CA", region="ON")


def _bought_in_canada_after_opt_out(story: Story) -> None:
    story.customer("withdrawn", country="CA", region="ON")
    story.bought(country="CA", region="ON")


def _bought_in_britain(story: Story) -> None:
    """A purchase alone is no consent there."""
    story.customer(country="GB", region="ENG")
    story.people[-1].statements.clear()
    story.bought(country="GB", region="ENG")


def _grant_from_the_future(story: Story) -> None:
    story.customer(days=-2)
    story.people[-1].statements[-1].heard_at = story.as_of
    story.bought()


def _opt_out_from_the_future(story: Story) -> None:
    story.customer("withdrawn", -2)
    story.people[-1].statements[-1].heard_at = story.as_of
    story.said("granted_confirmed", "klaviyo", 1)
    story.bought()


def _came_back_after_erasure(story: Story) -> None:
    """The redacted customer shows nothing that joins them to the new one, who confirmed again."""
    story.person()
    story.at("shopify", None, country=None, region=None)
    story.people[-1].erased_at = story.ago(40)
    story.person("Robin", "Returned")
    story.customer("granted_confirmed", 20)
    story.bought()
