"""Pulls platforms into the warehouse's raw tables, one row per version of a record, through dlt as Arrow.

`raw_<platform>.<object>` only ever grows. Where a pull resumes is kept with the rows themselves: dlt writes its state
in the load package that it belongs to, so a cursor moves when, and only when, its rows are in the warehouse. The
working folder is a workbench, emptied after each load: the warehouse alone says how far we are, also when it was
restored from a backup, and no raw data stays behind in files.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from dlt_sources.accounts import Account
from dlt_sources.errors import AudiencesError, Failure, SetAside, StopRun
from dlt_sources.platform import Object, Platform

# dlt reads these where it starts; it must neither call home nor write to the terminal.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed

log = logging.getLogger(__name__)

#: Pages are joined until a batch has this many rows or bytes: large enough for Arrow, small enough for the memory.
BATCH_ROWS, BATCH_BYTES = 5_000, 16 * 2**20

_TIME = pa.timestamp("us", tz="UTC")
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("account", pa.string()),
    ("record_id", pa.string()),
    ("updated_at", _TIME),
    ("extracted_at", _TIME),
    ("payload", pa.string()),
    ("payload_hash", pa.string()),
]
RAW_SCHEMA = pa.schema(_COLUMNS)
_RFC_2822 = "%a, %d %b %Y %H:%M:%S +0000"

Progress = Callable[[Account, Object, int], None]


@dataclass(slots=True)
class Pulled:
    """What one pull brought for one object of one account.

    `contacted_at` is None unless the source answered to the end; then `error` says why, and the next pull starts
    where this one did. `note` says what is no fault and yet worth knowing: an optional object that the plan lacks.
    """

    platform: str
    account: str
    object: str
    rows: int = 0
    pages: int = 0
    seconds: float = 0.0
    contacted_at: datetime | None = None
    error: str | None = None
    note: str = ""


def pull(
    platform: Platform,
    accounts: Sequence[Account],
    *,
    warehouse: Path,
    working_folder: Path,
    objects: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> list[Pulled]:
    """Pull what changed in `objects` (all, if None) of the platform's accounts; open the warehouse only while at it.

    An object that fails lands what it brought so far and keeps its cursor; the others are not touched by it. Raises
    AudiencesError when the warehouse takes no rows; then no cursor moves.
    """
    wanted = [obj for obj in platform.objects if objects is None or obj.name in objects]
    tasks = [_Task(platform, account, obj, progress) for account in accounts for obj in wanted]
    if tasks:
        _load(f"pull_{platform.name}", platform.name, _source(platform, tasks), warehouse, working_folder)
    return [task.pulled for task in tasks]


def land(
    platform_name: str,
    table: str,
    rows: pa.Table | Iterable[pa.Table | pa.RecordBatch],
    *,
    warehouse: Path,
    working_folder: Path,
) -> int:
    """Append Arrow rows to `raw_<platform_name>.<table>`, all or nothing; return how many there were.

    A string column named `payload` becomes JSON. Calling it again after an error may repeat rows, never lose them.
    """
    batches = [rows] if isinstance(rows, pa.Table) else rows
    tables = [pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch for batch in batches]
    tables = [batch for batch in tables if batch.num_rows]
    if tables:
        name = f"land_{platform_name}_{table}"
        _load(name, platform_name, _resource(lambda: tables, table, table), warehouse, working_folder)
    return sum(batch.num_rows for batch in tables)


@dataclass
class _Task:
    """One object of one account: fetches, makes batches, and moves its cursor."""

    platform: Platform
    account: Account
    obj: Object
    progress: Progress | None
    pulled: Pulled = field(init=False)

    def __post_init__(self) -> None:
        self.pulled = Pulled(self.platform.name, self.account.name, self.obj.name)

    @property
    def name(self) -> str:
        return f"{self.account.name}/{self.obj.name}"

    def batches(self) -> Iterator[pa.Table]:
        """Yield what the source brings; on failure note why, and leave the cursor where it was."""
        started, began = datetime.now(UTC), time.perf_counter()
        state = dlt.current.resource_state(self.name)
        cursor = datetime.fromisoformat(state["cursor"]) if "cursor" in state else None
        newest = cursor
        try:
            for batch in self._batches(cursor - self.obj.overlap if cursor else None):
                yield batch
                latest: datetime | None = pc.max(batch["updated_at"]).as_py()
                newest = max((time_ for time_ in (newest, latest) if time_), default=None)
            if newest and self.obj.updated:
                # A time in the future (a wrong clock, a planned event) must not hide what comes before it.
                state["cursor"] = min(newest, started).isoformat()
            self.pulled.contacted_at = datetime.now(UTC)
        except AudiencesError as error:
            if self.obj.optional and isinstance(error, StopRun) and error.failure.status == 403:
                self.pulled.note = f"Left out, the rest goes on: {error}"
                self.pulled.contacted_at = datetime.now(UTC)
            else:
                self.pulled.error = str(error)
        except Exception as error:
            # The others go on. Only the place is told: the text of an unforeseen error may hold personal data.
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.pulled.error = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
            log.warning("%s (%s), %s: %s", self.platform.name, self.account.name, self.obj.name, self.pulled.error)
        self.pulled.seconds = time.perf_counter() - began

    def _batches(self, since: datetime | None) -> Iterator[pa.Table]:
        rows: list[Mapping[str, Any]] = []
        payloads: list[bytes] = []
        size, failure = 0, None
        try:
            for page in self.platform.source.pages(self.account, self.obj, since):
                self.pulled.pages += 1
                encoded = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in page]
                rows.extend(page)
                payloads.extend(encoded)
                size += sum(map(len, encoded))
                if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
                    yield self._table(rows, payloads)
                    rows, payloads, size = [], [], 0
        except AudiencesError as error:
            failure = error  # the whole pages before it are not thrown away
        if rows:
            yield self._table(rows, payloads)
        if failure:
            raise failure

    def _table(self, rows: Sequence[Mapping[str, Any]], payloads: Sequence[bytes]) -> pa.Table:
        ids = _column(rows, self.obj.key)
        if not all(isinstance(id_, str | int) and id_ != "" for id_ in ids):
            detail = f"a record has no {self.obj.key}"
            failure = Failure(self.platform.name, self.account.name, self.obj.name, 200, detail)
            raise SetAside(failure, "Its page is left out; check the API version.")
        times = _column(rows, self.obj.updated) if self.obj.updated else [None] * len(rows)
        self.pulled.rows += len(rows)
        if self.progress:
            self.progress(self.account, self.obj, self.pulled.rows)
        return pa.table(
            [
                pa.array([self.account.name] * len(rows), pa.string()),
                pa.array([str(id_) for id_ in ids], pa.string()),
                _timestamps(times),
                pa.array([datetime.now(UTC)] * len(rows), _TIME),
                pa.array([payload.decode() for payload in payloads], pa.string()),
                pa.array([hashlib.sha256(payload).hexdigest() for payload in payloads], pa.string()),
            ],
            schema=RAW_SCHEMA,
        )


def _source(platform: Platform, tasks: Sequence[_Task]) -> Any:
    @dlt.source(name=platform.name, section=platform.name)
    def source() -> Iterator[Any]:
        for task in tasks:
            yield _resource(task.batches, task.name, task.obj.name, parallelized=True)

    return source()


def _resource(data: Callable[[], Iterable[pa.Table]], name: str, table: str, *, parallelized: bool = False) -> Any:
    def tables() -> Iterator[pa.Table]:  # dlt wants a generator function of its own, to note things on it
        yield from data()

    return dlt.resource(
        tables,
        name=name,
        table_name=table,
        write_disposition="append",
        columns={"payload": {"data_type": "json"}},
        parallelized=parallelized,
    )


def _load(pipeline_name: str, platform_name: str, data: Any, warehouse: Path, working_folder: Path) -> None:
    def pipeline() -> Any:
        return dlt.pipeline(
            pipeline_name=pipeline_name,
            destination=dlt.destinations.duckdb(str(warehouse)),
            dataset_name=f"raw_{platform_name}",
            pipelines_dir=str(working_folder),
        )

    working_folder.mkdir(parents=True, exist_ok=True)
    try:
        current = pipeline()
        if current.has_pending_data:
            current.run()  # what a crashed run had fetched; with data, dlt would load this and skip the data
        current = current.drop()
        current.run(data, loader_file_format="parquet")
        current.drop()
    except PipelineStepFailed as error:
        raise AudiencesError(_explain(error, warehouse)) from error


def _explain(error: PipelineStepFailed, warehouse: Path) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if "lock" in str(cause).lower():
        return f"{warehouse.name} is open in another process; nothing was pulled. End it, then run this again."
    return f"{warehouse.name} took no rows ({error.step}: {type(cause).__name__}). Mend that, then run this again."


def _column(rows: Sequence[Mapping[str, Any]], path: str) -> list[Any]:
    """The values at a dotted path; None where it leads nowhere."""
    values: list[Any] = list(rows)
    for key in path.split("."):
        values = [value.get(key) if isinstance(value, dict) else None for value in values]
    return values


def _timestamps(values: Sequence[Any]) -> pa.Array[Any]:
    """Times of a source as UTC; null where it gives none that can be read. Both usual forms are read all at once."""
    for read in (_iso_8601, _rfc_2822):
        try:
            return read(pa.array(values, pa.string()))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            continue
    return pa.array([_time(value) for value in values], _TIME)


def _iso_8601(texts: pa.StringArray) -> pa.Array[Any]:
    return texts.cast(_TIME)


def _rfc_2822(texts: pa.StringArray) -> pa.Array[Any]:
    times = pc.strptime(texts, format=_RFC_2822, unit="s")
    if not pc.strftime(times, format=_RFC_2822).equals(texts):  # it takes the 31st of February for the 3rd of March
        raise pa.ArrowInvalid("a time that there is not")
    return times.cast(_TIME)


def _time(value: Any) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            parsed = read(value)
        except (TypeError, ValueError, AttributeError):
            continue
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return None
