"""What HubSpot knows: contacts, properties, lists and who is on them, subscription statuses by address, events."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from sandbox import population_data as data
from sandbox.facts import Facts, Person, Record, Statement, valid_email
from sandbox.platforms.hubspot.manners import stamp
from sandbox.platforms.hubspot.schema import GROUPS, SUBSCRIPTION_ID, checked, definitions, unknown
from sandbox.standin import StandIn
from sandbox.store import Row

LISTS = ("Recent buyers", "Webinar follow-up", "High spenders")
OTHER_LISTS = (("All staff", "MANUAL"), ("Trade fair 2025", "SNAPSHOT"), ("Everyone with an e-mail", "DYNAMIC"))
PORTAL_ID = 4455667
EVENT_TYPES = (f"pe{PORTAL_ID}_webinar_registered", "e_visited_page")
_OPTED_OUT = ("hs_email_optout", f"hs_email_optout_{SUBSCRIPTION_ID}")
_REGIONS = {place[:2]: place[2] for place in data.PLACES}


class State:
    """HubSpot's tables, and the changes that several paths share."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.contacts = standin.table("contacts")
        self.contacts.sort_by("id", lambda row: "archived" if row["archived"] else "present")
        self.contacts.look_up_by("email", lambda row: None if row["archived"] else row["properties"].get("email"))
        self.properties = standin.table("properties")
        self.groups = standin.table("groups")
        self.lists = standin.table("lists")
        self.lists.look_up_by("name", lambda row: str(row["name"]).casefold())
        self.members = standin.table("members")
        self.members.sort_by("record", lambda row: f"{row['list']} {row['contact']}")
        self.members.sort_by("joined", lambda row: f"{row['list']} {row['joined']}")
        self.statuses = standin.table("statuses")
        self.optouts = standin.table("optouts")
        self.blocked = standin.table("blocked")
        self.events = standin.table("events")
        self.events.sort_by("occurredAt", lambda row: str(row["occurredAt"]))
        # Contacts changed since the search last looked; it sees them late.
        self.changed: list[str] = []

    def seed(self, facts: Facts) -> None:
        """Render the population."""
        born = stamp(facts.as_of - timedelta(days=900))
        self.properties.load(definitions(born))
        self.groups.load({name: {"label": label, "displayOrder": -1} for name, label in GROUPS.items()})
        kinds = [*((name, "MANUAL") for name in LISTS), *OTHER_LISTS]
        self.lists.load({str(101 + n): new_list(name, kind, born) for n, (name, kind) in enumerate(kinds)})
        contacts: dict[str, Row] = {}
        events: dict[str, Row] = {}
        for person in facts.people.values():
            for record in person.at("hubspot"):
                contacts[record.record_id] = _contact(person, record)
                events |= _events(person, record)
        self.contacts.load(contacts)
        self.events.load(events)
        said = [s for p in facts.people.values() for s in p.statements if s.platform == "hubspot"]
        gone = {valid_email(r.email) for p in facts.people.values() for r in p.at("hubspot") if r.opted_out}
        self.statuses.load({s.identifier: _status(s) for s in sorted(said, key=lambda s: s.at)})
        self.optouts.load({s.identifier: {"timestamp": stamp(s.at)} for s in said if s.identifier in gone})
        staff = next(i for i, row in self.lists.rows.items() if row["name"] == "All staff")
        joined = {i: {"list": staff, "contact": i, "joined": contacts[i]["createdAt"]} for i in sorted(contacts)[::9]}
        self.members.load({f"{staff}:{i}": row for i, row in joined.items()})

    def find(self, name: str | None, value: str) -> str | None:
        """The contact with this value of a unique property (None: the record id), archived ones apart."""
        if name in (None, "", "hs_object_id"):
            row_id = value if value in self.contacts.rows else self._merged_into(value)
            return row_id if row_id and not self.contacts.rows[row_id]["archived"] else None
        if name == "email":
            return self.contacts.find("email", valid_email(value))
        rows = self.contacts.rows.items()
        return next((i for i, r in rows if not r["archived"] and r["properties"].get(str(name)) == value), None)

    def valid(self, given: Row) -> tuple[Row, list[Row]]:
        """Property values as they are stored, and everything that is wrong with them."""
        values: Row = {}
        wrong: list[Row] = []
        for name, value in given.items():
            definition = self.properties.rows.get(name)
            values[name], error = checked(definition, value) if definition else (None, unknown(name))
            wrong += [error] if error else []
        return values, wrong

    def create(self, values: Row, at: datetime) -> str:
        """Make a contact; its id."""
        # Never an id that an erased contact has had.
        number = 152_000_000_001 + self.standin.world.number() * 7
        row: Row = {"properties": {}, "createdAt": stamp(at), "archived": False, "archivedAt": None, "history": {}}
        fixed = {"createdate": stamp(at), "hs_object_id": str(number)}
        fixed |= self._opted_out(values.get("email") or "")
        return self.save(str(number), row, values | fixed, at)

    def save(self, row_id: str, row: Row, values: Row, at: datetime, source: str = "INTEGRATION") -> str:
        """Save changed property values with their history; the id."""
        text = max(stamp(at), row["properties"].get("lastmodifieddate") or "")
        history = dict(row["history"])
        for name, value in values.items():
            history[name] = [{"value": value or "", "timestamp": text, "sourceType": source}, *history.get(name, [])]
        properties = row["properties"] | values | {"lastmodifieddate": text}
        self.contacts.put(row_id, row | {"properties": properties, "history": history, "updatedAt": text})
        self.changed.append(row_id)
        return row_id

    def archive(self, row_id: str, at: datetime) -> None:
        """Put a contact into the recycling bin, off every list."""
        self._leave_lists(row_id)
        row = self.contacts.rows[row_id]
        self.contacts.put(row_id, row | {"archived": True, "archivedAt": stamp(at), "updatedAt": stamp(at)})
        self.changed.append(row_id)

    def forget(self, row_id: str) -> None:
        """Remove a contact for good, with everything about it and its address."""
        self._leave_lists(row_id)
        address = self.contacts.rows[row_id]["properties"].get("email") or ""
        for event in [i for i, row in self.events.rows.items() if row["objectId"] == row_id]:
            self.events.drop(event)
        self.statuses.drop(address)
        self.optouts.drop(address)
        self.contacts.drop(row_id)
        self.changed.append(row_id)

    def merge(self, winner: str, loser: str, at: datetime) -> None:
        """Merge a contact into another: the winner's values stand, the loser's fill its gaps, its id lives on."""
        kept, gone = self.contacts.rows[winner], self.contacts.rows[loser]["properties"]
        lists = [row["list"] for row in self.members.rows.values() if row["contact"] == loser]
        values = {name: value for name, value in gone.items() if value and not kept["properties"].get(name)}
        ids = [i for i in (kept["properties"].get("hs_merged_object_ids") or "").split(";") if i]
        mails = [m for m in (kept["properties"].get("hs_additional_emails") or "").split(";") if m]
        mails += [gone["email"]] if gone.get("email") and "email" not in values else []
        values |= {"hs_merged_object_ids": ";".join([*ids, loser]), "hs_additional_emails": ";".join(mails) or None}
        self._leave_lists(loser)
        self.contacts.drop(loser)
        self.changed.append(loser)
        self.save(winner, kept, values, at, "MERGE_OBJECTS")
        for list_id in lists:
            self.join(list_id, winner, at)

    def set_status(self, address: str, status: str, at: datetime, *, everything: bool = False, **more: Any) -> None:
        """Save the Marketing status of an address, perhaps for every mailing, and carry it to its contact."""
        row = {"status": status, "timestamp": stamp(at), "source": "API", "legalBasis": None} | more
        self.statuses.put(address, row)
        if everything:
            self.optouts.put(address, {"timestamp": stamp(at)})
        elif status == "SUBSCRIBED":
            self.optouts.drop(address)
        contact = self.contacts.find("email", address)
        if contact is not None:
            values = dict.fromkeys(_OPTED_OUT, "") | self._opted_out(address)
            self.save(contact, self.contacts.rows[contact], values, at, "EMAIL")

    def join(self, list_id: str, row_id: str, at: datetime) -> bool:
        """Put a contact on a list; False when it is there already."""
        key = f"{list_id}:{row_id}"
        if key in self.members.rows:
            return False
        self.members.put(key, {"list": list_id, "contact": row_id, "joined": stamp(at)})
        return True

    def _merged_into(self, row_id: str) -> str | None:
        merged = ((i, row["properties"].get("hs_merged_object_ids") or "") for i, row in self.contacts.rows.items())
        return next((winner for winner, losers in merged if row_id in losers.split(";")), None)

    def _opted_out(self, address: str) -> Row:
        kind = self.statuses.rows.get(address, {}).get("status") == "UNSUBSCRIBED"
        return {name: "true" for name, out in zip(_OPTED_OUT, (address in self.optouts.rows, kind), strict=True) if out}

    def ticked(self) -> dict[str, list[str]]:
        """The contacts of every checkbox of the account's own that somebody bears a tick in."""
        rows = self.properties.rows.items()
        own = [n for n, row in rows if row["fieldType"] == "booleancheckbox" and not row["hubspotDefined"]]
        found: dict[str, list[str]] = {}
        for row_id, row in self.contacts.rows.items():
            for name in own if not row["archived"] else ():
                if row["properties"].get(name) == "true":
                    found.setdefault(name, []).append(row_id)
        return found

    def _leave_lists(self, row_id: str) -> None:
        for key in [key for key in self.members.rows if key.endswith(f":{row_id}")]:
            self.members.drop(key)


