"""Fit what scores mean: the curves and the belonging of `retrieval/threshold.py`.

    python -m benchmarks.fit_scores FOLDER --keep KEEP

FOLDER holds the public judged sets; they, parts of them down to six documents, and the sample
corpus are indexed by the product into KEEP and asked as a user asks. Printed are the constants,
and the calibration error of every set left out of the fit in turn.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.engine import Engine
from api.evaluate.asking import InProcess
from api.evaluate.judged import JudgedSet, Question
from api.evaluate.kept import kept_engine
from api.evaluate.measures import Judge
from api.evaluate.readers import read_set
from api.settings import Settings
from retrieval import search, threshold
from retrieval.calibrate import calibration_error
from retrieval.queries import Query, Ranker
from retrieval.ranking import belonging_signs, curve_signs, reader_of_texts
from retrieval.snapshot import Reader, StoreIndex
from retrieval.types import ChunkingStrategy
from retrieval.view import View
from tests.quality import confidence
from tests.quality.score_curve import Fitted, Part, fit, left_out, logistic

SETS = ("cranfield", "cisi", "nfcorpus", "xquad", "financebench")
PASSAGES = "chroma_chunking"
SAMPLE = Path(__file__).parents[1] / "sample_corpus"
SIZES = {6: 6, 30: 3, 150: 1, 600: 1}  # documents of a part, and how many such parts of each set
PARTS_WEIGHT = 0.5  # of all parts of a set together, against the whole set
RELEVANT_SHARE = 0.6  # of a part's documents are relevant to some question
N_QUESTIONS = 120  # of a part
N_FOREIGN = 60  # of each other set

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What became of questions: q of them."""

    rows: Floats  # (n, 3) of all first ten hits, end to end
    question: NDArray[np.int64]  # (n,)
    relevant: Floats  # (n,)
    belonging: Floats  # (q, 2) nearest, covered

    def right(self) -> Floats:
        """(q', 2) of those whose first hit is relevant."""
        _, first = np.unique(self.question, return_index=True)
        return self.belonging[self.relevant[first] > 0]

    def part(self, family: str, weight: float) -> Part:
        """For the fit of the curve."""
        sure = np.array([threshold.belonging(*map(float, row)) for row in self.belonging])
        return Part(self.rows, self.relevant, sure[self.question], family, weight)


@dataclass(frozen=True, slots=True)
class Store:
    """A set, or a part of one, that is indexed."""

    id: str
    judged: JudgedSet
    family: str
    weight: float
    foreign: Sequence[Question]


def ask(engine: Engine, store: Store, questions: Sequence[Question], ranker: Ranker) -> Asked:
    """Ask a store some questions; of foreign ones nothing is relevant."""
    judge = Judge(store.judged)
    with engine.store.read() as read:
        reader = read.commits
        view = StoreIndex(store.id, model_id=reader.model_id(store.id)).catch_up(reader)
        each = [
            _ask(engine, reader, view, store, question, ranker, judge) for question in questions
        ]
    return Asked(
        rows=np.concatenate([rows for rows, _, _ in each]),
        question=np.repeat(np.arange(len(each)), [len(rows) for rows, _, _ in each]),
        relevant=np.concatenate([right for _, right, _ in each]),
        belonging=np.array([signs for _, _, signs in each]),
    )


def _ask(
    engine: Engine,
    reader: Reader,
    view: View,
    store: Store,
    question: Question,
    ranker: Ranker,
    judge: Judge,
) -> tuple[Floats, Floats, tuple[float, float]]:
    """Rows of the first ten hits, which are relevant, and the signs of belonging."""
    query = Query((question.text,), limit=confidence.DEPTH, ranker=ranker)
    made = search.run(reader, view, engine.embedder, query, vector_store_id=store.id)
    ranked = made.found[0]
    top = ranked.head(confidence.DEPTH)
    texts = reader_of_texts(reader)(top.file_n, top.ordinal)
    names = [view.record(chunk).filename for chunk in top.chunks.tolist()]
    right = [
        judge.is_relevant(question, name, text) for name, text in zip(names, texts, strict=True)
    ]
    signs = curve_signs(view, question.text).row()
    rows = np.column_stack([top.fused, np.tile(signs, (len(top.fused), 1))])
    return rows, np.array(right, dtype=np.float64), belonging_signs(view, ranked, question.text)


