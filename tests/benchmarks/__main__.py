"""`make bench`: run every benchmark, show each figure as it comes, and write all of them as JSON.

`make bench ONLY=plan` runs those whose module's name contains the word.
"""

import sys
from pathlib import Path

import orjson

from orchestration import console
from tests.benchmarks import building, deciding, identifying, planning, pulling, starting

_RESULTS = Path(__file__).parent / "results" / "latest.json"
_MODULES = (starting, pulling, identifying, planning, building, deciding)


def main(only: str = "") -> None:
    rows = []
    for module in _MODULES:
        name = module.__name__.rpartition(".")[2]
        if only not in name:
            continue
        console.err.print(f"{name} ...")
        for row in module.measure():
            console.err.print(f"  {row.name}: {row.value:,} {row.unit}, {row.ratio} of {row.reference:,}")
            rows.append(row)
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_bytes(orjson.dumps([row._asdict() for row in rows], option=orjson.OPT_INDENT_2))
    console.out.print(console.table("Benchmarks", ["name", "value", "unit", "reference", "ratio"], rows))


if __name__ == "__main__":
    main(*sys.argv[1:2])
