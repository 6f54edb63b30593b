"""Fit the light ranker's weights to public judged sets.

    python -m benchmarks.fit_ranking FOLDER --vectors CACHE

FOLDER holds the sets in BEIR layout: cranfield, cisi, nfcorpus (its dev questions), xquad
(English) and financebench (pages). Printed are the weights of `retrieval/light.py`, and what they
do to every set, also when that set is left out of the fit. What scores mean is fitted by
`benchmarks/fit_scores.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval import keyword, light
from retrieval.embedder import DEFAULT_MODEL, Embedder, load_embedder
from retrieval.legs import Legs
from retrieval.plan import plan
from tests.quality.judged_sets import JudgedSet, load

SETS = ("cranfield", "cisi", "nfcorpus", "financebench", "xquad")
FITTED = ("dense", "expansion", "pairs", "agreement")
N_BAGS, MAX_BAG = 8, 400
PULL = 0.02  # of the weights towards those of the first ranking
STEPS = (0.16, 0.08, 0.04)
ALLOWED_DROP = 0.001

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
    return Table(judged.name, features, first, grades, np.array(ideal))


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


def report_weights(tables: Sequence[Table]) -> None:
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
    tuned = [table(dev if judged.name == "nfcorpus" else judged) for judged in sets]
    print(*SETS)
    report_weights(tuned)


if __name__ == "__main__":
    main()