def stores(engine: Engine, folder: Path) -> Iterator[Store]:
    """Every store that is asked, indexed."""
    asker = InProcess(engine)
    sets = {name: read_set(folder / name) for name in SETS}

    def indexed(judged: JudgedSet, chunking: ChunkingStrategy | None = None) -> str:
        chosen = chunking or ChunkingStrategy()
        return asker.index(judged, chosen, fresh=False, progress=lambda _done, _all: None)

    for name, judged in sets.items():
        foreign = list(confidence.strangers(sets, name, n=N_FOREIGN, seed=0))
        yield Store(indexed(judged), judged, name, 1.0, foreign)
        parts = list(parts_of(judged))
        for part in parts:
            weight = PARTS_WEIGHT * len(part.questions) / sum(len(p.questions) for p in parts)
            yield Store(indexed(part), part, name, weight, ())
    passages, sample = read_set(folder / PASSAGES), read_set(SAMPLE)
    yield Store(indexed(passages), passages, PASSAGES, 1.0, ())
    yield Store(indexed(passages, ChunkingStrategy(250, 0)), passages, PASSAGES, 1.0, ())
    foreign = list(confidence.strangers(sets, "", n=N_FOREIGN, seed=0))
    yield Store(indexed(sample), sample, "sample", 1.0, foreign)


def parts_of(judged: JudgedSet) -> Iterator[JudgedSet]:
    """Smaller sets of the same documents, with the questions that they answer."""
    rng = random.Random(7)  # noqa: S311 - the same parts each time
    for size, n in SIZES.items():
        for number in range(n if size < len(judged.documents) else 0):
            kept = _documents(judged, size, rng)
            own = [_limited(question, kept) for question in judged.questions]
            own = [each for each in own if each.grades]
            yield replace(
                judged,
                name=f"{judged.name}-{size}-{number}",
                documents=tuple(each for each in judged.documents if each.id in kept),
                questions=tuple(rng.sample(own, min(len(own), N_QUESTIONS))),
            )


def _documents(judged: JudgedSet, size: int, rng: random.Random) -> set[str]:
    """Documents relevant to some questions, and others."""
    known = [each.id for each in judged.documents]
    everything, kept = set(known), set[str]()
    for question in rng.sample(judged.questions, len(judged.questions)):
        good = sorted(d for d, g in question.grades.items() if g > 0 and d in everything)
        room = int(RELEVANT_SHARE * size) - len(kept)
        kept.update(rng.sample(good, max(0, min(len(good), room, max(1, size // 10)))))
    rest = [each for each in known if each not in kept]
    return kept | set(rng.sample(rest, size - len(kept)))


def _limited(question: Question, kept: set[str]) -> Question:
    grades = {d: grade for d, grade in question.grades.items() if grade > 0 and d in kept}
    return replace(question, grades=grades)


def report_belonging(own: Sequence[Asked], foreign: Sequence[Asked]) -> None:
    """What tells questions whose first hit is relevant from foreign ones; stores count alike."""
    groups = [(a.right(), 1.0) for a in own] + [(a.belonging, 0.0) for a in foreign]
    rows = np.concatenate([rows for rows, _ in groups])
    y = np.concatenate([np.full(len(rows), label) for rows, label in groups])
    share = np.concatenate([np.full(len(rows), 1 / len(rows)) for rows, _ in groups])
    found = logistic(rows, y, share, pull=1e-3)
    print("belonging: nearest, covered", found.weights.round(1).tolist(), round(found.shift, 1))


def report_curve(name: str, parts: Mapping[str, Part]) -> Fitted:
    """The curve, and the errors of whole sets by it and by curves of the other sets."""
    curve, without = fit(list(parts.values())), left_out(parts)
    print(name, curve.weights.round(2).tolist(), round(curve.shift, 2))
    whole = [each for each in SETS if each in parts]
    scores = [curve.at(parts[n].rows) * parts[n].belonging for n in whole]
    truth = [parts[n].relevant > 0 for n in whole]
    error = calibration_error(np.concatenate(scores), np.concatenate(truth))
    auc = confidence.auc(np.concatenate(scores), np.concatenate(truth).astype(float))
    print(f"  pooled {error:.3f}, AUC {auc:.3f}; left out:")
    for each in whole:
        print(f"  {each} {without[each]:.3f}")
    return curve


def main() -> None:
    """Fit everything and print it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--keep", type=Path, required=True)
    given = options.parse_args()
    with kept_engine(given.keep, settings=Settings.load(), queries=True) as engine:
        every = list(stores(engine, given.folder))
        whole = [store for store in every if store.foreign]
        own = {s.judged.name + s.id: ask(engine, s, s.judged.questions, "auto") for s in every}
        asked = [own[s.judged.name + s.id] for s in whole]
        report_belonging(asked, [ask(engine, s, s.foreign, "auto") for s in whole])
        report_curve("LIGHT", _named(every, own))
        first = {s.judged.name + s.id: ask(engine, s, s.judged.questions, "none") for s in every}
        sure = {
            n: replace(p, belonging=np.ones(len(p.rows))) for n, p in _named(every, first).items()
        }
        report_curve("FIRST", sure)


def _named(every: Sequence[Store], asked: Mapping[str, Asked]) -> dict[str, Part]:
    """Parts for the fit; a whole set bears the set's name."""
    found: dict[str, Part] = {}
    for store in every:
        key = store.judged.name + store.id
        name = store.family if store.foreign else key
        found[name] = asked[key].part(store.family, store.weight)
    return found


if __name__ == "__main__":
    main()
