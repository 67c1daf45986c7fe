"""Shopify's GraphQL path: validation by graphql-core, query costs, throttling."""

from __future__ import annotations

import math
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    execute_sync,
    parse,
    validate,
    value_from_ast_untyped,
)  # fmt: skip
from graphql.language import OperationType
from graphql.language.ast import DocumentNode
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.limits import LeakyBucket
from sandbox.platforms.shopify.resolvers import Root
from sandbox.platforms.shopify.schema import SDL
from sandbox.platforms.shopify.state import State
from sandbox.standin import json_response
from sandbox.store import Row

MOST_POINTS = 2000
RESTORED = 100
#: How many times the basic plan's limits a plan has (Advanced restores 200 points a second, Plus 1000).
PLANS = {"basic": 1, "advanced": 2, "plus": 10}
MOST_PER_QUERY = 1000
_LEAVES = frozenset({"pageInfo", "userErrors", "node", "nodes", "edges", "shop", "amountSpent", "defaultAddress"})
_SCHEMA = build_schema(SDL)


class GraphQL:
    """The handler, over one state."""

    def __init__(self, state: State, shop: Row) -> None:
        self.state, self.shop = state, shop
        self._bucket = LeakyBucket(MOST_POINTS, RESTORED)

    def run(self, call: Call) -> Response:
        """POST graphql.json: HTTP 200 even for errors, throttling included."""
        factor = PLANS[self.state.standin.world.settings.shopify_plan]
        self._bucket.widen(MOST_POINTS * factor, RESTORED * factor)
        try:
            request: Row = call.json
            source, variables = request["query"], request.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return json_response({"errors": "query not found"}, 400)
        if not isinstance(source, str):
            return json_response({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        try:
            document = parse(source)
        except GraphQLError as error:
            return json_response({"errors": [error.formatted]})
        problems = validate(_SCHEMA, document)
        if problems:
            return json_response({"errors": [_formatted(problem, "undefinedField") for problem in problems]})
        requested = cost_of(document, variables)
        if requested > MOST_PER_QUERY:
            message = f"Query cost is {requested}, which exceeds the single query max cost limit ({MOST_PER_QUERY})."
            extensions = {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": MOST_PER_QUERY}
            return json_response({"errors": [{"message": message, "extensions": extensions}]})
        if not self.state.standin.world.settings.unlimited and self._bucket.pour(requested):
            return self.throttled(requested)
        result = execute_sync(
            _SCHEMA, document, Root(self.state, self.shop, call).fields(), variable_values=variables,
            operation_name=request.get("operationName"),
        )  # fmt: skip
        actual = min(requested, actual_cost(result.data, document))
        self._bucket.give_back(requested - actual)
        answer: Row = {"data": result.data, "extensions": {"cost": self._cost(requested, actual)}}
        if result.errors:
            answer["errors"] = [_formatted(error, "INTERNAL_SERVER_ERROR") for error in result.errors]
        return json_response(answer)

    def throttled(self, requested: int) -> Response:
        """The refusal of a spent bucket: HTTP 200."""
        error = {
            "message": "Throttled",
            "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
        }
        return json_response({"errors": [error], "extensions": {"cost": self._cost(requested, None)}})

    def _cost(self, requested: int, actual: int | None) -> Row:
        left = int(self._bucket.size) - math.ceil(self._bucket.drain())
        status = {"maximumAvailable": self._bucket.size, "currentlyAvailable": left, "restoreRate": self._bucket.leak}
        return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}


def cost_of(document: DocumentNode, variables: Row) -> int:
    """What a query may cost: 10 for each mutation, 1 for an object, a connection by the logarithm of its size.

    The documented sum of all objects overstates what shops report; a connection of 250 with an object in each node
    is reported at 24 points, which is 8 (the logarithm) times 3.
    """
    fragments = {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}
    total = 0
    for part in document.definitions:
        if isinstance(part, OperationDefinitionNode):
            fields = _fields(part.selection_set, fragments)
            if part.operation is OperationType.MUTATION:
                total += 10 * len(fields)
            else:
                total += sum(_cost(field, fragments, variables) for field in fields)
    return total


def actual_cost(data: Any, document: DocumentNode) -> int:
    """What a query did cost, by what came back: an empty answer is cheap."""
    mutations = sum(
        10 * len(part.selection_set.selections)
        for part in document.definitions
        if isinstance(part, OperationDefinitionNode) and part.operation is OperationType.MUTATION
    )
    return mutations or max(1, _objects(data))


def _cost(field: FieldNode, fragments: dict[str, FragmentDefinitionNode], variables: Row) -> int:
    if field.selection_set is None:
        return 0
    inner = sum(_cost(child, fragments, variables) for child in _fields(field.selection_set, fragments))
    given = {argument.name.value: argument.value for argument in field.arguments}
    if "ids" in given:
        return len(value_from_ast_untyped(given["ids"], variables) or ()) * (1 + inner)
    size = given.get("first") or given.get("last")
    if size is None:
        return inner + (0 if field.name.value in _LEAVES else 1)
    return math.ceil(math.log2(max(1, int(value_from_ast_untyped(size, variables) or 1)) + 1)) * (2 + inner)


def _fields(selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> list[FieldNode]:
    found: list[FieldNode] = []
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            found.append(selection)
        elif isinstance(selection, InlineFragmentNode):
            found += _fields(selection.selection_set, fragments)
        elif isinstance(selection, FragmentSpreadNode):
            found += _fields(fragments[selection.name.value].selection_set, fragments)
    return found


def _objects(data: Any) -> int:
    if isinstance(data, dict):
        return 1 + sum(_objects(value) for name, value in data.items() if name != "pageInfo")
    return sum(map(_objects, data)) if isinstance(data, list) else 0


def _formatted(error: GraphQLError, code: str) -> Row:
    formatted: Row = dict(error.formatted)
    return formatted | {"extensions": {"code": code, **formatted.get("extensions", {})}}
