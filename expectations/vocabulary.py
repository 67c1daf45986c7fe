"""The vocabulary: what may be expected of rows at a boundary, each expectation with a name and one sentence.

An expectation is a query for the rows that break it, run by Great Expectations' UnexpectedRowsExpectation. Such a query
returns only redacted references: the beginning of a version's payload hash, a person id, a column's name. No value
that a platform sent ever leaves the warehouse through a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dlt_sources.platform import LANES

#: A raw row's version, found again by `payload_hash like '<reference>%'`; hashed anew where the hash is no hash.
_VERSION = (
    "left(case when regexp_full_match(payload_hash, '[0-9a-f]{64}') then payload_hash "
    "else sha256(coalesce(payload::varchar, '')) end, 12)"
)
#: A person by id; an id that is not one of ours could be anything, so it is hashed.
_PERSON = (
    "case when regexp_full_match(person_id, 'p_[0-9a-f]{16}') then person_id "
    "else 'unknown_' || left(sha256(coalesce(person_id, '')), 12) end"
)
_TYPE = "json_type(try_cast(payload as json))"
_BIRTH_DATE = r"birth_?da(y|te)|date_?of_?birth|geburt|(^|[^a-z])(dob|bday|birth|born)([^a-z]|$)"
_IDENTIFIER_TYPES = {"email": "email", "none": "person"} | dict.fromkeys(("sms", "mms", "whatsapp", "voice"), "phone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing expected at a boundary; `query` returns a `reference` per row of `{batch}` that breaks it.

    `needs` says when there is nothing to judge: an expectation about rows passes on an empty or absent table, one
    about a table passes where there is none, and one that needs nothing fails there.
    """

    name: str
    description: str
    query: str
    needs: Literal["rows", "table", "nothing"] = "rows"


def columns_present(columns: Sequence[str], *, table_required: bool = False) -> Expectation:
    """The table has the columns of its contract; a required table that is absent lacks all of them."""
    return Expectation(
        name="columns_present",
        description="The table exists with every column of its contract.",
        query=_absent_columns(columns),
        needs="nothing" if table_required else "table",
    )


def payload_is_an_object() -> Expectation:
    """Staging reads fields of an object; a list, a text or broken JSON has none."""
    return _of_versions(
        "payload_is_an_object",
        "Every payload is a JSON object.",
        f"{_TYPE} is distinct from 'OBJECT'",
    )


def payload_is_an_object_or_a_list() -> Expectation:
    """A platform may deliver several acts in one body, as a list."""
    return _of_versions(
        "payload_is_an_object_or_a_list",
        "Every body is a JSON object, or a list of them.",
        f"coalesce({_TYPE}, '') not in ('OBJECT', 'ARRAY')",
    )


def payload_hash_present() -> Expectation:
    """Versions are told apart by this hash alone."""
    return _of_versions(
        "payload_hash_present",
        "Every row carries the SHA-256 of its payload, which tells versions apart.",
        "not coalesce(regexp_full_match(payload_hash, '[0-9a-f]{64}'), false)",
    )


def record_id_present() -> Expectation:
    """A row without one belongs to nobody."""
    return _of_versions(
        "record_id_present",
        "Every row names its record.",
        "trim(coalesce(record_id, '')) = ''",
    )


def record_id_is_the_payloads(key: str) -> Expectation:
    """`key` is the dotted path of the record's id in the payload."""
    return _of_versions(
        "record_id_is_the_payloads",
        f"Every row names its record by the payload's own {key}.",
        f"{_TYPE} = 'OBJECT' "
        f"and json_extract_string(try_cast(payload as json), {_literal(_json_path(key))}) is distinct from record_id",
    )


