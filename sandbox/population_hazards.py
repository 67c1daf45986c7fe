"""People who are hard to judge, one kind after the other; each is a story of its own name, told once.

All of them bought a mug five days ago, or vapes when the story is about age, or last bought 200 days ago when it is
about texts; unless told otherwise they live in California and consented 100 days ago to what their story is about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.facts import Block, Line, Order, Person, Receipt, Record, Statement, Text
from sandbox.rules.age import today

_GOODS = {"MUG-0202": ("Stoneware mug", "22.00"), "VAPE-1001": ("Pod kit", "39.90")}
_CHECKED = "Age Verified"
REGISTRIES = ("child_protection_utah", "child_protection_michigan", "do_not_call_us", "reassigned_numbers_us")


class Story:
    """One hazard in the making: its people, and what else belongs to it."""

    def __init__(self, name: str, index: int, as_of: datetime) -> None:
        self.name, self.index, self.as_of = name, index, as_of
        self.people: list[Person] = []
        self.texts: list[Text] = []
        self.receipts: list[Receipt] = []
        self.mail = f"{name.replace('_', '.')}.{index}@example.com"
        self.phone = f"+1510{555 + index // 10_000}{index % 10_000:04d}"

    def ago(self, days: float) -> datetime:
        """A moment before now, in whole seconds."""
        return self.as_of - timedelta(seconds=int(days * 86400))

    def person(self, first: str = "Robin", last: str | None = None) -> Person:
        """Somebody new."""
        number = self.index * 10 + len(self.people)
        self.people.append(Person(f"p{number:07d}", first, last or self.name.title().replace("_", ""), self.name))
        return self.people[-1]

    def at(self, platform: str, email: str | None, phone: str | None = None, **more: Any) -> Record:
        """An account of the newest person; at the shop in California."""
        if platform == "shopify":
            more = {"country": "US", "region": "CA", **more}
        record = Record(platform, "", email, phone, self.ago(900 + len(self.people[-1].records)), **more)
        self.people[-1].records.append(record)
        return record

    def said(self, state: str, platform: str = "shopify", days: float = 100, **more: Any) -> None:
        """What the newest person said about an e-mail address (theirs unless told), or as told."""
        given: dict[str, Any] = {"channel": "email", "identifier": self.mail, **more}
        self.people[-1].statements.append(Statement(**given, state=state, at=self.ago(days), platform=platform))

    def texted(self, body: str, days: float) -> None:
        """A text from the person's number."""
        sid = "SM" + hashlib.blake2b(f"{self.name}/{len(self.texts)}".encode(), digest_size=16).hexdigest()
        self.texts.append(Text(sid, self.phone, True, body, self.ago(days), "received"))

    def bought(self, days: float = 5, sku: str = "MUG-0202", **more: Any) -> None:
        """An order of the newest person, shipped to California unless told."""
        title, price = _GOODS[sku]
        more = {"country": "US", "region": "CA", **more}
        line, at = Line(sku, title, 1, price), self.ago(days)
        order = Order("", "0", at, at, f"{Decimal(price):.2f}", "USD", "paid", [line], **more)
        self.people[-1].orders.append(order)

    def customer(self, state: str = "granted", days: float = 100, **more: Any) -> Record:
        """A person at shop and mailer under one address, who said something to the shop."""
        if not self.people:
            self.person()
        record = self.at("shopify", self.mail, **more)
        self.at("klaviyo", self.mail)
        self.said(state, days=days)
        return record

    def vaper(self, born: date | None = None, days: float = 100, tags: str = _CHECKED, **more: Any) -> Record:
        """A person who bought vapes 50 days ago, with a provider's check and perhaps a typed birth date."""
        record = self.customer(days=days, birth_date=born.isoformat() if born else None)
        self.bought(50, "VAPE-1001", tags=tags, **more)
        return record

    def texter(self) -> None:
        """A person who bought long ago and may be texted."""
        self.person()
        self.at("shopify", self.mail, self.phone)
        self.at("klaviyo", self.mail, self.phone)
        self.said("granted", channel="sms", identifier=self.phone)
        self.bought(200)

    def born(self, years: int, days: int) -> date:
        """The birth date of who turned so old so many days ago, by the day where it begins last."""
        day = today(self.as_of) - timedelta(days=days)
        return date(day.year - years, day.month, min(day.day, 28))


# Consent


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


# Texts


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


# Spellings


def _spelled(story: Story, bought_under: str, opted_out_under: str) -> None:
    """Bought and consented under one spelling at the shop, opted out under another at the mailer."""
    story.person()
    story.at("shopify", bought_under)
    story.at("klaviyo", opted_out_under)
    story.said("granted", identifier=bought_under)
    story.said("withdrawn", "klaviyo", 50, identifier=opted_out_under)
    story.bought()


def _plus_and_dots(story: Story) -> None:
    _spelled(story, f"robin{story.index}@gmail.com", f"ro.bin{story.index}+news@googlemail.com")


