"""A program of its own: runs one query on a SQLite file and writes the answer to stdout as an Arrow stream.

ADBC brings its own copy of SQLite. Two copies in one process drop each other's file locks and damage the file, so this
never runs inside a process that opens the state; it imports nothing of ours to start at once.
"""

from __future__ import annotations

import sys
from io import IOBase
from typing import cast

import pyarrow as pa
from adbc_driver_sqlite import dbapi


def main(file: str, query: str) -> None:
    """Stream the rows of `query`; columns of an empty answer carry no meaningful types."""
    with dbapi.connect(file) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        reader = cursor.fetch_record_batch()
        with pa.ipc.new_stream(pa.PythonFile(cast("IOBase", sys.stdout.buffer), "w"), reader.schema) as stream:
            for batch in reader:
                stream.write_batch(batch)


if __name__ == "__main__":
    main(*sys.argv[1:])
