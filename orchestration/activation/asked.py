"""Whom a question is about: a subject read as an identifier or a person, and the published copy that knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from dlt_sources.errors import AudiencesError
from dlt_sources.platform import Identifier, IdentifierKind
from orchestration.activation import catalogue as catalogues
from orchestration.activation.catalogue import Audience
from orchestration.activation.keys import normalise_email, normalise_phone, suppression_keys
from orchestration.home import Home


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: a subject with its exact key (empty for a person id), and the audiences."""

    subject: str
    key: str
    audiences: Sequence[Audience]

    @property
    def identifier(self) -> str:
        """The address or number in its plain form; empty for a person id."""
        return self.key.partition(":")[2]

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """Every key by which the identifier may be blocked."""
        if not self.key:
            return ()
        kind: IdentifierKind = "email" if self.key.startswith("email:") else "phone"
        return (self.key, *suppression_keys(Identifier(kind, self.identifier), ""))


def question(home: Home, subject: str, audience: str | None) -> Asked:
    """What is asked about; AudiencesError for an unreadable subject or an audience that is not published."""
    catalogue = catalogues.read(home)
    asked = [one for one in catalogue.audiences if audience in (None, one.name)]
    if audience is not None and not asked:
        known = ", ".join(one.name for one in catalogue.audiences) or "none"
        raise AudiencesError(f"There is no audience {audience!r} in the published build; known are {known}.")
    return Asked(subject, _key(subject), asked)


def people_of(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, list[str]]:
    """Person id → every suppression key, for everybody whom the subject may mean.

    An identifier means those whose records show it; where none does, everybody whom it would block.
    """
    condition = "list_contains(suppression_keys, $1)" if asked.key else "person_id = $1"
    query = f"SELECT person_id, suppression_keys FROM marts.person_suppression_keys WHERE {condition}"
    found = dict(connection.execute(query, [asked.key or asked.subject]).fetchall())
    if len(found) < 2:
        return found
    holders = "SELECT person_id FROM marts.destination_records WHERE $1 IN (email, phone)"
    shown = {person_id for (person_id,) in connection.execute(holders, [asked.identifier]).fetchall()}
    return {person_id: keys for person_id, keys in found.items() if person_id in shown} or found


def _key(subject: str) -> str:
    """The key of exactly this e-mail address or number; empty for a person id."""
    if "@" in subject:
        email = normalise_email(subject)
        if email:
            return f"email:{email}"
    elif phone := normalise_phone(subject):
        return f"phone:{phone}"
    elif subject.startswith("p_"):
        return ""
    raise AudiencesError("That is no e-mail address, no phone number with its country code (+1 …) and no person id.")
