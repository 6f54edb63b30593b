"""Fit when `extractive` answers: `python -m tests.quality.fit_support [--xquad FOLDER]`.

Logistic regression with a penalty, on questions that files answer and questions that they do not:
those of sample_corpus, those of faithful/questions.txt, and, with the set at hand, those of XQuAD,
each with the passage that answers it and without. Every set counts the same, and so do its answered
and its unanswered questions. Prints the weights for ``api/answer/support.py``, and what they do
on each set when they were fitted on the others alone.
"""

import argparse
import json
import re
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api.answer.evidence import WEIGHTS as SENTENCE_WEIGHTS
from api.answer.evidence import gather, signs
from api.answer.select import best_runs
from api.answer.structure import Structure
from api.answer.support import MIN_SUPPORT, WEIGHTS, support, support_signs
from api.engine import Engine
from api.settings import Settings
from retrieval.queries import Query
from retrieval.sentences import sentence_spans
from tests.quality.conftest import CORPUS
from tests.quality.verify_cases import FOLDER, own_documents

N_XQUAD = 400
PENALTY = 3.0
SILENT = 0.9  # of the unanswerable questions


@dataclass(frozen=True)
class Question:
    """A question of one set, the file and the words that answer it, if any do."""

    set: str
    text: str
    file: str | None
    answer: str | None


@dataclass(frozen=True)
class Judged:
    """What is known of a question once it was asked."""

    question: Question
    answered: bool  # whether the files tell
    signs: dict[str, float]
    quoted: bool  # whether a quote holds the answer
    first: bool  # whether the first one does


class Remembering:
    """An embedder that embeds each text once: the same sentences are hit again and again."""

    def __init__(self, embedder):
        self._embedder = embedder
        self._known = {}

    def __getattr__(self, name):
        return getattr(self._embedder, name)

    def embed(self, texts):
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])


def plain(text):
    """Text without what extraction and layout may change."""
    return re.sub(r"[\s|]+", "", unicodedata.normalize("NFKC", text))


def own_questions():
    """Of faithful/questions.txt; the file is that of `write_own`."""
    documents = {name.partition(":")[0]: pairs for name, pairs in own_documents().items()}
    found = []
    for line in (FOLDER / "questions.txt").read_text("utf-8").splitlines():
        if line.startswith("#") or "|" not in line:
            continue
        field, text, beginning = (part.strip() for part in line.split("|", 2))
        sentences = [sentence for sentence, _ in documents[field]]
        answer = next((s for s in sentences if beginning != "-" and s.startswith(beginning)), None)
        found.append(Question("own", text, answer and f"{field}.txt", answer))
    return found


def write_own(folder):
    """The documents of faithful/documents.txt as files, each with its title on top."""
    for name, pairs in own_documents().items():
        field, _, title = name.partition(": ")
        text = " ".join(sentence for sentence, _ in pairs)
        (folder / f"{field}.txt").write_text(f"{title}\n\n{text}\n", "utf-8")


