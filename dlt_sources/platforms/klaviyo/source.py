"""Pulls Klaviyo: profiles by `updated`, events by `datetime`, metrics whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

from dlt_sources.accounts import Account
from dlt_sources.paging import pages as paged
from dlt_sources.platform import Object
from dlt_sources.platforms.klaviyo import client


def pages(account: Account, obj: Object, since: datetime | None) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield pages of JSON:API resources, oldest change first."""
    with client.session(account) as session:
        yield from paged(
            session,
            f"/api/{obj.name}",
            object=obj.name,
            selector="data",
            params=_params(obj, since),
            paginator=JSONLinkPaginator(next_url_path="links.next"),
        )


def _params(obj: Object, since: datetime | None) -> dict[str, str | int]:
    params: dict[str, str | int] = {}
    if obj.name == "metrics":
        return params  # takes no page size and has no time to filter by
    if obj.name == "profiles":
        # Without the additional field a profile says nothing about consent.
        params |= {"page[size]": client.PROFILES_PER_PAGE, "additional-fields[profile]": "subscriptions"}
    else:
        params |= {"page[size]": client.EVENTS_PER_PAGE}
    time = (obj.updated or "").removeprefix("attributes.")
    params["sort"] = time
    if since is not None:
        params["filter"] = f"greater-than({time},{since:%Y-%m-%dT%H:%M:%SZ})"
    return params
