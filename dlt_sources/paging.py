"""Pages of a platform's list endpoint: dlt's RESTClient and paginators over our session, with our errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.common.jsonpath import compile_path
from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator

from dlt_sources.errors import Failure, SetAside
from dlt_sources.http import Session, json_body, unreachable


def pages(
    session: Session,
    path: str,
    *,
    object: str,
    selector: str,
    paginator: BasePaginator,
    params: Mapping[str, Any] | None = None,
    json: Mapping[str, Any] | None = None,
    explain: Callable[[requests.Response], str] | None = None,
    check: Callable[[requests.Response], None] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Yield the lists found under the key `selector` of each page, as `paginator` follows them.

    Raises the errors of the tree: also for a page that is no JSON, or holds no list of objects there, or links back
    to one already read. With `json` the pages are asked for by POST. `explain` reads the platform's own error text, and
    `check` may refuse a page for a reason of the platform's own.
    """
    account, seen = session.account, set[tuple[str, Any]]()

    def unusable(response: requests.Response, detail: str) -> SetAside:
        failure = Failure(account.platform, account.name, object, response.status_code, detail)
        return SetAside(failure, "The page is left out; check the API version and base_url.")

    def accept(response: requests.Response, *_: Any, **__: Any) -> None:
        if response.is_redirect:
            return
        if not response.ok:
            raise session.refusal(object, response, explain(response) if explain else "")
        if check:
            check(response)
        asked = (response.url, response.request.body)
        if asked in seen:
            raise unusable(response, "its pages lead in a circle")
        seen.add(asked)
        body = json_body(account, object, response)
        rows = body.get(selector) if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise unusable(response, f"no list of objects under {selector!r}")

    # An empty configuration: the client must not go looking for dlt's own files.
    client = RESTClient(session.base_url, session=session, config=RuntimeConfiguration())
    try:
        yield from client.paginate(
            path,
            method="GET" if json is None else "POST",
            params=dict(params or {}),
            json=None if json is None else dict(json),
            paginator=paginator,
            data_selector=compile_path(f"['{selector}']"),  # as text it would be parsed anew for every page
            hooks={"response": [accept]},
        )
    except requests.RequestException as error:
        raise unreachable(account, object, error) from None
