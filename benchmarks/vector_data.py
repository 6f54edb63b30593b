"""Vectors, files, attributes and queries that engines are compared on.

Real ones: every window of the public judged sets, embedded by the product's default model. Larger
sets are made of them with a fixed seed. Each file stands around one real window; each of its
windows is a mix of a real window near there and a neighbour of that one, with noise that has the
covariance of what tells a real window from its neighbourhood, so spectrum and density stay. How
near that comes is printed beside the real figures by `statistics_of`.

Files' windows stand next to each other. Filters are ranges of one attribute: `random` puts files in
random order, `near0` and so on in the order of their distance from a group of the queries, so
that `near0 < 0.01` is the hundredth of all windows that lies nearest to what is asked for, and
`near0 >= 0.99` the one furthest away.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

Floats = NDArray[np.float32]

SETS = ("cranfield", "cisi", "nfcorpus", "xquad", "financebench")
SEED = 7
N_GROUPS = 3  # of queries; each has an attribute that says how near a file is to them
MEAN_FILE_WINDOWS = 10  # of a made file
SHARES = (0.0001, 0.001, 0.01, 0.1, 0.5, 1.0)
_N_NEIGHBOURS = 16
# At this scale a sample of made vectors, as many as there are real ones, has the real ones'
# median similarity to the nearest neighbour; `statistics_of` shows it.
_NOISE = 0.87
_BLOCK = 20_000  # rows made at a time
_MAX_QUERIES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class VectorSet:
    """n vectors in n_f files, and what is asked of them."""

    name: str
    vectors: Floats  # (n, dim) unit rows, mapped from a file
    file_n_windows: NDArray[np.int64]  # (n_f,)
    attributes: Mapping[str, NDArray[np.float64]]  # of files, each (n_f,) within 0 and 1
    queries: Floats  # (n_q, dim) unit rows: the judged sets' real questions
    group: NDArray[np.int64]  # (n_q,) which of the groups each query is of

    @property
    def file_of_window(self) -> NDArray[np.int64]:
        """The file of each window: (n,)."""
        return np.repeat(np.arange(len(self.file_n_windows)), self.file_n_windows)

    def of_windows(self, attribute: str) -> NDArray[np.float64]:
        """An attribute window by window: (n,)."""
        return np.repeat(self.attributes[attribute], self.file_n_windows)


@dataclass(frozen=True, slots=True)
class Range:
    """A filter: files whose `attribute` is at least `low` and less than `high`."""

    attribute: str
    low: float
    high: float

    def keeps(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the attribute's values pass."""
        kept: NDArray[np.bool_] = (values >= self.low) & (values < self.high)
        return kept


def filter_for(kind: str, share: float, *, group: int) -> Range | None:
    """What leaves about `share` of all windows to a query of `group`; None leaves all.

    Args:
        kind: `random` by file, `near` the query's group, or `far` from it.
        share: above 0, at most 1.
        group: of the query.
    """
    if share == 1:
        return None
    if kind == "random":
        return Range("random", 0.0, share)
    return (
        Range(f"near{group}", 0.0, share)
        if kind == "near"
        else Range(f"near{group}", 1 - share, 2.0)
    )


def load(folder: Path) -> VectorSet:
    """A set that `make` or `make_real` wrote, its vectors mapped."""
    with np.load(folder / "files.npz") as files:
        attributes = {name: files[name] for name in files.files if name != "n_windows"}
        n_windows = files["n_windows"]
    return VectorSet(
        folder.name,
        np.load(folder / "vectors.npy", mmap_mode="r"),
        n_windows,
        attributes,
        np.load(folder / "queries.npy"),
        np.load(folder / "groups.npy"),
    )