def required_paths_present(paths: Sequence[str]) -> Expectation:
    """`paths` are dotted; the reference names the first one that is missing or null."""
    names, steps = ", ".join(map(_literal, paths)), ", ".join(_literal(_json_path(path)) for path in paths)
    missing = f"list_position(json_extract_string(try_cast(payload as json), [{steps}]), null)"
    return Expectation(
        name="required_paths_present",
        description=f"Every payload carries {', '.join(paths)}.",
        query=_rows(f"{_VERSION} || ' lacks ' || ([{names}])[{missing}]", f"{_TYPE} = 'OBJECT' and {missing} > 0"),
    )


def updated_not_in_the_future() -> Expectation:
    """A later source time would outvote every true one; five minutes of clock skew are allowed."""
    return _of_versions(
        "updated_not_in_the_future",
        "No record was updated later than it was extracted.",
        "updated_at > extracted_at + interval 5 minutes",
    )


def extracted_at_present() -> Expectation:
    """It orders versions, and says what a build has seen."""
    return _of_versions(
        "extracted_at_present",
        "Every row says when it was extracted.",
        "extracted_at is null",
    )


def account_is_configured(platform: str) -> Expectation:
    """An unknown account has no brand, region or markets to decide by."""
    return _of_versions(
        "account_is_configured",
        f"Every row comes from a configured {platform} account.",
        "not exists (select 1 from raw_audiences.accounts as known "
        f"where known.platform = {_literal(platform)} and known.account = batch.account)",
    )


def landing_is_known() -> Expectation:
    """Absorption is reported by landing id, so a webhook without one would block its people for good."""
    return _of_versions(
        "landing_is_known",
        "Every webhook says which landing it came from, by which lane and when.",
        "coalesce(landing_id, '') = '' or received_at is null "
        f"or coalesce(lane, '') not in ({', '.join(map(_literal, LANES))})",
    )


def identifier_is_valid() -> Expectation:
    """The exact keys: a lower-case address with a domain, an E.164 number, or the person where nobody is written to."""
    return _of_people(
        "identifier_is_valid",
        "Every identifier is a normalised e-mail address, an E.164 number or, where nobody is written to, the person.",
        "not coalesce(case identifier_type "
        r"when 'email' then regexp_full_match(identifier, '[^@\s]+@[^@\s]+\.[^@\s]+') "
        "and identifier = lower(identifier) "
        r"when 'phone' then regexp_full_match(identifier, '\+[1-9][0-9]{6,14}') "
        "when 'person' then identifier = person_id end, false)",
    )


def identifier_serves_the_channel(channel: str) -> Expectation:
    """E-mail goes to addresses, texts and calls to numbers."""
    wanted = _IDENTIFIER_TYPES.get(channel, channel)
    return _of_people(
        "identifier_serves_the_channel",
        f"Every identifier is of the kind that {channel} needs.",
        f"identifier_type is distinct from {_literal(wanted)}",
    )


def nobody_listed_twice() -> Expectation:
    """A second row would send a second message; those who share an address stand there once each."""
    return Expectation(
        name="nobody_listed_twice",
        description="No identifier is listed twice for a person.",
        query=_rows(_PERSON, "true", "qualify count(*) over (partition by person_id, identifier_type, identifier) > 1"),
    )


def everybody_is_eligible() -> Expectation:
    """Admission is checked against the decision itself, not against how it was computed."""
    return _of_people(
        "everybody_is_eligible",
        "Everybody admitted is eligible in marts.decisions, for the same identifier and question.",
        f"not exists ({_DECISION} and decision.eligible)",
    )


def nobody_admitted_without_ok() -> Expectation:
    """Any other code is a reason not to contact."""
    return _of_people(
        "nobody_admitted_without_ok",
        "Nobody is admitted whose decision gives a reason other than ok.",
        f"exists ({_DECISION} and decision.reason_codes is distinct from ['ok'])",
    )


def question_is_the_twins(question_id: str) -> Expectation:
    """A decision about another channel, topic or kind of goods admits nobody here."""
    return _of_people(
        "question_is_the_twins",
        "Everybody was decided for the question that the twin asks.",
        f"question_id is distinct from {_literal(question_id)}",
    )


