"""What people and colleagues do at HubSpot, and the batch of events that follows."""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.facts import Person, utc_now, valid_email
from sandbox.platforms.hubspot.state import State
from sandbox.platforms.hubspot.webhooks import Webhooks
from sandbox.standin import Act, Webhook
from sandbox.store import Row


class Acts:
    """The acts, over one state."""

    def __init__(self, state: State, webhooks: Webhooks) -> None:
        self.state, self.webhooks = state, webhooks
        self.acts: dict[str, Act] = {
            "hubspot_unsubscribe": self.unsubscribe,
            "hubspot_contact_created": self.create,
            "hubspot_contact_deleted": self.delete,
            "hubspot_privacy_deleted": self.erase,
            "hubspot_contact_merged": self.merge,
            "hubspot_batch": self.several,
        }

    def unsubscribe(self, person: Person, options: Row) -> Webhook:
        """The person opts out of every mailing by the link in one."""
        return self.webhooks.delivery([self._opted_out(person, options)])

    def several(self, person: Person, options: Row) -> Webhook:
        """The person and `others` (ids, e-mails ...) opt out; a job title changes; all in one request."""
        facts = self.state.standin.world.facts
        people = [person, *(facts.find(str(who)) for who in options.get("others", []))]
        events = [self._opted_out(one, {}) for one in people]
        contact, at = self._contact(person, options), datetime.now(UTC)
        self.state.save(contact, self.state.contacts.rows[contact], {"jobtitle": "Buyer"}, at, "CRM_UI")
        change = {"propertyName": "jobtitle", "propertyValue": "Buyer"}
        return self.webhooks.delivery([self.webhooks.event("contact.propertyChange", contact, at, **change), *events])

    def create(self, person: Person, options: Row) -> Webhook:
        """A colleague enters the person as a contact: `email` and `phone` as given, else as known elsewhere."""
        emails, phones, at = person.identifiers("email"), person.identifiers("phone"), utc_now()
        email = valid_email(str(options.get("email") or (emails or [""])[0]))
        phone = options.get("phone") or (phones[0] if phones else None)
        if email is None or self.state.contacts.find("email", email) is not None:
            raise LookupError(f"{person.person} has no e-mail that a new contact could bear")
        values = {"email": email, "phone": phone, "firstname": person.first, "lastname": person.last}
        known = {name: value for name, value in values.items() if value is not None}
        if person.registrant_id:
            known["aevent_registrant_id"] = person.registrant_id
        contact = self.state.create(known, at)
        place = {"country": None, "region": None}
        world = self.state.standin.world
        world.add_fact(
            "record", person.person, at, platform="hubspot", record_id=contact, email=email, phone=phone, **place
        )
        return self.webhooks.delivery([self.webhooks.event("contact.creation", contact, at, changeFlag="CREATED")])

    def delete(self, person: Person, options: Row) -> Webhook:
        """A colleague puts the contact into the recycling bin."""
        contact, at = self._contact(person, options), utc_now()
        self._without(person, contact, at)
        self.state.archive(contact, at)
        return self.webhooks.delivery([self.webhooks.event("contact.deletion", contact, at, changeFlag="DELETED")])

    def erase(self, person: Person, options: Row) -> Webhook:
        """The person asks to be forgotten: a privacy deletion and a deletion; `first` = "deletion" turns them round."""
        contact, at = self._contact(person, options), utc_now()
        self.state.standin.world.add_fact("erased", person.person, at)
        self._without(person, contact, at)
        self.state.forget(contact)
        topics = ["contact.privacyDeletion", "contact.deletion"]
        if options.get("first") == "deletion":
            topics.reverse()
        return self.webhooks.delivery([self.webhooks.event(t, contact, at, changeFlag="DELETED") for t in topics])

    def merge(self, person: Person, options: Row) -> Webhook:
        """A colleague merges the person's second contact into the first."""
        contacts = self._contacts(person)
        if len(contacts) < 2:
            raise LookupError(f"{person.person} has no two contacts at HubSpot")
        winner, loser, at = contacts[0], contacts[1], utc_now()
        self._without(person, loser, at)
        self.state.merge(winner, loser, at)
        told: Row = {"primaryObjectId": int(winner), "mergedObjectIds": [int(loser)], "newObjectId": int(winner)}
        event = self.webhooks.event("contact.merge", winner, at, changeFlag="MERGED", numberOfPropertiesMoved=0, **told)
        return self.webhooks.delivery([event])

    def _opted_out(self, person: Person, options: Row) -> Row:
        contact, at = self._contact(person, options), utc_now()
        address = self.state.contacts.rows[contact]["properties"].get("email")
        if address is None:
            raise LookupError(f"{person.person} has no e-mail at HubSpot")
        said = {"channel": "email", "identifier": address, "state": "withdrawn", "platform": "hubspot"}
        self.state.standin.world.add_fact("statement", person.person, at, **said)
        source = {"source": "Subscription preferences page"}
        self.state.set_status(address, "UNSUBSCRIBED", at, everything=True, **source)
        change = {"propertyName": "hs_email_optout", "propertyValue": "true"}
        return self.webhooks.event("contact.propertyChange", contact, at, **change)

    def _without(self, person: Person, contact: str, at: datetime) -> None:
        self.state.standin.world.add_fact("record_gone", person.person, at, platform="hubspot", record_id=contact)

    def _contact(self, person: Person, options: Row) -> str:
        wanted = options.get("record")
        found = [contact for contact in self._contacts(person) if wanted in (None, contact)]
        if not found:
            raise LookupError(f"{person.person} is no contact at HubSpot")
        return found[0]

    def _contacts(self, person: Person) -> list[str]:
        return [r.record_id for r in person.at("hubspot") if self.state.find(None, r.record_id) == r.record_id]
