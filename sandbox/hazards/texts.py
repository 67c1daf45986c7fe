"""Stops and starts by text, words that somebody has to read, and telephones that are not one person's."""

from __future__ import annotations

from sandbox.facts import Block, Receipt
from sandbox.hazards.story import Story


def _start_to_one_sender(story: Story) -> None:
    """After STOP, START opens the sender it was sent to; what any sender may send stays closed."""
    story.texter()
    story.texted("Stop", 60)
    story.said("withdrawn", "twilio", 60, channel="sms", identifier=story.phone)
    story.texted("START", 50)
    story.said("granted", "twilio", 50, channel="sms", identifier=story.phone, sender="+18885550142")


def _start_without_stop(story: Story) -> None:
    story.texter()
    story.texted("Yes", 50)


def _stop_and_form(story: Story) -> None:
    """A confirmed opt-in to texts after STOP is an act for every sender."""
    story.texter()
    story.texted("STOP", 60)
    story.said("withdrawn", "twilio", 60, channel="sms", identifier=story.phone)
    story.said("granted_confirmed", days=20, channel="sms", identifier=story.phone)


def _asks_to_stop(story: Story) -> None:
    story.texter()
    story.texted("please stop texting me", 30)
    story.people[-1].blocks.append(Block(story.phone, "held_for_review", story.ago(30)))


def _stops_in_another_word(story: Story) -> None:
    story.texter()
    story.texted("Remove!", 30)
    story.said("withdrawn", "twilio", 30, channel="sms", identifier=story.phone)


def _stops_in_french(story: Story) -> None:
    story.texter()
    story.texted("ARRÊT", 30)
    story.said("withdrawn", "twilio", 30, channel="sms", identifier=story.phone)


def _family_phone(story: Story) -> None:
    """Three share a telephone; the mother's STOP closes it for all of them, and their mail stays their own."""
    story.texter()
    story.people[-1].first = "Ida"
    story.texted("STOP", 30)
    story.said("withdrawn", "twilio", 30, channel="sms", identifier=story.phone)
    story.person("Mira")
    mail = f"mira.{story.mail}"
    story.at("shopify", mail)
    story.at("klaviyo", mail, story.phone)
    story.said("granted", "klaviyo", channel="sms", identifier=story.phone)
    story.said("granted", identifier=mail)
    story.bought(5)
    story.bought(300)
    story.person("Juno")
    mail = f"juno.{story.mail}"
    story.at("shopify", mail)
    story.at("klaviyo", mail, story.phone)
    story.said("granted", "klaviyo", 10, channel="sms", identifier=story.phone)
    story.bought(300)


def _number_of_somebody_else_now(story: Story) -> None:
    story.texter()
    since = story.ago(50).date()
    story.receipts.append(Receipt("reassigned_numbers_us", story.ago(6), story.phone, "disconnected", since))


def _number_given_up_before(story: Story) -> None:
    story.texter()
    since = story.ago(400).date()
    story.receipts.append(Receipt("reassigned_numbers_us", story.ago(6), story.phone, "disconnected", since))
