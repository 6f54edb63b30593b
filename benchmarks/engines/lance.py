"""LanceDB: IVF with a graph over 8-bit codes in each list, indexes of the attributes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from vector_data import Range, VectorSet

_BATCH = 20_000
_MIN_INDEXED = 256  # it trains on no fewer
_REFINE = 10
_EF_SEARCH = 128
_PROBED = 20


class Lance:
    """Rows are filtered before the search, and the best are scored again from the floats."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """Rows in batches, then the indexes."""
        shutil.rmtree(folder / "db", ignore_errors=True)
        dim = data.vectors.shape[1]
        fields = [("id", pa.int64()), ("vector", pa.list_(pa.float32(), dim))]
        schema = pa.schema([*fields, *((name, pa.float64()) for name in data.attributes)])
        reader = pa.RecordBatchReader.from_batches(schema, _batches(data, schema))
        table = lancedb.connect(folder / "db").create_table("w", reader)
        table.create_index(metric="dot", index_type="IVF_HNSW_SQ", vector_column_name="vector")
        for name in data.attributes:
            table.create_scalar_index(name)

    def open(self, _data: VectorSet, folder: Path) -> None:
        """Open the table."""
        self._table = lancedb.connect(folder / "db").open_table("w")

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """Reads the ids alone."""
        search = self._table.search(query).metric("dot").limit(k).select(["id"])
        search = search.nprobes(_PROBED).ef(_EF_SEARCH).refine_factor(_REFINE)
        if wanted is not None:
            name = wanted.attribute
            search = search.where(
                f"{name} >= {wanted.low!r} AND {name} < {wanted.high!r}", prefilter=True
            )
        return np.asarray(search.to_arrow()["id"].to_numpy(), dtype=np.int64)


def _batches(data: VectorSet, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    values = {name: data.of_windows(name) for name in data.attributes}
    for start in range(0, len(data.vectors), _BATCH):
        rows = np.ascontiguousarray(data.vectors[start : start + _BATCH])
        end = start + len(rows)
        columns = [
            pa.array(np.arange(start, end)),
            pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1]),
            *(pa.array(each[start:end]) for each in values.values()),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