def no_withdrawn_identifier(channel: str, purpose: str) -> Expectation:
    """Who left marketing may still get what a contract owes, which the decision judges; a bounced address may not."""
    lawful = "('withdrawn', 'spam_complaint')" if purpose == "transactional" else "('')"
    return _of_people(
        "no_withdrawn_identifier",
        f"No identifier is admitted that is withdrawn from {channel}.",
        "exists (select 1 from marts.withdrawals as withdrawal "
        "where withdrawal.identifier_type = batch.identifier_type and withdrawal.identifier = batch.identifier "
        f"and withdrawal.channel in ({_literal(channel)}, '*') and withdrawal.reason not in {lawful})",
    )


def traits_exist(columns: Sequence[str]) -> Expectation:
    """`columns` are those the twin maps to a destination."""
    return Expectation(
        name="traits_exist",
        description="Every trait that the twin maps is a column of the audience.",
        query=_absent_columns(columns),
        needs="table",
    )


def no_birth_date_column() -> Expectation:
    """A birth date never leaves the warehouse; nested fields count by the names in their type."""
    return Expectation(
        name="no_birth_date_column",
        description="No column, nested or not, is named like a date of birth.",
        query="select 'column ' || column_name as reference from (describe select * from {batch}) "
        f"where regexp_matches(lower(column_name || ' ' || column_type), {_literal(_escaped(_BIRTH_DATE))})",
        needs="table",
    )


def no_birth_date_values(columns: Sequence[str]) -> Expectation:
    """A renamed birth date shows in its values: most of them dates, half of those over 18 years back."""
    columns_query = " union all ".join(
        f"select {_literal('column ' + column)} as reference from batch "
        f"having count(try_cast({_name(column)}::varchar as date)) * 2 > count({_name(column)}) "
        f"and quantile_disc(try_cast({_name(column)}::varchar as date), 0.5) "
        "< max(as_of)::date - interval 18 years"
        for column in columns
    )
    return Expectation(
        name="no_birth_date_values",
        description="No mapped trait holds dates that look like dates of birth.",
        query=f"with batch as (select * from {{batch}}) {_escaped(columns_query)}",
    )


def build_is_the_clocks() -> Expectation:
    """A segment that broke keeps its last audience, which must gain nobody."""
    return _of_people(
        "build_is_the_clocks",
        "The audience was written by the build that the clock names.",
        "build_id is distinct from (select max(clock.build_id) from marts.clock as clock)",
    )


_DECISION = (
    "select 1 from marts.decisions as decision where decision.person_id = batch.person_id "
    "and decision.identifier_type = batch.identifier_type and decision.identifier = batch.identifier "
    "and decision.question_id = batch.question_id"
)


def _of_versions(name: str, description: str, broken_when: str) -> Expectation:
    return Expectation(name=name, description=description, query=_rows(_VERSION, broken_when))


def _of_people(name: str, description: str, broken_when: str) -> Expectation:
    return Expectation(name=name, description=description, query=_rows(_PERSON, broken_when))


def _rows(reference: str, broken_when: str, qualify: str = "") -> str:
    columns, rest = _escaped(reference), _escaped(f"where {broken_when} {qualify}".strip())
    return f"select {columns} as reference from (select * from {{batch}}) as batch {rest}"


def _absent_columns(columns: Sequence[str]) -> str:
    wanted = ", ".join(map(_literal, columns))
    return (
        f"select 'column ' || wanted as reference from (select unnest([{_escaped(wanted)}]) as wanted) "
        "where wanted not in (select column_name from (describe select * from {batch}))"
    )


def _json_path(path: str) -> str:
    return "$" + "".join(f'."{step}"' for step in path.split("."))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _escaped(sql: str) -> str:
    """Double the braces, which would otherwise be read as places to fill in."""
    return sql.replace("{", "{{").replace("}", "}}")
