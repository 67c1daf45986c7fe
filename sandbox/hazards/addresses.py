"""Spellings of one address, and addresses that several people use or nobody."""

from __future__ import annotations

from sandbox.facts import Record
from sandbox.hazards.story import CHECKED, Story


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


def _known_everywhere(story: Story) -> Record:
    """A customer whose account at the mailer tells the place, too."""
    story.customer()
    mailer = story.people[-1].records[1]
    mailer.country, mailer.region = "US", "CA"
    return mailer


def _role_address(story: Story) -> None:
    """An office's address may hear of mugs, and of nothing that is for adults only."""
    story.mail = f"info@shop{story.index}.example"
    _known_everywhere(story)
    story.bought(50, "VAPE-1001", tags=CHECKED)
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
    _known_everywhere(story)
    story.bought()


def _relay_address_somewhere(story: Story) -> None:
    """What joins nobody has two users to us, and nobody knows where the mailer's one lives."""
    story.mail = f"y{story.index}@privaterelay.appleid.com"
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
