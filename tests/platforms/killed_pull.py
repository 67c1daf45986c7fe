"""Run as a process of its own: pulls 30 customers and kills itself, without any clean-up, at the point it is told."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.pipeline.pipeline import Pipeline

from dlt_sources import pull as pulling
from tests.platforms.fakes import CUSTOMERS, MAIN, Fake, customer


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(home: Path, point: str) -> None:
    def answer(account: Any, obj: Any, since: Any) -> Iterator[Any]:
        for page in range(3):
            if point == "extract" and page == 2:
                die()
            yield [customer(page * 10 + number) for number in range(10)]

    load = DuckDbCopyJob.run

    def run(job: DuckDbCopyJob) -> None:
        if point == "before_load":
            die()
        load(job)
        if point == "after_load" and job.load_table_name == "customers":
            die()  # rows are in, the package is not closed

    DuckDbCopyJob.run = run
    if point == "after_package":
        finish = Pipeline.load

        def load_then_die(pipeline: Any, *arguments: Any, **named: Any) -> None:
            finish(pipeline, *arguments, **named)
            die()

        Pipeline.load = load_then_die
    pulling.BATCH_ROWS = 10
    platform = Fake(answer=answer, objects=(CUSTOMERS,))
    pulling.pull(platform, [MAIN], warehouse=home / "warehouse.duckdb", working_folder=home / "dlt")


main(Path(sys.argv[1]), sys.argv[2])
