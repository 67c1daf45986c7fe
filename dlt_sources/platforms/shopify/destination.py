"""Pushes to Shopify: tags added and removed one by one, withdrawals of consent, never a grant.

Tags go through tagsAdd and tagsRemove, which leave a customer's other tags alone (a customer update replaces them
all). Several mutations share a request under aliases; each answers for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, Failure, SetAside
from dlt_sources.http import Session
from dlt_sources.outcomes import accepted, dead
from dlt_sources.platform import Destination, Identifier, Operation, Outcome, Row, Target, TargetKind
from dlt_sources.platforms.shopify import client

#: The only consent state that any code here can write.
_WITHDRAWN = "UNSUBSCRIBED"
_ERRORS = "userErrors { field message }"
_PREFIX = "gid://shopify/Customer/"
#: A mutation costs 10 points; 25 leave three quarters of the smallest bucket to others.
_BATCH = 25


class Shopify(Destination):
    """One Shopify shop."""

    batch_size: ClassVar[Mapping[Operation, int]] = {"add": _BATCH, "remove": _BATCH, "suppress": _BATCH}
    target_kinds: ClassVar[tuple[TargetKind, ...]] = ("tag",)
    channels: ClassVar[tuple[str, ...]] = ("email", "sms")

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._session = client.session(account, retry=False)

    def add(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Give each customer the tag."""
        if any(row.traits for row in rows):
            raise ConfigurationError(
                f"A Shopify tag carries no traits: take them out of {target} in the segment's twin."
            )
        return self._tag("tagsAdd", target, rows)

    def remove(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Take the tag from each customer."""
        return self._tag("tagsRemove", target, rows)

    def suppress(self, channel: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Write the withdrawal on each row's customers; where Shopify has none there is nothing to withdraw."""
        if channel == "email":
            mutation, argument, field = "customerEmailMarketingConsentUpdate", "emailMarketingConsent", "Email"
        elif channel == "sms":
            mutation, argument, field = "customerSmsMarketingConsentUpdate", "smsMarketingConsent", "Sms"
        else:
            raise self._not_offered(f"suppress {channel}")
        records = self._records(rows)
        inputs = [
            (row, {"customerId": _gid(record), argument: {"marketingState": _WITHDRAWN}})
            for row in rows
            for record in records[row.row_id]
        ]
        call = f"{mutation}(input: $v%d) {{ {_ERRORS} }}"
        done = self._mutate(f"Customer{field}MarketingConsentUpdateInput!", call, inputs, "suppress")
        none = [row for row in rows if not records[row.row_id]]
        return [*_worst(done), *accepted(none, "no_record")]

    def find(self, identifiers: Sequence[Identifier]) -> Mapping[Identifier, Sequence[str]]:
        """Look up customers by e-mail and phone. The search finds more than was asked, so its answers are compared."""
        found: dict[Identifier, list[str]] = {identifier: [] for identifier in identifiers}
        wanted = [identifier for identifier in found if identifier.kind in ("email", "phone")]
        for start in range(0, len(wanted), _BATCH):
            some = wanted[start : start + _BATCH]
            aliases = " ".join(
                f"a{n}: customers(first: 10, query: $v{n}) {{ nodes {{ {_CUSTOMER} }} }}" for n in range(len(some))
            )
            variables = {f"v{n}": f"{identifier.kind}:{_quoted(identifier.value)}" for n, identifier in enumerate(some)}
            data = client.graphql(
                self._session, _query("query", "String!", len(some), aliases), variables, object="find"
            )
            for n, identifier in enumerate(some):
                for node in (data.get(f"a{n}") or {}).get("nodes") or ():
                    if _normal(identifier) in {_normal(held) for held in _held(node)}:
                        found[identifier].append(_record(node))
        return found

    def identify(self, record_ids: Sequence[str]) -> Mapping[str, Sequence[Identifier]]:
        """Look up what the customers hold; one that is gone holds nothing."""
        held: dict[str, Sequence[Identifier]] = {record_id: [] for record_id in record_ids}
        query = f"query Identify($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {_CUSTOMER} }} }} }}"
        ids = [_gid(record_id) for record_id in held]
        for start in range(0, len(ids), client.PAGE_SIZE):
            variables = {"ids": ids[start : start + client.PAGE_SIZE]}
            data = client.graphql(self._session, query, variables, object="identify")
            for node in data.get("nodes") or ():
                if node:
                    held[_record(node)] = _held(node)
        return held

    def read_back(self, target: Target) -> Iterator[str]:
        """Yield the ids of the customers that bear the tag; Shopify's search may lag behind a write by seconds."""
        query = (
            "query Bearers($query: String!, $after: String) { customers(first: 250, after: $after, query: $query) "
            "{ nodes { id tags } pageInfo { hasNextPage endCursor } } }"
        )
        after: str | None = None
        tag = self._tag_name(target)
        while True:
            variables = {"query": f"tag:{_quoted(tag)}", "after": after}
            customers = client.graphql(self._session, query, variables, object=str(target)).get("customers") or {}
            for node in customers.get("nodes") or ():
                if tag.lower() in {str(own).lower() for own in node.get("tags") or ()}:
                    yield _record(node)
            page = customers.get("pageInfo") or {}
            if not page.get("hasNextPage"):
                return
            after = page.get("endCursor")

    def erase(self, rows: Sequence[Row]) -> Sequence[Outcome]:
        """Request the erasure of each row's customers; Shopify carries it out when the law lets it."""
        records = self._records(rows)
        ids = [(row, _gid(record)) for row in rows for record in records[row.row_id]]
        done = self._mutate("ID!", f"customerRequestDataErasure(customerId: $v%d) {{ {_ERRORS} }}", ids, "erase")
        return [*_worst(done), *accepted([row for row in rows if not records[row.row_id]], "no_record")]

    def _tag(self, mutation: str, target: Target, rows: Sequence[Row]) -> list[Outcome]:
        call = f"{mutation}(id: $v%d, tags: $tags) {{ {_ERRORS} }}"
        ids = [(row, _gid(row.record_id)) for row in rows if row.record_id]
        done = self._mutate("ID!", call, ids, str(target), tags=[self._tag_name(target)])
        return [*done, *(dead(row, "no_record") for row in rows if not row.record_id)]

    def _tag_name(self, target: Target) -> str:
        if target.kind != "tag":
            raise self._not_offered(f"target {target.kind}")
        return target.name

    def _records(self, rows: Sequence[Row]) -> dict[str, Sequence[str]]:
        """The customers of each row: its own record, else those that hold its identifier."""
        nameless = [row.identifier for row in rows if not row.record_id and row.identifier]
        found = self.find(nameless) if nameless else {}
        return {
            row.row_id: [row.record_id] if row.record_id else found[row.identifier] if row.identifier else []
            for row in rows
        }

    def _mutate(
        self, type_: str, call: str, values: Sequence[tuple[Row, Any]], object: str, **shared: Sequence[str]
    ) -> list[Outcome]:
        """Send one mutation per value, all in one request; the answers are in the order of the values."""
        if not values:
            return []
        aliases = " ".join(f"a{n}: {call % n}" for n in range(len(values)))
        query = _query("mutation", type_, len(values), aliases, extra="$tags: [String!]!" if shared else "")
        variables = {**shared, **{f"v{n}": value for n, (_, value) in enumerate(values)}}
        data = client.graphql(self._session, query, variables, object=object)
        return [_outcome(self._session, object, row, data.get(f"a{n}")) for n, (row, _) in enumerate(values)]


_CUSTOMER = "id defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber }"


def _query(kind: str, type_: str, count: int, aliases: str, extra: str = "") -> str:
    declared = ", ".join([*([extra] if extra else []), *(f"$v{n}: {type_}" for n in range(count))])
    return f"{kind} Audiences({declared}) {{ {aliases} }}"


def _outcome(session: Session, object: str, row: Row, answer: Any) -> Outcome:
    if not isinstance(answer, dict):
        failure = Failure(session.account.platform, session.account.name, object, 200, "no answer for a row")
        raise SetAside(failure, "The rows of this call are set aside.")
    errors = answer.get("userErrors") or []
    if not errors:
        return accepted([row])[0]
    field = ".".join(str(step) for step in errors[0].get("field") or ())
    return dead(row, "user_error", f"{field}: {errors[0].get('message')}")


def _worst(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One outcome per row where a row stood for several customers."""
    by_row: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.row_id not in by_row or by_row[outcome.row_id].status == "accepted":
            by_row[outcome.row_id] = outcome
    return list(by_row.values())


def _held(node: Mapping[str, Any]) -> list[Identifier]:
    email = (node.get("defaultEmailAddress") or {}).get("emailAddress")
    phone = (node.get("defaultPhoneNumber") or {}).get("phoneNumber")
    return [
        *([Identifier("email", str(email))] if email else []),
        *([Identifier("phone", str(phone))] if phone else []),
    ]


def _normal(identifier: Identifier) -> Identifier:
    return Identifier(identifier.kind, "".join(identifier.value.split()).lower())


def _record(node: Mapping[str, Any]) -> str:
    return str(node.get("id")).removeprefix(_PREFIX)


def _gid(record_id: str) -> str:
    return record_id if record_id.startswith("gid://") else f"{_PREFIX}{record_id}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


DESTINATION = Shopify
