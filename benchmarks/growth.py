"""How the parts of a search, and adding a file, grow from 10,000 to a million windows.

In one process, on the data folders of `store_data.py`: the vector and keyword step together, which
is the filter's mask, both legs and their exact scores, with the question's vector at hand. All
sizes take turns, so that other work on the machine meets them alike.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

import numpy as np
import vector_data
from store_data import Filled, MadeFile, put
from vector_data import Floats

from api.engine import Engine
from api.settings import Settings
from retrieval import keyword
from retrieval.filters import Filter, parse_filter
from retrieval.legs import Legs
from retrieval.light import N_RANKED
from retrieval.plan import plan
from retrieval.view import View

N_FILES = 100  # that the filter leaves, whatever the size
_ROUNDS = 60
_ADDED = 5
_MOST_FEW, _MOST_OPEN = 4, 0.2  # the goals, from the first of these sizes to the second
_GOAL_SPAN = (10_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Grown:
    """Medians of one size, milliseconds."""

    n_windows: int
    filtered_ms: float  # to `N_FILES` files
    open_ms: float
    flat_ms: float  # float32 rows times the vector, numpy: what an index has to beat
    added_ms: float  # committing one more file
    followed_ms: float  # the next search's catching up with it


def measure(
    folders: Sequence[tuple[int, Filled]], questions: Sequence[str], *, keep: Path
) -> list[Grown]:
    """One row a size; kept as JSON."""
    with contextlib.ExitStack() as stack:
        benches = [_Bench(stack.enter_context(_opened(at)), at, n, keep=keep) for n, at in folders]
        for number in range(_ROUNDS):
            for bench in benches:
                bench.search(questions[number % len(questions)], number)
        for number in range(_ADDED):
            for bench in benches:
                bench.add(number)
        grown = [bench.grown() for bench in benches]
    folder = keep / "results"
    folder.mkdir(exist_ok=True)
    path = folder / "growth.json"
    path.write_text(json.dumps([asdict(each) for each in grown], indent=1), "utf-8")
    return grown


def read(path: Path) -> list[Grown]:
    """What `measure` kept."""
    return [Grown(**each) for each in json.loads(path.read_text("utf-8"))]


def _opened(at: Filled) -> Engine:
    return Engine.open(settings=Settings.load(data=at.folder, query_cache=0))


class _Bench:
    """One size."""

    def __init__(self, engine: Engine, at: Filled, n: int, *, keep: Path) -> None:
        self._engine, self._at, self._n = engine, at, n
        self._data = vector_data.load(keep / at.folder.name)
        self._rows: Floats = self._data.vectors
        self._few = parse_filter({"type": "lt", "key": "place", "value": N_FILES})
        self._ms: dict[str, list[float]] = {}

    def search(self, question: str, number: int) -> None:
        """Each kind once; the first rounds warm up."""
        vector = np.asarray(self._data.queries[number % len(self._data.queries)])
        view = self._view()
        kinds: list[tuple[str, Callable[[], object]]] = [
            ("filtered", lambda: _step(view, self._few, question, vector)),
            ("open", lambda: _step(view, None, question, vector)),
        ]
        if number % 6 == 0:  # a million rows take a while
            kinds.append(("flat", lambda: np.argpartition(self._rows @ vector, -10)))
        for name, run in kinds:
            began = time.perf_counter()
            run()
            if number >= 6:  # noqa: PLR2004 - warm
                self._ms.setdefault(name, []).append(1e3 * (time.perf_counter() - began))

    def add(self, number: int) -> None:
        """One more file of ten windows, and out again."""
        file = MadeFile(
            f"added-{time.time_ns()}.md",
            {"random": 0.5, "place": 1},
            [f"Words of window {i} of the added file {number}." for i in range(10)],
            np.asarray(self._data.queries[number * 10 : number * 10 + 10]),
        )
        self._view()
        began = time.perf_counter()
        with self._engine.store.write() as tables:
            file_id = put(tables, self._at.store_id, file)
        committed = time.perf_counter()
        self._view()
        self._ms.setdefault("added", []).append(1e3 * (committed - began))
        self._ms.setdefault("followed", []).append(1e3 * (time.perf_counter() - committed))
        self._engine.delete_file(file_id)

    def grown(self) -> Grown:
        """The medians."""
        names = ("filtered", "open", "flat", "added", "followed")
        return Grown(self._n, *(statistics.median(self._ms[name]) for name in names))

    def _view(self) -> View:
        store_id = self._at.store_id
        with self._engine.store.read() as reader:
            model_id = reader.commits.model_id(store_id)
            return self._engine._indexes.view(reader.commits, store_id, model_id=model_id)  # noqa: SLF001


def _step(view: View, filter: Filter | None, question: str, vector: Floats) -> object:
    """What a search does between its question's vector and its light ranking."""
    allowed = view.allowed(filter)
    todo = plan(n_allowed=sum(each.n_windows for each in allowed), n_total=view.n_windows)
    words = keyword.look_up(view, allowed, question)
    return Legs(view, allowed, todo, words).blended(vector, n=N_RANKED)


def report(grown: Sequence[Grown]) -> str:
    """A table in Markdown with the growth from the first size to the last."""
    names = [
        ("both legs, filtered to 100 files, ms", "filtered_ms"),
        ("both legs, open, ms", "open_ms"),
        ("flat scan with numpy, ms", "flat_ms"),
        ("committing a file, ms", "added_ms"),
        ("the next search's catching up, ms", "followed_ms"),
    ]
    lines = ["| | " + " | ".join(f"{g.n_windows:,} windows" for g in grown) + " | growth |"]
    lines.append("|---" * (len(grown) + 2) + "|")
    for title, name in names:
        values = [float(getattr(each, name)) for each in grown]
        cells = [f"{value:.2f}" for value in values]
        lines.append(f"| {title} | {' | '.join(cells)} | {values[-1] / values[0]:.1f} × |")
    first, last = grown[0], grown[-1]
    few = last.filtered_ms / first.filtered_ms
    share = (last.open_ms / first.open_ms) / (last.flat_ms / first.flat_ms)
    spans = (first.n_windows, last.n_windows) == _GOAL_SPAN
    few_says, share_says = (
        ("met" if good else "missed") if spans else "not judged, as other sizes were measured"
        for good in (few <= _MOST_FEW, share <= _MOST_OPEN)
    )
    lines.append(
        f"\nFiltered to a fixed number of files: {few:.1f} × (goal ≤ {_MOST_FEW} × from 10,000 to"
        f" a million: {few_says}). Open: {share:.2f} of the flat scan's growth (goal ≤"
        f" {_MOST_OPEN}: {share_says})."
    )
    return "\n".join(lines) + "\n"
