"""Pulls Twilio's message log by the time of sending, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

from dlt_sources.accounts import Account
from dlt_sources.paging import pages as paged
from dlt_sources.platform import Object
from dlt_sources.platforms.twilio import client


def pages(account: Account, obj: Object, since: datetime | None) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield pages of message resources."""
    params: dict[str, str | int] = {"PageSize": client.PAGE_SIZE}
    if since is not None:
        params["DateSent>"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")  # the operator is part of the name
    with client.session(account) as session:
        yield from paged(
            session,
            client.account_path(account, "/Messages.json"),
            object=obj.name,
            selector=obj.name,
            params=params,
            paginator=JSONLinkPaginator(next_url_path="next_page_uri"),
        )
