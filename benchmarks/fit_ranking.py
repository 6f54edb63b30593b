"""Fit the light ranker's weights and the curves of confidence to public judged sets.

    python -m benchmarks.fit_ranking FOLDER --vectors CACHE

FOLDER holds the sets in BEIR layout: cranfield, cisi, nfcorpus (its dev questions for the weights,
its test questions for the curves), xquad (English) and financebench (pages). The curves also take
the questions of `sample_corpus/`, a small store. Printed are the constants of
`retrieval/light.py` and `retrieval/threshold.py`, and what they do to every set, also when that
set is left out of the fit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.batch.manifest import read_manifest
from api.batch.types import Selection
from api.engine import Engine
from api.settings import Settings
from retrieval import keyword, light
from retrieval.calibrate import calibration_error
from retrieval.embedder import DEFAULT_MODEL, Embedder, load_embedder
from retrieval.legs import Legs
from retrieval.phrases import Texts
from retrieval.plan import plan
from retrieval.ranking import reader_of_texts
from retrieval.snapshot import StoreIndex
from retrieval.threshold import Signs
from retrieval.view import View
from tests.quality.judged_sets import JudgedSet, load

SETS = ("cranfield", "cisi", "nfcorpus", "financebench", "xquad")
FITTED = ("dense", "expansion", "pairs", "agreement")
SAMPLE = Path(__file__).parents[1] / "sample_corpus"
N_SAMPLE = 40  # fewer than it has chunks, so that every question has as many candidates
N_BAGS, MAX_BAG = 8, 400
PULL = 0.02  # of the weights towards those of the first ranking
STEPS = (0.16, 0.08, 0.04)
ALLOWED_DROP = 0.001
KNEE_WEIGHT = -25.0

Floats = NDArray[np.float64]
_DISCOUNT = 1 / np.log2(np.arange(10) + 2)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Candidates of a set's questions: q questions, n candidates, f features."""

    name: str
    features: Floats  # (q, n, f)
    first: Floats  # (q, n) scores of the first ranking; -1 where there are fewer
    grades: Floats  # (q, n)
    ideal: Floats  # (q,) best possible gain
    n_chunks: int
    n_windows: int

    def ndcg(self, weights: Floats) -> float:
        """Mean nDCG@10 in the order that weighted features give."""
        order = np.argsort(-self.scores(weights), axis=1, kind="stable")[:, :10]
        gains = np.take_along_axis(self.grades, order, 1) * _DISCOUNT
        return float((gains.sum(axis=1) / self.ideal).mean())

    def scores(self, weights: Floats) -> Floats:
        """(q, n), what is no candidate below all others."""
        return np.where(self.first > -1, self.features @ weights, -9.0)

    def drawn(self, rng: np.random.Generator) -> Table:
        """As many questions again, drawn with replacement."""
        rows = rng.integers(0, len(self.ideal), min(len(self.ideal), MAX_BAG))
        return replace(
            self,
            features=self.features[rows],
            first=self.first[rows],
            grades=self.grades[rows],
            ideal=self.ideal[rows],
        )


def table(judged: JudgedSet) -> Table:
    """What the light ranker sees of every question's best hundred."""
    view = judged.view()
    allowed, n = view.allowed(None), light.N_RANKED
    every = plan(n_allowed=view.n_windows, n_total=view.n_windows)
    shape = (len(judged.queries), n)
    features = np.zeros((*shape, len(light.FEATURES)))
    first, grades = np.full(shape, -1.0), np.zeros(shape)
    for row, (query, text) in enumerate(judged.queries.items()):
        words, vector = keyword.look_up(view, allowed, text), judged.query_vectors[query]
        best = Legs(view, allowed, every, words).blended(vector, n=n)
        found = len(best.chunks)
        leading = [" ".join(judged.windows[f]) for f in best.file_n[: light.N_FEEDBACK]]
        features[row, :found] = light.gather(
            view, best, question=text, words=words, vector=vector, leading=leading,
            phrase=np.zeros(found),
        ).matrix()  # fmt: skip
        first[row, :found] = best.fused
        grades[row, :found] = [
            max(0, judged.grades[query].get(judged.ids[f], 0)) for f in best.file_n
        ]
    ideal = [_ideal(judged.grades[query]) for query in judged.queries]
    return Table(
        judged.name, features, first, grades, np.array(ideal), view.n_chunks, view.n_windows
    )


