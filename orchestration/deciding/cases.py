"""The format of case files: facts of imaginary people in the platforms' own values, and questions about them.

Every case is a world of its own: nothing in it meets anything of another case. `docs/decide.md` explains each key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AwareDatetime,
    Field,
    ValidationError,
    model_validator,
)

from dlt_sources.errors import ConfigurationError
from orchestration.deciding.case_rules import Channel, Part, Rule
from orchestration.inputs.rules import policies

Actor = Literal["customer", "admin", "import", "integration", "api", "unknown"]
_CHANNELS = {"E": "email", "S": "sms", "W": "whatsapp", "A": "ads_audience", "T": "email"}


class _Fact(Part):
    """What every fact has: an id to name it by, and when we learnt it (system time)."""

    id: str = ""
    recorded: AwareDatetime | None = None  # at the end of its valid time, unless told


class _Told(_Fact):
    """A fact with a valid time: exactly `at`, or somewhere between `earliest` and `latest`; neither means not known."""

    at: AwareDatetime | None = None
    earliest: AwareDatetime | None = None
    latest: AwareDatetime | None = None


class Record(_Told):
    """One version of a customer record at one account of a platform."""

    fact: Literal["record"]
    platform: str
    account: str = "main"
    record: str
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    place: Literal["shipping", "billing", "location"] = "billing"
    time_zone: str | None = None
    external_ids: Mapping[str, str] = {}
    deleted: bool = False


class Status(_Told):
    """A value that a platform shows of an address, such as consent or a bounce; the vocabulary reads it."""

    fact: Literal["status"]
    platform: str
    account: str = "main"
    record: str | None = None
    identifier: str | None = None
    field: str
    value: str
    detail: str = "*"
    channel: Channel | None = None  # where the vocabulary's row names none
    topic: str = "*"
    sender: str = "*"
    purpose: str | None = None
    basis: str | None = None  # express, implied_purchase, implied_inquiry, soft_opt_in, legitimate_interest, contract
    category: str | None = None  # of the goods that a soft opt-in came with
    actor: Actor | None = None
    method: str | None = None
    evidence: bool = False
    expires: AwareDatetime | None = None
    write: str | None = None  # id of the write of ours that this repeats


class Text(_Told):
    """A text message that a person sent to one of our senders."""

    fact: Literal["text"]
    platform: str = "twilio"
    account: str = "main"
    identifier: str
    sender: str
    body: str


class Event(_Told):
    """An act of a person: an order, an inquiry, a login."""

    fact: Literal["event"]
    platform: str
    account: str = "main"
    record: str | None = None
    identifier: str | None = None
    name: str
    person_name: str | None = None  # on the order, which need not be the account's
    country: str | None = None
    region: str | None = None
    categories: Sequence[str] = ()


class Age(_Told):
    """Evidence of age. `at` is when it was verified; `tag` is a platform's own value, which the vocabulary reads."""

    fact: Literal["age"]
    platform: str
    account: str = "main"
    record: str | None = None
    kind: Literal["dob", "over", "under", "fail", "tag"]
    level: int | None = Field(default=None, ge=0, le=5)
    value: str | None = None  # a birth date as it was written, or the tag
    threshold: int | None = None
    provider: str | None = None
    bound_name: str | None = None
    bound_identifier: str | None = None
    expires: AwareDatetime | None = None


class Scrub(_Told):
    """A receipt of a registry. Without an identifier it says that the whole list was compared at that time."""

    fact: Literal["scrub"]
    registry: str
    identifier: str | None = None  # an address, a number, or a whole domain as @example.com
    result: Literal["clear", "listed", "disconnected"] = "clear"
    since: date | None = None  # of the listing or of the disconnection


class Contact(_Told):
    """The last successful contact with a source; sources that a case does not name are fresh."""

    fact: Literal["contact"]
    platform: str
    account: str = "main"
    object: str
    schedule_seconds: int


class Link(_Told):
    """Two records said to be one person's; `retracted` is when that was taken back."""

    fact: Literal["link"]
    records: tuple[str, str]  # as platform:account:record
    reason: Literal["authenticated", "platform_merge", "by_hand"]
    retracted: AwareDatetime | None = None


class Review(_Told):
    """What a person decided about something that was held for review."""

    fact: Literal["review"]
    of: str  # id of the fact
    verdict: Literal["stop", "no_stop", "same_person", "other_person"]
    actor: str
    reason: str


class Write(_Told):
    """A write of ours to a platform, which may come back to us as an echo."""

    fact: Literal["write"]
    platform: str
    account: str = "main"
    identifier: str
    channel: Channel
    state: Literal["withdrawn", "granted"]


Fact = Annotated[
    Record | Status | Text | Event | Age | Scrub | Contact | Link | Review | Write, Field(discriminator="fact")
]


