"""Raw to staging: a suite per raw table, built from the objects and topics that the platforms declare.

Only the newest load is judged: the rows extracted since the last build before the table's newest row. What an earlier
build let through was judged then, and a load that failed stays failed until a better one arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
            yield _suite(platform, obj.name, [*_every_row(platform, COLUMNS), *_of_object(obj)])
        if platform.topics:
            expectations = [*_every_row(platform, WEBHOOK_COLUMNS), vocabulary.landing_is_known()]
            yield _suite(platform, "webhooks", expectations)


def _every_row(platform: Platform, columns: tuple[str, ...]) -> Iterator[Expectation]:
    yield vocabulary.columns_present(columns)
    yield vocabulary.payload_is_an_object()
    yield vocabulary.payload_hash_present()
    yield vocabulary.record_id_present()
    yield vocabulary.extracted_at_present()
    yield vocabulary.account_is_configured(platform.name)


def _of_object(obj: Object) -> Iterator[Expectation]:
    yield vocabulary.record_id_is_the_payloads(obj.key)
    yield vocabulary.updated_not_in_the_future()
    if obj.required:
        yield vocabulary.required_paths_present(obj.required)


def _suite(platform: Platform, table: str, expectations: list[Expectation]) -> Suite:
    schema = f"raw_{platform.name}"
    return Suite(
        boundary="raw",
        subject=f"{platform.name}.{table}",
        schema=schema,
        table=table,
        expectations=tuple(expectations),
        rows="extracted_at is null or extracted_at >= coalesce((select max(known_at) from raw_audiences.builds "
        f'where known_at <= (select max(extracted_at) from "{schema}"."{table}")), \'-infinity\'::timestamptz)',
    )
