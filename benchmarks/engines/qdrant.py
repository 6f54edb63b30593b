"""Qdrant's engine in the process: a graph, indexes of the attributes, and its own planner."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import qdrant_edge as qdrant
from numpy.typing import NDArray
from vector_data import Range, VectorSet

_BATCH = 2000
_EF_SEARCH = 128


class Qdrant:
    """Float vectors, its defaults for the graph."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """Points with their file's attributes, indexes on these, then its optimizer."""
        shutil.rmtree(folder / "shard", ignore_errors=True)
        dim = data.vectors.shape[1]
        config = qdrant.EdgeConfig(
            vectors=qdrant.EdgeVectorParams(size=dim, distance=qdrant.Distance.Dot),
            hnsw_config=qdrant.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000),
            optimizers=qdrant.EdgeOptimizersConfig(default_segment_number=1),
        )
        shard = qdrant.EdgeShard.create(str(folder / "shard"), config)
        values = {name: data.of_windows(name) for name in data.attributes}
        for name in values:
            field = qdrant.UpdateOperation.create_field_index(name, qdrant.PayloadSchemaType.Float)
            shard.update(field)
        for start in range(0, len(data.vectors), _BATCH):
            rows = data.vectors[start : start + _BATCH].tolist()
            points = [
                qdrant.Point(start + i, row, {n: float(v[start + i]) for n, v in values.items()})
                for i, row in enumerate(rows)
            ]
            shard.update(qdrant.UpdateOperation.upsert_points(points))
        while shard.optimize():
            pass
        shard.flush()
        shard.close()

    def open(self, _data: VectorSet, folder: Path) -> None:
        """Map what was built."""
        self._shard = qdrant.EdgeShard.load(str(folder / "shard"))

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """Without payloads and vectors in the reply."""
        condition = None
        if wanted is not None:
            bounds = qdrant.RangeFloat(gte=wanted.low, lt=wanted.high)
            condition = qdrant.Filter(
                must=[qdrant.FieldCondition(key=wanted.attribute, range=bounds)]
            )
        request = qdrant.SearchRequest(
            query=qdrant.Query.Nearest(query.tolist()),
            limit=k,
            filter=condition,
            params=qdrant.SearchParams(hnsw_ef=_EF_SEARCH),
            with_vector=False,
            with_payload=False,
        )
        return np.array([point.id for point in self._shard.search(request)], dtype=np.int64)