class Question(Part):
    """One question, its time, and the answer that is expected of it, if any.

    `ask` is a letter for the channel (E, S, W, A; T is transactional e-mail), a category after a colon: `E:alcohol`.
    """

    ask: str | None = None
    channel: Channel = "email"
    purpose: Literal["marketing", "transactional", "suppression"] = "marketing"
    topic: str = "*"
    sender: str = "any"
    category: str = "none"
    identifier: str | None = None  # needed where a person has several of the channel's kind
    record: str | None = None  # platform:account:record; the case's only person, unless told
    as_of: AwareDatetime | None = None
    known_at: AwareDatetime | None = None
    eligible: bool | None = None
    lead: str | None = None
    codes: Sequence[str] | None = None  # all of these, whatever else
    next_change_at: AwareDatetime | Literal["never"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _letters(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "ask" not in given:
            return given
        letter, _, category = str(given["ask"]).partition(":")
        if letter not in _CHANNELS:
            raise ValueError(f"ask {letter!r} is none of {', '.join(_CHANNELS)}")
        spelt = {"channel": _CHANNELS[letter], "category": category or "none"}
        if letter == "T":
            spelt["purpose"] = "transactional"
        return spelt | given


class Plan(Part):
    """A write that somebody might plan, and whether it is one that we may make."""

    platform: str
    operation: str
    identifier: str
    allowed: bool | None = None


class Case(Part):
    """One world: its facts, its policies and rules, and what is asked of it."""

    id: str
    title: str = ""
    as_of: AwareDatetime
    known_at: AwareDatetime | None = None  # as_of, unless told
    policy: Mapping[str, Any] = {}
    rules: Sequence[Rule] = ()
    facts: Sequence[Fact] = ()
    questions: Sequence[Question] = ()
    plans: Sequence[Plan] = ()


def load(path: Path) -> list[Case]:
    """The cases of a file, each with the file's defaults put in.

    A case gets the defaults' facts before its own, less those it names in `without` (`"*"`: all of them); a fact of its
    own with the id of a default stands in its place, keeping what it does not say. Raises ConfigurationError that names
    file, case and key.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a time that no calendar has
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    if not isinstance(document, dict) or set(document) - {"defaults", "cases"} or not _is_list(document.get("cases")):
        raise ConfigurationError(f"{path}: write `cases:`, a list, and before it `defaults:` if cases share facts.")
    defaults = document.get("defaults") or {}
    if not isinstance(defaults, dict) or not _is_list(defaults.get("facts") or []):
        raise ConfigurationError(f"{path}: `defaults` has the keys of a case, and `facts` is a list.")
    if any(not isinstance(fact, dict) or not fact.get("id") for fact in defaults.get("facts") or []):
        raise ConfigurationError(f"{path}: a fact of `defaults` has no id.")
    cases = [_case(path, raw, defaults) for raw in document["cases"]]
    if repeated := _repeated([case.id for case in cases]):
        raise ConfigurationError(f"{path}: more than one case is called {', '.join(repeated)}.")
    return cases


def _case(path: Path, raw: Any, defaults: Mapping[str, Any]) -> Case:
    if not isinstance(raw, dict) or not raw.get("id"):
        raise ConfigurationError(f"{path}: a case has no id.")
    if not isinstance(raw.get("policy") or {}, dict):
        raise ConfigurationError(f"{path}, case {raw['id']}: `policy` is a name and a value each.")
    own = {name: value for name, value in raw.items() if name not in ("facts", "without", "policy")}
    shared = {name: value for name, value in defaults.items() if name not in ("facts", "policy")}
    try:
        merged = {
            **shared,
            **own,
            "id": str(raw["id"]),
            "policy": {**(defaults.get("policy") or {}), **(raw.get("policy") or {})},
            "facts": _facts(defaults.get("facts") or [], raw.get("facts") or [], raw.get("without") or []),
        }
        case = Case.model_validate(merged)
        _check_names(case)
    except ValidationError as error:
        raise ConfigurationError(f"{path}, case {raw['id']}: {_said(error, merged['facts'])}") from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path}, case {raw['id']}: {error}") from error
    return case


def _said(error: ValidationError, facts: Sequence[Mapping[str, Any]]) -> str:
    """Each fault with the keys that lead to it, facts by their ids."""
    faults = []
    for fault in error.errors():
        keys = [str(key) for key in fault["loc"]]
        if keys[0] == "facts" and len(keys) > 1:
            keys[1] = str(facts[int(keys[1])]["id"])
        faults.append(f"{'.'.join(keys)}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(faults)


def _facts(
    shared: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]], without: Sequence[str]
) -> list[Mapping[str, Any]]:
    if not _is_list(own) or not all(isinstance(fact, dict) for fact in own):
        raise ValueError("`facts` is a list of facts, each with its keys")
    if not _is_list(without):
        raise ValueError('`without` is a list of ids, or ["*"]')
    known = [fact["id"] for fact in shared]
    if unknown := set(without) - {*known, "*"}:
        raise ValueError(f"`without` names {', '.join(sorted(unknown))}, which no default fact is called")
    kept = {} if "*" in without else {fact["id"]: dict(fact) for fact in shared if fact["id"] not in without}
    added: list[Mapping[str, Any]] = []
    for fact in own:
        if fact.get("id") in kept:
            kept[fact["id"]] |= fact
        else:
            added.append(fact)
    return [*kept.values(), *({"id": f"fact-{place}", **fact} for place, fact in enumerate(added, 1))]


def _check_names(case: Case) -> None:
    """Evidence is named by the ids of facts, and facts name one another by them, so each must be one fact's."""
    if unknown := sorted(set(case.policy) - policies()):
        raise ValueError(f"`policy` names {', '.join(unknown)}; known are {', '.join(sorted(policies()))}")
    ids = [fact.id for fact in case.facts]
    if repeated := _repeated(ids):
        raise ValueError(f"more than one fact is called {', '.join(repeated)}")
    for fact in case.facts:
        named = fact.of if isinstance(fact, Review) else fact.write if isinstance(fact, Status) else None
        if named is not None and named not in ids:
            raise ValueError(f"{fact.id} names {named}, which no fact of the case is called")


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
