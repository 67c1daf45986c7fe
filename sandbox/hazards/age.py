"""Proof of age, what contradicts it, and where the goods are lawful."""

from __future__ import annotations

from datetime import date, timedelta

from sandbox.facts import Receipt
from sandbox.hazards.story import CHECKED, Story
from sandbox.rules.age import today


def _consented_before_coming_of_age(story: Story) -> None:
    """Turned 21 before the check, and consented before that: the consent is void for vapes and good for mugs."""
    story.vaper(story.born(21, 70), 200)
    story.bought()


def _consented_again_of_age(story: Story) -> None:
    story.vaper(story.born(21, 70), 200)
    story.said("granted", "klaviyo", 10)


def _birth_date_outweighed(story: Story) -> None:
    """A provider's check of the same person outweighs a younger date that was typed."""
    story.vaper(story.born(20, 40), 20)


def _turned_21_today(story: Story) -> None:
    story.vaper(story.born(21, 0), 20, tags="")


def _turns_21_tomorrow(story: Story) -> None:
    day = today(story.as_of) + timedelta(days=1)
    story.vaper(date(day.year - 21, day.month, min(day.day, 28)) + timedelta(days=max(0, day.day - 28)), 20, tags="")


def _born_on_a_leap_day(story: Story) -> None:
    story.vaper(date(1996, 2, 29))


def _born_on_a_default_day(story: Story) -> None:
    story.vaper(date(1900, 1, 1), tags="")


def _child(story: Story) -> None:
    story.customer(birth_date=story.born(12, 40).isoformat())
    story.bought()


def _thirteen_in_new_york(story: Story) -> None:
    story.customer(days=5, birth_date=story.born(13, 40).isoformat(), region="NY")
    story.bought(region="NY")


def _consented_before_thirteen(story: Story) -> None:
    story.customer(days=60, birth_date=story.born(13, 40).isoformat(), region="NY")
    story.bought(region="NY")


def _fifteen_in_california(story: Story) -> None:
    story.customer(birth_date=story.born(15, 40).isoformat())
    story.bought()


def _gift(story: Story) -> None:
    story.vaper(payer=("Uncle", "Giver"))


def _shared_login(story: Story) -> None:
    """Somebody of age paid; the account's own birth date is a young one."""
    story.vaper(story.born(19, 40), payer=("Elder", "Sibling"))


def _changed_name(story: Story) -> None:
    story.vaper(payer=("Robin", "Formername"))


def _check_out_of_use(story: Story) -> None:
    """Checked 30 months ago, and no order under that name for 24."""
    story.customer()
    story.bought(910, "VAPE-1001", tags=CHECKED)
    story.bought(50, "VAPE-1001", payer=("Uncle", "Giver"))


def _check_still_in_use(story: Story) -> None:
    story.customer()
    story.bought(910, "VAPE-1001", tags=CHECKED)
    story.bought(50, "VAPE-1001")


def _failed_later(story: Story) -> None:
    story.vaper()
    story.bought(20, "VAPE-1001", tags="Age Verification Failed")


def _failed_before(story: Story) -> None:
    story.customer()
    story.bought(60, "VAPE-1001", tags="Age Verification Failed")
    story.bought(20, "VAPE-1001", tags=CHECKED)


def _human_tag(story: Story) -> None:
    story.vaper(tags="gift").tags = "21+"


def _no_check_required(story: Story) -> None:
    story.vaper(tags="Age Verification Not Required")


def _moved_within_a_year(story: Story) -> None:
    story.vaper()
    story.bought(120, country="GB", region="ENG")


def _moved_long_ago(story: Story) -> None:
    story.vaper()
    story.bought(500, country="GB", region="ENG")


def _foreign_number(story: Story) -> None:
    story.phone = f"+1416{555 + story.index // 10_000}{story.index % 10_000:04d}"
    story.vaper()
    story.people[-1].records[0].phone = story.phone


def _on_a_registry(story: Story) -> None:
    story.vaper()
    story.bought()
    story.receipts.append(Receipt("child_protection_utah", story.ago(6), story.mail, "listed", story.ago(90).date()))


def _domain_on_a_registry(story: Story) -> None:
    story.mail = f"robin@listed{story.index}.example"
    story.vaper()
    domain = f"@listed{story.index}.example"
    story.receipts.append(Receipt("child_protection_michigan", story.ago(6), domain, "listed", story.ago(90).date()))
