"""Milvus Lite: a file, searched by a server of its own in the background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient
from vector_data import Range, VectorSet

_BATCH = 5000


class Milvus:
    """A graph with its defaults."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """Rows in batches, then flushed."""
        client = MilvusClient(str(folder / "milvus.db"))
        if client.has_collection("w"):
            client.drop_collection("w")
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=data.vectors.shape[1])
        for name in data.attributes:
            schema.add_field(name, DataType.DOUBLE)
        index = client.prepare_index_params()
        parameters = {"M": 16, "efConstruction": 100}
        index.add_index("vector", index_type="HNSW", metric_type="IP", params=parameters)
        client.create_collection("w", schema=schema, index_params=index)
        values = {name: data.of_windows(name) for name in data.attributes}
        for start in range(0, len(data.vectors), _BATCH):
            rows = data.vectors[start : start + _BATCH]
            client.insert(
                "w",
                [
                    {"id": start + i, "vector": row}
                    | {name: float(each[start + i]) for name, each in values.items()}
                    for i, row in enumerate(rows)
                ],
            )
        client.flush("w")
        client.close()

    def open(self, _data: VectorSet, folder: Path) -> None:
        """Load the collection."""
        self._client = MilvusClient(str(folder / "milvus.db"))
        self._client.load_collection("w")

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """Ids alone."""
        expression = ""
        if wanted is not None:
            name = wanted.attribute
            expression = f"{name} >= {wanted.low!r} and {name} < {wanted.high!r}"
        found = self._client.search("w", data=[query], filter=expression, limit=k)
        return np.array([hit["id"] for hit in found[0]], dtype=np.int64)