def corpus_questions():
    """Of sample_corpus."""
    lines = (CORPUS / "judgments.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Question("corpus", row["question"], row["file"], row["answer"]) for row in rows]


def xquad_questions(folder, target):
    """Of XQuAD in BEIR layout at `folder`; its passages become files in `target`."""
    texts = {}
    for row in _rows(folder / "corpus.jsonl"):
        texts[row["_id"]] = row["text"]
        title = row["title"].replace("_", " ")
        (target / f"{row['_id']}.txt").write_text(f"{title}\n\n{row['text']}\n", "utf-8")
    pairs = [line.split("\t") for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()]
    passage = {question: document for question, document, _ in pairs}
    rows = _rows(folder / "queries.jsonl")
    for row in rows[:: len(rows) // N_XQUAD][:N_XQUAD]:
        name, start = passage[row["_id"]], row["metadata"]["answer_start"]
        text = texts[name]
        span = next(s for s in sentence_spans(text) if s[0] <= start < s[1])
        yield Question("xquad", row["text"], f"{name}.txt", text[slice(*span)])


def _rows(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def judge(engine, store, questions):
    """Ask all; those of XQuAD once more, without the file that answers."""
    store_id, embedder = engine.resolve_store(store).id, Remembering(engine.embedder)
    for question in questions:
        hits = engine.search([store_id], Query((question.text,), limit=20)).hits
        given = [(hits, question.answer is not None)]
        if question.set == "xquad":
            given.append(([h for h in hits if h.filename != question.file], False))
        for shown, answered in given:
            blocks_of = Structure(engine).blocks
            found = _judged(question, shown, embedder, blocks_of, answered=answered)
            if found is not None:
                yield found


def _judged(question, hits, embedder, blocks_of, *, answered):
    evidence = gather(question.text, hits, embedder=embedder, blocks_of=blocks_of)
    if not evidence.candidates:
        return None
    seen = signs(question.text, evidence, embedder=embedder)
    odds = seen @ np.array(list(SENTENCE_WEIGHTS.values()))
    runs = best_runs(evidence, odds)
    quotes = [
        " ".join(each.text for each in evidence.candidates[run.first : run.last + 1])
        for run in runs
    ]
    found = support_signs(question.text, evidence, seen, odds, quote=quotes[0], embedder=embedder)
    held = [answered and plain(question.answer) in plain(quote) for quote in quotes]
    return Judged(question, answered, found, any(held), held[0])


def fit(judged):
    """Shift and weights, by Newton's method on signs of mean 0 and deviation 1.

    Of answered questions, those count whose quotes hold the answer.
    """
    used = [each for each in judged if each.quoted or not each.answered]
    x = np.array([[each.signs[name] for name in WEIGHTS] for each in used])
    y = np.array([each.answered for each in used], float)
    weights = _balance([(each.question.set, each.answered) for each in used])
    mean, deviation = x.mean(0), x.std(0) + 1e-9
    z = np.hstack([np.ones((len(x), 1)), (x - mean) / deviation])
    found, penalty = np.zeros(z.shape[1]), np.eye(z.shape[1]) * PENALTY
    penalty[0, 0] = 1e-6
    for _ in range(60):
        p = 1 / (1 + np.exp(-z @ found))
        hessian = (z * (weights * p * (1 - p))[:, None]).T @ z + penalty
        found -= np.linalg.solve(hessian, z.T @ (weights * (p - y)) + penalty @ found)
    per_sign = found[1:] / deviation
    return float(found[0] - per_sign @ mean), dict(zip(WEIGHTS, per_sign, strict=True))


def _balance(groups):
    sizes = {group: groups.count(group) for group in set(groups)}
    return np.array([100 / sizes[group] for group in groups])


def odds_of(judged, shift, weights):
    """(n_questions,) log odds."""
    return np.array(
        [shift + sum(weights[name] * each.signs[name] for name in weights) for each in judged]
    )


def bar_of(judged, odds):
    """The lowest odds at which SILENT of each set's unanswerable questions stay unanswered."""
    sets = {each.question.set for each in judged if not each.answered}
    bars = []
    for name in sets:
        wrong = sorted(
            value
            for value, each in zip(odds, judged, strict=True)
            if each.question.set == name and not each.answered
        )
        bars.append(wrong[int(np.ceil(SILENT * len(wrong))) - 1])
    return bars


def told(judged, odds):
    """For each set: share answered with the answer in a quote, and share left unanswered."""
    lines = []
    for name in sorted({each.question.set for each in judged}):
        rows = [(e, o >= 0) for e, o in zip(judged, odds, strict=True) if e.question.set == name]
        right = [each.quoted and said for each, said in rows if each.answered]
        first = [each.first and said for each, said in rows if each.answered]
        silent = [not said for each, said in rows if not each.answered]
        lines.append(
            f"{name}: holds the answer {np.mean(right):.3f} (first quote {np.mean(first):.3f})"
            f" of {len(right)},"
            f" silent {np.mean(silent):.3f} of {len(silent)}"
        )
    return "; ".join(lines)


def all_judged(folder, xquad):
    """Every question of every set, asked of an engine in `folder`."""
    found = []
    with Engine.open(settings=Settings(data=folder / "data")) as engine:
        engine.add(CORPUS / "files", store="corpus")
        found += judge(engine, "corpus", corpus_questions())
        (folder / "own").mkdir()
        write_own(folder / "own")
        engine.add(folder / "own", store="own")
        found += judge(engine, "own", own_questions())
        if xquad:
            (folder / "xquad").mkdir()
            questions = list(xquad_questions(xquad, folder / "xquad"))
            engine.add(folder / "xquad", store="xquad")
            found += judge(engine, "xquad", questions)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--xquad", type=Path, help="folder of the set in BEIR layout")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judged = all_judged(Path(folder), asked.xquad)
    product = [np.log(p / (1 - p)) for p in (support(each.signs) for each in judged)]
    print(f"as it is, bar {MIN_SUPPORT}:", told(judged, product))
    for name in sorted({each.question.set for each in judged}):
        others = [each for each in judged if each.question.set != name]
        shift, weights = fit(others)
        own = [each for each in judged if each.question.set == name]
        bars = bar_of(others, odds_of(others, shift, weights))
        print("fitted on the others,", told(own, odds_of(own, shift, weights) - np.mean(bars)))
    shift, weights = fit(judged)
    odds = odds_of(judged, shift, weights)
    print(
        "bars of the sets at",
        SILENT,
        "silent:",
        [round(float(b), 2) for b in bar_of(judged, odds)],
    )
    for move in (-1.0, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 1.0):
        print(f"bar {move}:", told(judged, odds - move))
    print("SHIFT =", round(shift, 2), {name: round(float(w), 2) for name, w in weights.items()})


if __name__ == "__main__":
    main()
