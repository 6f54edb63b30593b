"""Searches beside changing attributes and deleted files: no hit is wrong, no hit is gone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from api.engine import Engine
from api.settings import Settings
from retrieval.errors import StoreBusy
from retrieval.filters import Filter, matches, parse_filter
from retrieval.queries import Query
from retrieval.types import PageRequest

N_FILES = 24
N_STEPS = 240
N_SEARCHERS = 3
WORDS = ("gear", "wheel", "spring", "dial", "pendulum", "anchor", "chain", "weight")
FILTERS = [
    {"type": "eq", "key": "state", "value": "open"},
    {"type": "ne", "key": "state", "value": "open"},
    {
        "type": "or",
        "filters": [
            {"type": "gte", "key": "step", "value": 60},
            {"type": "in", "key": "state", "value": ["closed", "lost"]},
        ],
    },
    None,
]


@dataclass
class History:
    """What was true of each file and when; times leave room for what they cannot know."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    # By file: since when it may have been true, until when, and the attributes.
    states: dict[str, list[tuple[float, float, Mapping[str, Any]]]] = field(default_factory=dict)

    @contextmanager
    def changing(self, file_id: str, attributes: Mapping[str, Any] | None) -> Iterator[None]:
        """While the file is given other attributes, or is deleted (None), both states may hold."""
        with self.lock:
            known = self.states.setdefault(file_id, [])
            n_before = len(known)
            if attributes is not None:
                known.append((time.monotonic(), float("inf"), attributes))
        yield
        with self.lock:
            for i, (since, end, before) in enumerate(known[:n_before]):
                known[i] = (since, min(end, time.monotonic()), before)

    def held(self, file_id: str, *, since: float, until: float) -> list[Mapping[str, Any]]:
        """Every state that the file may have been in at some moment between the two."""
        with self.lock:
            return [a for start, end, a in self.states[file_id] if start <= until and end >= since]


def wrong_hits(
    engine: Engine, store_id: str, history: History, node: Filter | None, rng: random.Random
) -> list[str]:
    """Search once; what is wrong with the hits."""
    began = time.monotonic()
    query = Query(texts=(" ".join(rng.sample(WORDS, 3)),), filter=node, limit=50)
    hits = engine.search([store_id], query).hits
    ended = time.monotonic()
    found = []
    for hit in hits:
        held = history.held(hit.file_id, since=began, until=ended)
        if dict(hit.attributes) not in [dict(each) for each in held]:
            found.append(f"{hit.file_id} with {hit.attributes}, but it had {held}")
        seen = {"filename": hit.filename, "file_id": hit.file_id}
        if not matches(node, hit.attributes, **seen):
            found.append(f"{hit.file_id} with {hit.attributes} does not pass {node}")
    return found


@pytest.fixture
def filled(tmp_path: Path) -> Any:
    with Engine.open(settings=Settings(data=tmp_path / "data", embedder="hash")) as engine:
        folder = tmp_path / "files"
        folder.mkdir()
        for n in range(N_FILES):
            text = " ".join(f"The {word} of clock {n} moves." for word in WORDS for _ in range(6))
            (folder / f"clock-{n}.txt").write_text(text)
        engine.add(folder, store="clocks")
        yield engine, engine.resolve_store("clocks").id


def test_no_hit_is_wrong_or_deleted_while_files_change(filled: tuple[Engine, str]) -> None:
    engine, store_id = filled
    rng, history = random.Random(4), History()
    files = [hit.file_id for hit in _all_files(engine, store_id)]
    assert len(files) == N_FILES
    for file_id in files:
        state = {"state": rng.choice(("open", "closed")), "step": 0}
        with history.changing(file_id, state):
            engine.update_attributes(store_id, file_id, state)
    nodes = [parse_filter(each) if each else None for each in FILTERS]
    stop, wrong, n_searches = threading.Event(), [], [0] * N_SEARCHERS

    def search(number: int) -> None:
        own = random.Random(number)
        while not stop.is_set() and not wrong:
            try:
                wrong.extend(wrong_hits(engine, store_id, history, own.choice(nodes), own))
                n_searches[number] += 1
            except StoreBusy:
                continue

    searchers = [threading.Thread(target=search, args=(n,)) for n in range(N_SEARCHERS)]
    for thread in searchers:
        thread.start()
    for step in range(N_STEPS):
        _change(engine, store_id, history, files, step=step, rng=rng)
    stop.set()
    for thread in searchers:
        thread.join()
    assert not wrong, wrong[:3]
    assert min(n_searches) > 0
    left = {
        hit.file_id for hit in engine.search([store_id], Query(texts=("gear",), limit=50)).hits
    }
    assert left == set(files)


def _change(
    engine: Engine,
    store_id: str,
    history: History,
    files: list[str],
    *,
    step: int,
    rng: random.Random,
) -> None:
    """Another state for one file; now and then one file less."""
    if step % 12 == 0 and len(files) > 4:
        gone = files.pop(rng.randrange(len(files)))
        with history.changing(gone, None):
            engine.detach(store_id, gone)
        return
    file_id = rng.choice(files)
    state = {"state": rng.choice(("open", "closed", "lost")), "step": step}
    with history.changing(file_id, state):
        engine.update_attributes(store_id, file_id, state)


def _all_files(engine: Engine, store_id: str) -> Any:
    return engine.attachments(store_id, PageRequest(limit=100)).items


def test_the_checker_sees_a_stale_hit() -> None:
    history = History()
    with history.changing("f", {"state": "open"}):
        pass
    began = time.monotonic()
    with history.changing("f", {"state": "closed"}):
        assert len(history.held("f", since=began, until=time.monotonic())) == 2
    later = time.monotonic() + 1
    assert history.held("f", since=later, until=later + 1) == [{"state": "closed"}]
    assert {"state": "open"} in history.held("f", since=began, until=later)
    with history.changing("f", None):
        pass
    assert history.held("f", since=later, until=later + 1) == []
