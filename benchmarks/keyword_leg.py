"""The keyword leg beside tantivy, bm25s and SQLite FTS5: time and building, open and filtered.

    python benchmarks/keyword_leg.py --sets FOLDER --keep FOLDER [--sizes 10000 100000] [--json PATH]

Texts are windows made of those of the public judged sets in FOLDER, queries are the sets' own
questions. All engines index and are asked for the same terms, analysed beforehand, so that what is
compared is the look-up. A filter allows files in random order; each engine applies it in the way
that its users have. Engines that are not installed are named. All answer a query before any of them
answers the next, and medians are given.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

import numpy as np
from store_data import made_text, texts_and_questions

from retrieval import keyword
from retrieval.analysis import query_terms, terms
from retrieval.filters import Comparison
from retrieval.homes import FOLD_MAX_WINDOWS
from retrieval.roster import Roster
from retrieval.segment import Segment
from retrieval.types import FileChange, FileContent
from retrieval.view import LiveSegment, View

K = 50
SHARES = (1.0, 0.1, 0.01)
_SEED = 7
_FILE_WINDOWS = 10
_BUILD_FILES = 1638  # some 16,000 windows, as the index builds them
_SLOW_S, _N_SLOW = 0.05, 20  # engines that take longer for one query answer fewer
Ids = Sequence[int]  # of windows, best first


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Windows, the files that they are of, and questions."""

    texts: Sequence[str]
    terms: Sequence[Sequence[str]]  # of each window
    place: np.ndarray  # (n_files,) of each file in a random order
    questions: Sequence[Sequence[str]]  # terms of each

    @property
    def place_of_window(self) -> np.ndarray:
        """(n_windows,) where its file stands."""
        return np.repeat(self.place, _FILE_WINDOWS)[: len(self.texts)]

    def below(self, share: float) -> int:
        """Files whose place is below this are that share of all."""
        return round(share * len(self.place))