def _dots_elsewhere(story: Story) -> None:
    """Outside Gmail a dot makes another mailbox, and nothing else joins the two."""
    _spelled(story, f"robin{story.index}@example.org", f"ro.bin{story.index}@example.org")


def _international_domain(story: Story) -> None:
    _spelled(story, f"robin{story.index}@bücher.example", f"robin{story.index}@xn--bcher-kva.example")


def _mistyped_domain(story: Story) -> None:
    _spelled(story, f"robin.typo{story.index}@gmail.com", f"robin.typo{story.index}@gmial.com")


def _invisible_opt_out(story: Story) -> None:
    _spelled(story, story.mail, story.mail.replace("@", "\u200b@"))


def _invisible_address(story: Story) -> None:
    story.person()
    hidden = story.mail.replace("@", "\u200b@")
    story.at("shopify", hidden)
    story.said("granted", identifier=hidden)
    story.bought()


def _name_in_any_script(story: Story) -> None:
    story.person("\U0001f338 נועה", "כהן")
    story.vaper()


# Addresses of many


def _role_address(story: Story) -> None:
    """An office's address may hear of mugs, and of nothing that is for adults only."""
    story.mail = f"info@shop{story.index}.example"
    story.customer()
    story.bought(50, "VAPE-1001", tags=_CHECKED)
    story.bought()


def _role_opt_out(story: Story) -> None:
    """One of those who read the office's mail opted out for all."""
    story.mail = f"team@shop{story.index}.example"
    story.customer()
    story.bought()
    story.person("Kim")
    story.at("hubspot", story.mail)
    story.said("withdrawn", "hubspot", 50)


def _nobodys_address(story: Story) -> None:
    story.mail = "test@test.com"
    story.customer()
    story.bought()


def _relay_address(story: Story) -> None:
    """A relay's address is written to as it stands, and joins nobody."""
    story.mail = f"x{story.index}@privaterelay.appleid.com"
    story.customer()
    story.bought()


def _minor_in_the_family(story: Story) -> None:
    """A son of fifteen uses his father's address; in New York he may consent to ordinary mail himself."""
    story.person("Otto")
    story.vaper(region="NY")
    story.bought(region="NY")
    story.people[-1].records[0].region = "NY"
    story.person("Tim")
    story.at("hubspot", story.mail, birth_date=story.born(15, 40).isoformat(), country="US", region="NY")


def _unproven_in_the_family(story: Story) -> None:
    story.person("Otto")
    story.vaper()
    story.bought()
    story.person("Ada")
    story.at("hubspot", story.mail, country="US", region="CA")


def _school_address(story: Story) -> None:
    story.mail = f"robin{story.index}@lincoln.k12.ca.us"
    story.vaper()
    story.bought()


def _joined_by_the_crm(story: Story) -> None:
    """A field of the CRM joins two addresses: opting out at one closes the other too."""
    story.customer()
    story.people[-1].registrant_id = f"h{story.index}"
    for record in (story.people[-1].records[1], story.at("hubspot", f"crm.{story.mail}")):
        record.registrant_id = f"h{story.index}"
    story.said("withdrawn", "hubspot", 50, identifier=f"crm.{story.mail}")
    story.people[-1].registrations.append(story.ago(30))
    story.bought()


# Age


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
    story.bought(910, "VAPE-1001", tags=_CHECKED)
    story.bought(50, "VAPE-1001", payer=("Uncle", "Giver"))


def _check_still_in_use(story: Story) -> None:
    story.customer()
    story.bought(910, "VAPE-1001", tags=_CHECKED)
    story.bought(50, "VAPE-1001")


def _failed_later(story: Story) -> None:
    story.vaper()
    story.bought(20, "VAPE-1001", tags="Age Verification Failed")


def _failed_before(story: Story) -> None:
    story.customer()
    story.bought(60, "VAPE-1001", tags="Age Verification Failed")
    story.bought(20, "VAPE-1001", tags=_CHECKED)


def _human_tag(story: Story) -> None:
    story.vaper(tags="gift").tags = "21+"


def _no_check_required(story: Story) -> None:
    story.vaper(tags="Age Verification Not Required")


# Places and registries


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


#: Every hazard by its story's name.
HAZARDS: dict[str, Callable[[Story], None]] = {
    name.removeprefix("_"): tell
    for name, tell in list(globals().items())
    if name.startswith("_") and getattr(tell, "__annotations__", {}) == {"story": "Story", "return": "None"}
}


def hazards(first: int, as_of: datetime) -> tuple[list[Person], list[Text], list[Receipt]]:
    """Everybody of every hazard, numbered from `first` on, with their texts, and all receipts of registries."""
    people: list[Person] = []
    texts: list[Text] = []
    receipts = [Receipt(registry, as_of - timedelta(days=6)) for registry in REGISTRIES]
    for index, (name, tell) in enumerate(HAZARDS.items(), first):
        story = Story(name, index, as_of)
        tell(story)
        people += story.people
        texts += story.texts
        receipts += story.receipts
    return people, texts, receipts