def new_list(name: str, kind: str, at: str) -> Row:
    """A list without members."""
    return {"name": name, "processingType": kind, "objectTypeId": "0-1", "createdAt": at, "updatedAt": at}


def _status(statement: Statement) -> Row:
    granted = statement.state != "withdrawn"
    return {
        "status": "SUBSCRIBED" if granted else "UNSUBSCRIBED", "timestamp": stamp(statement.at),
        "source": "Form submission" if granted else "Subscription preferences page",
        "legalBasis": "CONSENT_WITH_NOTICE" if granted else None,
        "legalBasisExplanation": "Ticked the box below the form" if granted else None,
    }  # fmt: skip


def _contact(person: Person, record: Record) -> Row:
    created, address = stamp(record.created_at), valid_email(record.email)
    said = [s for s in person.statements if s.platform == "hubspot" and s.identifier == address]
    changed = stamp(max([record.created_at, *person.registrations, *(s.at for s in said)]))
    mobile = int(record.record_id) % 5 == 0
    first, last = record.names or (person.first, person.last)
    values: Row = {
        "email": address, "firstname": first, "lastname": last, "createdate": created,
        "lastmodifieddate": changed, "hs_object_id": record.record_id,
        "mobilephone" if mobile else "phone": record.phone, "aevent_registrant_id": record.registrant_id,
        "date_of_birth": record.birth_date,
    }  # fmt: skip
    if record.birth_date and int(record.record_id) % 2 == 0:
        values["age_verified"] = "true"
    if record.country:
        values |= {"country": data.COUNTRY_NAMES[record.country], "hs_country_region_code": record.country}
        values |= {"state": _REGIONS.get((record.country, record.region or "")), "hs_state_code": record.region}
    history: Row = {}
    for statement in (s for s in said if s.state == "withdrawn"):
        names = _OPTED_OUT if record.opted_out else _OPTED_OUT[1:]
        entry = {"value": "true", "timestamp": stamp(statement.at), "sourceType": "EMAIL"}
        values |= dict.fromkeys(names, "true")
        history |= {name: [entry] for name in names}
    values = {name: value for name, value in values.items() if value is not None}
    times = {"createdAt": created, "updatedAt": changed}
    return {"properties": values, "archived": False, "archivedAt": None, "history": history, **times}


def _events(person: Person, record: Record) -> dict[str, Row]:
    found = [
        (EVENT_TYPES[0], at, {"webinar": data.WEBINARS[number % 3]}) for number, at in enumerate(person.registrations)
    ]
    if person.person.endswith("7"):
        page = {"hs_url": "https://acme.example/teas"}
        found.append((EVENT_TYPES[1], record.created_at + timedelta(hours=2), page))
    return {
        hashlib.sha256(f"{record.record_id}/{kind}/{at}".encode()).hexdigest()[:32]: {
            "eventType": kind, "objectId": record.record_id, "objectType": "CONTACT", "occurredAt": stamp(at),
            "properties": properties,
        }
        for kind, at, properties in found
    }  # fmt: skip