def make_real(keep: Path, *, sets: Path) -> VectorSet:
    """All windows of the judged sets, as `keep/real`; made once.

    Raises:
        SystemExit: the sets are not there.
    """
    folder = keep / "real"
    if (folder / "vectors.npy").exists():
        return load(folder)
    missing = [name for name in SETS if not (sets / name / "corpus.jsonl").exists()]
    if missing:
        raise SystemExit(
            f"The judged sets {', '.join(missing)} are not in {sets}. Their embeddings are what"
            " engines are compared on; give the folder that holds them with --sets."
        )
    os.environ.setdefault("SOURCEBOOK_JUDGED_VECTORS", str(keep))
    from api.settings import Settings  # noqa: PLC0415
    from retrieval.embedder import DEFAULT_MODEL, load_embedder  # noqa: PLC0415
    from tests.quality.judged_sets import load as load_judged  # noqa: PLC0415

    embedder = load_embedder(DEFAULT_MODEL, cache=Settings.load().cache)
    judged = [load_judged(sets / name, embedder=embedder) for name in SETS]
    documents = [rows for each in judged for rows in each.vectors if len(rows)]
    asked = np.stack([row for each in judged for row in each.query_vectors.values()])
    order = np.random.default_rng(SEED).permutation(len(asked))[:_MAX_QUERIES]
    n_windows = np.array([len(rows) for rows in documents])
    _write(folder, np.concatenate(documents), n_windows, asked[order].astype(np.float32))
    return load(folder)