def sample_table(data: Path, cache: Path) -> Table:
    """The sample corpus, indexed into the folder `data`; the chunks that hold an answer count."""
    settings = Settings(data=data, cache=cache)
    lines = (SAMPLE / "judgments.jsonl").read_text("utf-8").splitlines()
    judged = [each for each in map(json.loads, lines) if each["answer"] is not None]
    with Engine.open(settings=settings) as engine:
        manifest = read_manifest(SAMPLE / "manifest.jsonl")
        engine.add(SAMPLE / "files", store="sample", selection=Selection(manifest=manifest))
        store_id = engine.resolve_store("sample").id
        with engine.store.read() as read:
            reader = read.commits
            index = StoreIndex(store_id, model_id=reader.model_id(store_id))
            view, texts = index.catch_up(reader), reader_of_texts(reader)
            files, ordinals, _ = view.files_and_ordinals(np.arange(view.n_chunks))
            every = [_bare(text) for text in texts(files, ordinals)]
            names = [view.record(chunk).filename for chunk in range(view.n_chunks)]
            rows = [_sample_row(view, texts, each["question"], engine.embedder) for each in judged]
    answers = [(each["file"], _bare(each["answer"])) for each in judged]
    grades = [
        [float(names[c] == file and answer in every[c]) for c in chunks]
        for (file, answer), (_, _, chunks) in zip(answers, rows, strict=True)
    ]
    features, first = (np.array([row[i] for row in rows]) for i in (0, 1))
    ideal = np.array([_ideal(dict(enumerate(row))) or 1.0 for row in grades])
    return Table("sample", features, first, np.array(grades), ideal, view.n_chunks, view.n_windows)


def _sample_row(
    view: View, texts: Texts, question: str, embedder: Embedder
) -> tuple[Floats, Floats, list[int]]:
    """Features and first scores of all the few chunks there are, and which they are."""
    allowed = view.allowed(None)
    every = plan(n_allowed=view.n_windows, n_total=view.n_windows)
    words, vector = keyword.look_up(view, allowed, question), embedder.embed_query(question)
    best = Legs(view, allowed, every, words).blended(vector, n=N_SAMPLE)
    leading = texts(best.file_n[: light.N_FEEDBACK], best.ordinal[: light.N_FEEDBACK])
    found = light.gather(
        view, best, question=question, words=words, vector=vector, leading=leading,
        phrase=np.zeros(len(best.chunks)),
    )  # fmt: skip
    return found.matrix(), best.fused, best.chunks.tolist()


def _bare(text: str) -> str:
    """Text without what extraction and layout may change."""
    return re.sub(r"[\s|]+", "", unicodedata.normalize("NFKC", text))


def _ideal(grades: Mapping[Any, float]) -> float:
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:10]
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(best))


def fit_weights(tables: Sequence[Table]) -> Floats:
    """Mean of the weights that suit eight draws of the questions best; sets count alike."""
    rngs = [np.random.default_rng(seed) for seed in range(N_BAGS)]
    return np.mean([_climbed([t.drawn(rng) for t in tables]) for rng in rngs], axis=0)


def _start() -> Floats:
    return np.array([0.5 if name in ("dense", "keyword") else 0.0 for name in light.FEATURES])


def _climbed(tables: Sequence[Table]) -> Floats:
    """Coordinate ascent on mean nDCG@10, less what any set loses against the first ranking."""
    start = _start()
    before = np.array([t.ndcg(start) for t in tables])

    def goal(weights: Floats) -> float:
        now = np.array([t.ndcg(weights) for t in tables])
        lost = np.maximum(0, before - now - ALLOWED_DROP).sum()
        return float(now.mean() - 0.5 * lost - PULL * ((weights - start) ** 2).sum())

    weights, best = start, goal(start)
    places = [light.FEATURES.index(name) for name in FITTED]
    for step in STEPS:
        for place, sign in [(p, s) for _ in range(2) for p in places for s in (1, -1)]:
            moved = weights.copy()
            moved[place] += sign * step
            if (value := goal(moved)) > best + 1e-4:
                weights, best = moved, value
    return weights


# --- confidence


