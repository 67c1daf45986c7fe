"""Arrow columns and numpy: the few steps between them that every module here takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

#: An Arrow array; the stubs of pyarrow know the pc and the results of most of them too narrowly.
Column = Any
Integers = NDArray[np.int64]
Truths = NDArray[np.bool_]
pc: Any = pyarrow.compute


def whole(values: Column) -> Column:
    """One array, whatever its chunks."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def column(values: Any, kind: pa.DataType | None = None) -> Column:
    """An array of Python or numpy values."""
    return pa.array(values, kind)


def texts(values: Any) -> Column:
    """An array of texts, of a column or of Python values."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return whole(values).cast(pa.string())
    return pa.array(values, pa.string())


def lists_of(values: Column, sizes: Any) -> Column:
    """One list per size, of that many of the values."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(column(offsets), values)


def integers(values: Column) -> Integers:
    """A column without nulls, as numbers."""
    return np.asarray(whole(values).to_numpy(zero_copy_only=False), dtype=np.int64)


def truths(values: Column) -> Truths:
    """A column of truths, null being none."""
    return np.array(pc.fill_null(whole(values), False).to_numpy(zero_copy_only=False), dtype=bool)


def schema(**kinds: pa.DataType) -> pa.Schema:
    """A schema of named columns."""
    return pa.schema([pa.field(name, kind) for name, kind in kinds.items()])
