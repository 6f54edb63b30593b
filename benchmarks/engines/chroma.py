"""Chroma in the process, on disk: hnswlib beside SQLite, metadata filters."""

from __future__ import annotations

import shutil
from pathlib import Path

import chromadb
import numpy as np
from chromadb.config import Settings
from numpy.typing import NDArray
from vector_data import Range, VectorSet

_BATCH = 5000
_EF_SEARCH = 128


class Chroma:
    """Its defaults, but for the width of the search."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """Ids are the windows' numbers, metadata their file's attributes."""
        shutil.rmtree(folder / "db", ignore_errors=True)
        configuration = {"hnsw": {"space": "ip", "ef_search": _EF_SEARCH}}
        collection = _client(folder).create_collection(
            "windows", configuration=configuration, embedding_function=None
        )
        values = {name: data.of_windows(name) for name in data.attributes}
        for start in range(0, len(data.vectors), _BATCH):
            rows = data.vectors[start : start + _BATCH]
            numbers = range(start, start + len(rows))
            collection.add(
                ids=[str(i) for i in numbers],
                embeddings=rows,
                metadatas=[
                    {name: float(each[i]) for name, each in values.items()} for i in numbers
                ],
            )

    def open(self, _data: VectorSet, folder: Path) -> None:
        """Open the collection."""
        self._collection = _client(folder).get_collection("windows", embedding_function=None)

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """Ids alone."""
        where = None
        if wanted is not None:
            name = wanted.attribute
            bounds = {"$gte": wanted.low}, {"$lt": wanted.high}
            where = {"$and": [{name: bound} for bound in bounds]}
        found = self._collection.query(
            query_embeddings=[query], n_results=k, where=where, include=[]
        )
        return np.array([int(each) for each in found["ids"][0]], dtype=np.int64)


def _client(folder: Path) -> chromadb.ClientAPI:
    return chromadb.PersistentClient(
        str(folder / "db"), settings=Settings(anonymized_telemetry=False)
    )