def curve_rows(t: Table, scores: Floats) -> tuple[Floats, Floats]:
    """Design rows (10 q, 1 + signs + 1) of the ten best hits, and which are relevant."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    top = np.take_along_axis(scores, order, 1)
    signs = [Signs(float(r[0]), float(r[-1]), t.n_chunks, t.n_windows).row() for r in top]
    rows = np.concatenate(
        [top[..., None], np.repeat(np.array(signs)[:, None], 10, 1), np.ones((*top.shape, 1))], 2
    )
    relevant = np.take_along_axis(t.grades, order, 1) > 0
    return rows.reshape(-1, rows.shape[2]), relevant.ravel().astype(float)


def fit_curve(parts: Sequence[tuple[Floats, Floats]], *, knee: float) -> Floats:
    """Logistic weights of greatest likelihood, sets alike; the weight below the knee is given."""
    rows = np.concatenate([x for x, _ in parts])
    y = np.concatenate([y for _, y in parts])
    share = np.concatenate([np.full(len(y), 1 / len(y)) for _, y in parts])
    free = [i for i in range(rows.shape[1]) if i != rows.shape[1] - 2]
    fixed, x = knee * rows[:, -2], rows[:, free]
    at = np.zeros(len(free))
    pull = 1e-3 * np.eye(len(free))
    pull[-1, -1] = 1e-9
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ at + fixed, -30, 30)))
        bend = x.T @ (x * (share * p * (1 - p))[:, None]) + pull
        at = at - np.linalg.solve(bend, x.T @ (share * (p - y)) + pull @ at)
    return np.array([*at[:-1], knee, at[-1]])


def error(part: tuple[Floats, Floats], curve: Floats) -> float:
    """Calibration error of one set."""
    confidence = 1 / (1 + np.exp(-(part[0] @ curve)))
    return calibration_error(confidence, part[1] > 0)


def _questions(judged: JudgedSet, folder: Path, embedder: Embedder) -> JudgedSet:
    """The same documents with their dev questions."""
    lines = (folder / "queries.dev.jsonl").read_text("utf-8").splitlines()
    asked = {each["_id"]: each["text"] for each in map(json.loads, lines)}
    grades: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.dev.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = int(grade)
    queries = {q: text for q, text in asked.items() if max(grades.get(q, {"": 0}).values()) > 0}
    vectors = {q: embedder.embed_query(text) for q, text in queries.items()}
    return replace(judged, queries=queries, grades=grades, query_vectors=vectors)


def report_weights(tables: Sequence[Table]) -> Floats:
    """Fit, print, and print again with each set left out."""
    start = np.array([t.ndcg(_start()) for t in tables])
    weights = fit_weights(tables)
    print("weights", dict(zip(light.FEATURES, weights.round(3).tolist(), strict=True)))
    now = np.array([t.ndcg(weights) for t in tables])
    print("first ranking", start.round(4), "with the light ranker", (now - start).round(4))
    left_out = [
        t.ndcg(fit_weights([o for o in tables if o is not t])) - before
        for t, before in zip(tables, start, strict=True)
    ]
    print("left out of the fit", np.round(left_out, 4), "mean", np.mean(left_out).round(4))
    return weights


def _without(part: tuple[Floats, Floats], unused: Sequence[int]) -> tuple[Floats, Floats]:
    rows = part[0].copy()
    rows[:, list(unused)] = 0.0
    return rows, part[1]


def report_curve(
    name: str,
    tables: Sequence[Table],
    scores: Sequence[Floats],
    knee: float,
    unused: Sequence[int] = (),
) -> None:
    """Fit, print, and print again with each set left out."""
    parts = [_without(curve_rows(t, s), unused) for t, s in zip(tables, scores, strict=True)]
    curve = fit_curve(parts, knee=knee)
    alone = [error(part, curve) for part in parts]
    pooled = error(
        (np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])), curve
    )
    left = [
        error(part, fit_curve([p for p in parts if p is not part], knee=knee)) for part in parts
    ]
    print(name, curve.round(2).tolist(), "error pooled", round(pooled, 3))
    print("  by set", np.round(alone, 3), "left out", np.round(left, 3))


def main() -> None:
    """Fit everything and print it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--vectors", type=Path, help="where vectors are kept between runs")
    given = options.parse_args()
    if given.vectors:
        os.environ["SOURCEBOOK_JUDGED_VECTORS"] = str(given.vectors)
    embedder = load_embedder(DEFAULT_MODEL, cache=given.vectors or Path(".cache"))
    sets = [load(given.folder / name, embedder=embedder) for name in SETS]
    dev = _questions(sets[SETS.index("nfcorpus")], given.folder / "nfcorpus", embedder)
    test = [table(judged) for judged in sets]
    tuned = [table(dev) if t.name == "nfcorpus" else t for t in test]
    print(*SETS)
    weights = report_weights(tuned)
    with tempfile.TemporaryDirectory() as data:
        test.append(sample_table(Path(data), given.vectors or Path(".cache")))
    report_curve("LIGHT", test, [t.scores(weights) for t in test], KNEE_WEIGHT)
    first = [np.where(t.first > -1, t.first, -9.0) for t in test]
    report_curve("FIRST", test, first, 0.0, unused=(1, 2))  # the best and the tenth hit


if __name__ == "__main__":
    main()