def make(keep: Path, n: int, *, real: VectorSet) -> VectorSet:
    """`n` vectors made of the real ones, as `keep/made-N`; made once."""
    folder = keep / f"made-{n}"
    if (folder / "vectors.npy").exists():
        return load(folder)
    rng = np.random.default_rng([SEED, n])
    n_windows = _file_sizes(rng, n)
    anchors = np.repeat(rng.integers(len(real.vectors), size=len(n_windows)), n_windows)
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.lib.format.open_memmap(
        folder / "vectors.part.npy", mode="w+", dtype=np.float32, shape=(n, real.vectors.shape[1])
    )
    maker = _Maker.of(real.vectors)
    for start in range(0, n, _BLOCK):
        rows[start : start + _BLOCK] = maker.around(rng, anchors[start : start + _BLOCK])
    rows.flush()
    _write(folder, rows, n_windows, real.queries)
    (folder / "vectors.part.npy").unlink(missing_ok=True)
    return load(folder)


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    real: Floats
    neighbours: NDArray[np.int64]  # (n, _N_NEIGHBOURS) nearest real windows, itself not among them
    root: Floats  # (dim, dim): noise @ root has the covariance of local residuals

    @classmethod
    def of(cls, real: Floats) -> _Maker:
        rows = np.asarray(real)
        neighbours = nearest(rows, rows, k=_N_NEIGHBOURS + 1)[0][:, 1:]
        residuals = rows - rows[neighbours].mean(axis=1)
        values, axes = np.linalg.eigh(np.cov(residuals, rowvar=False))
        root = (axes * np.sqrt(np.maximum(values, 0))).T.astype(np.float32)
        return cls(rows, neighbours, root)

    def around(self, rng: np.random.Generator, anchors: NDArray[np.int64]) -> Floats:
        """One made vector near each of the real windows `anchors`: (n, dim), unit."""
        n = len(anchors)
        near = self._step(rng, anchors)
        share = rng.uniform(0.5, 1.0, size=(n, 1)).astype(np.float32)
        mixed = share * self.real[near] + (1 - share) * self.real[self._step(rng, near)]
        noise = rng.standard_normal((n, self.real.shape[1]), dtype=np.float32) @ self.root
        mixed += _NOISE * noise
        return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), dtype=np.float32)

    def _step(self, rng: np.random.Generator, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.neighbours[rows, rng.integers(_N_NEIGHBOURS, size=len(rows))]


def _file_sizes(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Geometric numbers of windows that add up to `n`."""
    sizes = rng.geometric(1 / MEAN_FILE_WINDOWS, size=n)
    ends = np.cumsum(sizes)
    n_files = int(np.searchsorted(ends, n)) + 1
    sizes = sizes[:n_files]
    sizes[-1] -= ends[n_files - 1] - n
    return sizes


def _write(folder: Path, vectors: Floats, n_windows: NDArray[np.int64], queries: Floats) -> None:
    """The vectors last, so that a set that is there is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([SEED, len(vectors), 1])
    centres = _centres(rng, queries)
    groups = np.argmax(queries @ centres.T, axis=1)
    starts = np.cumsum(n_windows) - n_windows
    attributes = {"random": _shares_before(rng.permutation(len(n_windows)), n_windows)}
    likeness = np.empty((len(n_windows), N_GROUPS), dtype=np.float32)
    for group in range(N_GROUPS):
        likeness[:, group] = np.add.reduceat(vectors @ centres[group], starts) / n_windows
        near = np.argsort(-likeness[:, group], kind="stable")
        attributes[f"near{group}"] = _shares_before(near, n_windows)
    np.savez(folder / "files.npz", n_windows=n_windows, **attributes)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "groups.npy", groups)
    np.save(folder / "vectors.tmp.npy", vectors)
    (folder / "vectors.tmp.npy").rename(folder / "vectors.npy")


def _shares_before(order: NDArray[np.int64], n_windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each file the share of all windows that stands before it in `order`."""
    before = np.empty(len(order))
    sizes = n_windows[order]
    before[order] = (np.cumsum(sizes) - sizes) / sizes.sum()
    return before


def _centres(rng: np.random.Generator, rows: Floats) -> Floats:
    """Spherical k-means: (N_GROUPS, dim)."""
    centres = rows[rng.choice(len(rows), N_GROUPS, replace=False)]
    for _ in range(20):
        group = np.argmax(rows @ centres.T, axis=1)
        sums = np.stack([rows[group == g].sum(axis=0) for g in range(N_GROUPS)])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return centres


def nearest(queries: Floats, rows: Floats, *, k: int) -> tuple[NDArray[np.int64], Floats]:
    """The k most similar rows of each query, best first, and their cosines: (n_q, k) each."""
    found = np.empty((len(queries), k), dtype=np.int64)
    sims = np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), 512):
        block = queries[start : start + 512] @ rows.T
        best = np.argpartition(-block, k, axis=1)[:, :k] if k < block.shape[1] else None
        best = np.argsort(-block, axis=1)[:, :k] if best is None else best
        near = np.take_along_axis(block, best, axis=1)
        order = np.argsort(-near, axis=1)
        found[start : start + 512] = np.take_along_axis(best, order, axis=1)
        sims[start : start + 512] = np.take_along_axis(near, order, axis=1)
    return found, sims


def statistics_of(vectors: VectorSet, *, n_sample: int = 20_000) -> dict[str, float]:
    """What says whether made vectors are like real ones, by samples of equal size."""
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.permutation(len(vectors.vectors))[:n_sample])
    rows = np.asarray(vectors.vectors[chosen])
    values = np.linalg.eigvalsh(np.cov(rows, rowvar=False))[::-1]
    shares = np.cumsum(values) / values.sum()
    probes = rows[rng.permutation(len(rows))[:1000]]
    near = nearest(probes, rows, k=11)[1]
    asked = nearest(vectors.queries[:300], rows, k=10)[1]
    return {
        "n": len(vectors.vectors),
        "files": len(vectors.file_n_windows),
        "sampled": len(rows),
        "spectrum: first 10 axes": float(shares[:10][-1]),
        "spectrum: first 50 axes": float(shares[:50][-1]),
        "spectrum: first 150 axes": float(shares[:150][-1]),
        "axes by participation": float(values.sum() ** 2 / (values**2).sum()),
        "cosine of two at random": float(
            (rows[rng.permutation(len(rows))] * rows).sum(axis=1).mean()
        ),
        "nearest neighbour, median": float(np.median(near[:, 1])),
        "10th neighbour, median": float(np.median(near[:, 10])),
        "query's nearest, median": float(np.median(asked[:, 0])),
        "query's 10th, median": float(np.median(asked[:, 9])),
    }


def all_sets(keep: Path, sizes: Sequence[int], *, sets: Path) -> list[VectorSet]:
    """The real set and made ones of these sizes; their statistics are kept beside them."""
    real = make_real(keep, sets=sets)
    every = [real, *(make(keep, n, real=real) for n in sizes)]
    for each in every:
        path = keep / each.name / "statistics.json"
        if not path.exists():
            path.write_text(json.dumps(statistics_of(each), indent=1), "utf-8")
    return every


def statistics(keep: Path, name: str) -> dict[str, float]:
    """Those kept beside a set."""
    found: dict[str, float] = json.loads((keep / name / "statistics.json").read_text("utf-8"))
    return found
