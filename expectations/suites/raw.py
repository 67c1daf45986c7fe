"""Raw to staging: a suite per raw table, built from the objects and topics that the platforms declare.

Only what this build brought is judged: the rows extracted since the newest build in `raw_audiences.builds`, so that a
bad row is judged once and history costs nothing. A webhook bears the time it was received, and may be loaded a build
later, so webhooks are judged one build further back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dlt_sources.platform import Object, Platform
from expectations import vocabulary
from expectations.suites import Suite
from expectations.vocabulary import Expectation

COLUMNS = ("account", "record_id", "updated_at", "extracted_at", "payload", "payload_hash")
WEBHOOK_COLUMNS = (*COLUMNS, "landing_id", "topic", "lane", "received_at")


def suites(platforms: Iterable[Platform]) -> Iterator[Suite]:
    """A suite for every object of every platform, and one for its webhooks where it declares topics."""
    for platform in platforms:
        for obj in platform.objects:
            yield Suite(
                boundary="raw",
                subject=f"{platform.name}.{obj.name}",
                schema=f"raw_{platform.name}",
                table=obj.name,
                expectations=tuple(_of_object(platform, obj)),
                rows=_since_build(newest=1),
            )
        if platform.topics:
            yield Suite(
                boundary="raw",
                subject=f"{platform.name}.webhooks",
                schema=f"raw_{platform.name}",
                table="webhooks",
                expectations=tuple(_of_webhooks()),
                rows=_since_build(newest=2),
            )


def _of_object(platform: Platform, obj: Object) -> Iterator[Expectation]:
    yield from _of_every_row(COLUMNS)
    yield vocabulary.payload_is_an_object()
    yield vocabulary.account_is_configured(platform.name)
    yield vocabulary.record_id_is_the_payloads(obj.key)
    yield vocabulary.updated_not_in_the_future()
    if obj.required:
        yield vocabulary.required_paths_present(obj.required)


def _of_webhooks() -> Iterator[Expectation]:
    """Accounts are left out: the receiver verifies every request by a configured account's own secret."""
    yield from _of_every_row(WEBHOOK_COLUMNS)
    yield vocabulary.payload_is_an_object_or_a_list()
    yield vocabulary.landing_is_known()


def _of_every_row(columns: Sequence[str]) -> Iterator[Expectation]:
    yield vocabulary.columns_present(columns)
    yield vocabulary.payload_hash_present()
    yield vocabulary.record_id_present()
    yield vocabulary.extracted_at_present()


def _since_build(newest: int) -> str:
    """True of rows extracted since the newest build (1), or since the one before it (2); of all rows without one."""
    return (
        "extracted_at is null or extracted_at >= coalesce((select known_at from raw_audiences.builds "
        f"order by known_at desc limit 1 offset {newest - 1}), '-infinity'::timestamptz)"
    )