def corpus(sets: Path, keep: Path, *, n: int, n_questions: int) -> Corpus:
    """`n` windows in files of ten."""
    rng = random.Random(_SEED)  # noqa: S311 - texts
    texts, questions = texts_and_questions(keep, sets)
    made = [made_text(rng, texts, i) for i in range(n)]
    place = np.random.default_rng(_SEED).permutation(-(-n // _FILE_WINDOWS))
    asked = [query_terms(question) for question in rng.sample(questions, n_questions)]
    return Corpus(made, [terms(text) for text in made], place, asked)


class Ours:
    """`retrieval.keyword` over segments that are mapped from files, as after a restart."""

    name = "Sourcebook"

    def __init__(self, data: Corpus, folder: Path, *, chunk_windows: int = 1) -> None:
        self._roster = Roster()
        files = [_file(data, i, chunk_windows) for i in range(len(data.place))]
        parts = [
            Segment.build(files[i : i + _BUILD_FILES]) for i in range(0, len(files), _BUILD_FILES)
        ]
        n_each = max(1, FOLD_MAX_WINDOWS // (_BUILD_FILES * _FILE_WINDOWS))
        live, rows = [], iter([self._roster.add(change) for change, _ in files])
        self.bytes_a_window = 0.0
        for i in range(0, len(parts), n_each):
            merged = Segment.merge(
                [(part, np.ones(len(part.file_n), dtype=bool)) for part in parts[i : i + n_each]]
            )
            segment = Segment.open(folder / merged.save(folder))
            live.append(LiveSegment(segment, np.array([next(rows) for _ in segment.file_n])))
            self.bytes_a_window += _index_bytes(segment) / len(data.texts)
        self._view = View(seq=1, segments=live, roster=self._roster)

    def search(self, wanted: Sequence[str], below: int | None) -> Ids:
        """The best windows for some terms."""
        node = None if below is None else Comparison("lt", "place", float(below))
        words = keyword.look_up_terms(self._view, self._view.allowed(node), wanted)
        chunks, _ = words.top(K)
        scores = words.at(chunks)
        return [int(i) for i in chunks[np.lexsort((chunks, -scores))]]


class OursInChunks(Ours):
    """The same as it is used: chunks of four windows, two of them shared with the next."""

    name = "Sourcebook, overlapping chunks"

    def __init__(self, data: Corpus, folder: Path) -> None:
        super().__init__(data, folder, chunk_windows=4)


class Tantivy:
    """tantivy with a range over a fast field as its filter."""

    name = "tantivy"

    def __init__(self, data: Corpus, folder: Path) -> None:
        self._tantivy = importlib.import_module("tantivy")
        builder = self._tantivy.SchemaBuilder()
        builder.add_text_field("text", stored=False, tokenizer_name="whitespace")
        builder.add_unsigned_field("id", stored=True)
        builder.add_unsigned_field("place", indexed=True, fast=True)
        folder.mkdir()
        self._schema = builder.build()
        self._index = self._tantivy.Index(self._schema, path=str(folder))
        split = self._tantivy.TextAnalyzerBuilder(self._tantivy.Tokenizer.whitespace()).build()
        self._index.register_tokenizer("whitespace", split)
        writer = self._index.writer(num_threads=1)
        for i, (found, place) in enumerate(zip(data.terms, data.place_of_window, strict=True)):
            document = self._tantivy.Document()
            document.add_text("text", " ".join(found))
            document.add_unsigned("id", i)
            document.add_unsigned("place", int(place))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()

    def search(self, wanted: Sequence[str], below: int | None) -> Ids:
        """The best windows for some terms."""
        query, occur = self._tantivy.Query, self._tantivy.Occur
        any_of = query.boolean_query(
            [(occur.Should, query.term_query(self._schema, "text", term)) for term in wanted]
        )
        if below is not None:
            kind = self._tantivy.FieldType.Unsigned
            allowed = query.range_query(
                self._schema, "place", kind, 0, below, include_lower=True, include_upper=False
            )
            allowed = query.const_score_query(allowed, 0.0)
            any_of = query.boolean_query([(occur.Must, any_of), (occur.Must, allowed)])
        searcher = self._index.searcher()
        return [searcher.doc(at)["id"][0] for _, at in searcher.search(any_of, K).hits]


class Bm25s:
    """bm25s, whose filter is a weight for each window."""

    name = "bm25s"

    def __init__(self, data: Corpus, folder: Path) -> None:  # noqa: ARG002 - it is in memory
        self._engine = importlib.import_module("bm25s").BM25(method="lucene", k1=1.2, b=0.75)
        self._engine.index([list(each) for each in data.terms], show_progress=False)
        self._place = data.place_of_window

    def search(self, wanted: Sequence[str], below: int | None) -> Ids:
        """The best windows for some terms."""
        mask = None if below is None else (self._place < below).astype(np.float32)
        found, scores = self._engine.retrieve(
            [list(wanted)], k=K, show_progress=False, weight_mask=mask, n_threads=0
        )
        return [int(i) for i, score in zip(found[0], scores[0], strict=True) if score > 0]


class Fts5:
    """SQLite's own, with a table of allowed rows as its filter."""

    name = "SQLite FTS5"

    def __init__(self, data: Corpus, folder: Path) -> None:
        folder.mkdir()
        self._db = sqlite3.connect(folder / "fts.sqlite")
        self._db.execute("CREATE VIRTUAL TABLE windows USING fts5(text, content='')")
        self._db.execute("CREATE TABLE places (id INTEGER PRIMARY KEY, place INTEGER)")
        self._db.execute("CREATE INDEX by_place ON places (place, id)")
        numbered = ((i, " ".join(found)) for i, found in enumerate(data.terms))
        self._db.executemany("INSERT INTO windows (rowid, text) VALUES (?, ?)", numbered)
        places = ((i, int(place)) for i, place in enumerate(data.place_of_window))
        self._db.executemany("INSERT INTO places VALUES (?, ?)", places)
        self._db.execute("INSERT INTO windows (windows) VALUES ('optimize')")
        self._db.commit()

    def search(self, wanted: Sequence[str], below: int | None) -> Ids:
        """The best windows for some terms."""
        query = " OR ".join('"{}"'.format(term.replace('"', '""')) for term in wanted)
        only = "" if below is None else "AND rowid IN (SELECT id FROM places WHERE place < ?)"
        rows = self._db.execute(
            f"SELECT rowid FROM windows WHERE windows MATCH ? {only} ORDER BY rank LIMIT {K}",  # noqa: S608
            (query,) if below is None else (query, below),
        )
        return [row[0] for row in rows]


ENGINES: Sequence[Callable[[Corpus, Path], Any]] = (Ours, OursInChunks, Tantivy, Bm25s, Fts5)


@dataclass(frozen=True, slots=True)
class Cell:
    """One engine on one size at one selectivity."""

    engine: str
    n_windows: int
    share: float  # of files that are allowed
    ms: float  # median
    p95_ms: float
    n_queries: int
    same: float | None  # share of the first ten in common with ours; None of other units
    build_s: float


def measured(data: Corpus, folder: Path) -> tuple[list[Cell], list[str], float]:
    """All engines on one corpus; which are absent; bytes a window of our index."""
    engines, absent = [], []
    for i, make in enumerate(ENGINES):
        began = time.perf_counter()
        try:
            engine = make(data, folder / str(i))
        except ImportError as error:
            absent.append(f"{getattr(make, 'name', make)}: {error}")
            continue
        engines.append((engine, time.perf_counter() - began))
    cells = [cell for share in SHARES for cell in _cells(data, engines, share)]
    in_chunks = next(engine for engine, _ in engines if isinstance(engine, OursInChunks))
    return cells, absent, in_chunks.bytes_a_window


def _cells(data: Corpus, engines: Sequence[tuple[Any, float]], share: float) -> list[Cell]:
    below = None if share == 1.0 else data.below(share)
    seconds: list[list[float]] = [[] for _ in engines]
    same: list[list[float]] = [[] for _ in engines]
    for question in data.questions:
        ours: set[int] = set()
        for i, (engine, _) in enumerate(engines):
            if len(seconds[i]) >= _N_SLOW and statistics.median(seconds[i]) > _SLOW_S:
                continue
            began = time.perf_counter()
            found = engine.search(question, below)
            seconds[i].append(time.perf_counter() - began)
            ours = ours if i else set(found[:10])
            same[i].append(len(ours & set(found[:10])) / max(1, len(ours)))
    return [
        Cell(
            engine=engine.name,
            n_windows=len(data.texts),
            share=share,
            ms=1000 * statistics.median(took),
            p95_ms=1000 * float(np.quantile(took, 0.95)),
            n_queries=len(took),
            same=None if isinstance(engine, OursInChunks) else statistics.mean(alike),
            build_s=build_s,
        )
        for (engine, build_s), took, alike in zip(engines, seconds, same, strict=True)
    ]


def _file(data: Corpus, number: int, chunk_windows: int) -> tuple[FileChange, FileContent]:
    texts = data.texts[number * _FILE_WINDOWS : (number + 1) * _FILE_WINDOWS]
    step = max(1, chunk_windows // 2)
    starts = np.arange(0, max(1, len(texts) - chunk_windows + 1), step, dtype=np.int32)
    sizes = np.minimum(chunk_windows, len(texts) - starts).astype(np.int32)
    attributes = {"place": int(data.place[number])}
    change = FileChange(1, number, f"file-{number}", f"{number}.md", attributes, 1, deleted=False)
    return change, FileContent(
        texts=texts,
        vectors=np.zeros((len(texts), 1), dtype=np.float32),
        chunk_first_window=starts,
        chunk_n_windows=sizes,
    )


def _index_bytes(segment: Segment) -> int:
    """Of everything but vectors and the bits of pairs, which are read for a few windows only."""
    arrays = segment.arrays().items()
    return sum(array.nbytes for name, array in arrays if name not in ("vectors", "pairs"))


def _versions() -> dict[str, str]:
    found = {"SQLite": sqlite3.sqlite_version, "Python": platform.python_version()}
    for name in ("tantivy", "bm25s", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _print(cells: Sequence[Cell]) -> None:
    shares = "".join(f" {share:.0%} allowed, ms |" for share in SHARES)
    print(f"\n| windows | engine |{shares} same first ten | built, s |")
    print("|" + "---|" * (4 + len(SHARES)))
    for n, engine in dict.fromkeys((cell.n_windows, cell.engine) for cell in cells):
        own = [cell for cell in cells if (cell.n_windows, cell.engine) == (n, engine)]
        times = "".join(f" {cell.ms:.2f} (p95 {cell.p95_ms:.1f}) |" for cell in own)
        same = "–" if own[0].same is None else f"{own[0].same:.2f}"
        print(f"| {n:,} | {engine} |{times} {same} | {own[0].build_s:.0f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=Path, required=True, help="folder of the judged sets")
    parser.add_argument("--keep", type=Path, required=True, help="folder for what is made of them")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    cells: list[Cell] = []
    sizes: dict[str, float] = {}
    absent: list[str] = []
    for n in options.sizes:
        data = corpus(options.sets, options.keep, n=n, n_questions=options.queries)
        with tempfile.TemporaryDirectory() as scratch:
            found, absent, n_bytes = measured(data, Path(scratch))
        cells += found
        sizes[str(n)] = n_bytes
        print(f"{n:,} windows: {n_bytes:.0f} bytes a window of postings and borders", flush=True)
    for line in absent:
        print(f"absent: {line}")
    _print(cells)
    if options.json:
        about = {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
        result = {
            "command": " ".join(["python", *sys.argv]),
            "machine": about,
            "versions": _versions(),
            "absent": absent,
            "bytes_a_window": sizes,
            "cells": [asdict(cell) for cell in cells],
        }
        options.json.write_text(json.dumps(result, indent=1), "utf-8")


if __name__ == "__main__":
    main()
