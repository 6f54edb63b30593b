"""Engines that vectors are searched with: one file each, `ENGINES` names them all.

Each runs in a process of its own (`worker.py`), so that none meets another's threads or memory,
and ours need not share an environment with theirs. What is built stays in a folder.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from vector_data import Range, VectorSet


class Engine(Protocol):
    """One engine over one set of vectors."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """Index everything, as a user would, into an empty folder."""

    def open(self, data: VectorSet, folder: Path) -> None:
        """Make ready to search what was built there."""

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """Numbers of the k nearest windows whose file passes, in any order; this is timed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An engine's place: `module:class`, and how it takes part."""

    where: str
    packages: tuple[str, ...] = ()  # distributions whose versions are printed
    judged: bool = True  # False: printed for orientation
    ours: bool = False  # runs in the product's environment
    graph: bool = False  # builds a graph; building ours is compared with the fastest of these
    max_vectors: int | None = None  # beyond this, building or searching takes too long here


ENGINES: Mapping[str, Listed] = {
    "sourcebook": Listed("ours:Sourcebook", ("faiss-cpu", "numpy"), judged=False, ours=True),
    "numpy": Listed("brute:Numpy", ("numpy",), judged=False),
    "faiss flat": Listed("faiss_plain:Flat", ("faiss-cpu",), judged=False),
    "faiss hnsw": Listed("faiss_plain:Hnsw", ("faiss-cpu",), judged=False, graph=True),
    "faiss ivf": Listed("faiss_plain:Ivf", ("faiss-cpu",), judged=False),
    "qdrant-edge": Listed("qdrant:Qdrant", ("qdrant-edge-py",), graph=True),
    "hnswlib": Listed("hnsw:HnswLib", ("hnswlib",), graph=True),
    "lancedb": Listed("lance:Lance", ("lancedb",), graph=True),
    "sqlite-vec": Listed("sqlite_vec_apsw:SqliteVec", ("sqlite-vec", "apsw")),
    "chromadb": Listed("chroma:Chroma", ("chromadb",), graph=True),
    "milvus-lite": Listed("milvus:Milvus", ("milvus-lite", "pymilvus"), graph=True),
}


def load(name: str) -> Engine:
    """A new engine of this name.

    Raises:
        ImportError: its package is not installed.
    """
    module, _, kind = ENGINES[name].where.partition(":")
    made: Engine = getattr(importlib.import_module(f"engines.{module}"), kind)()
    return made
