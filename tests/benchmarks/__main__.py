"""`make bench`: run every benchmark, print one table, write the same rows as JSON to results/latest.json."""

from pathlib import Path

import orjson

from orchestration import console
from tests.benchmarks import pulling, starting

_RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    rows = [*starting.measure(), *pulling.measure()]
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_bytes(orjson.dumps([row._asdict() for row in rows], option=orjson.OPT_INDENT_2))
    columns = ["name", "value", "unit", "reference", "ratio"]
    console.out.print(console.table("Benchmarks", columns, rows))


if __name__ == "__main__":
    main()
