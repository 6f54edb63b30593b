"""Answers → figures, question by question.

Rank measures come from ir-measures, whose engine is trec_eval's; what tokens were brought back
is counted as the Chroma chunking evaluation counts characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np

from api.evaluate.asking import Found
from api.evaluate.judged import JudgedSet, Question, Reference
from retrieval.errors import Unavailable

MAIN: Final = "nDCG@10"
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SPACE = re.compile(r"\s+")

Figures = dict[str, list[float]]  # measure → one figure a question, in the set's order
Answers = Mapping[str, Sequence[Found]]  # question id → hits, best first


def measure(judged: JudgedSet, answers: Answers, *, depth: int) -> Figures:
    """Every figure of every question.

    Args:
        judged: the questions and what is relevant.
        answers: the hits of each question; a missing one counts as nothing found.
        depth: how many hits were asked for; recall is also given at this depth.

    Returns:
        nDCG@10, recall@k, MRR, MAP and hit@1; of sets with places also token recall,
        precision and IoU. Of sets of passages an item is a passage: a hit stands for the
        passages that it holds whole and that no hit before it held.
    """
    items = _passage_items if judged.has_passages else _document_items
    named = {document.filename: document.id for document in judged.documents}
    ranked = {
        question.id: items(question, answers.get(question.id, ()), named)
        for question in judged.questions
    }
    figures = _rank_figures(judged, ranked, depth=depth)
    if all(_is_placed(question) for question in judged.questions):
        figures |= _token_figures(judged, answers, named)
    return figures


class Judge:
    """Says of single hits whether they are relevant."""

    def __init__(self, judged: JudgedSet) -> None:
        self._named = {document.filename: document.id for document in judged.documents}

    def is_relevant(self, question: Question, filename: str, text: str) -> bool:
        """Whether the hit holds a passage, or is of a document with a grade above 0."""
        if question.references:
            hit = Found(filename, text, 0.0)
            return any(_holds(hit, each, self._named) for each in question.references)
        return question.grades.get(_document_id(filename, self._named, question.grades), 0) > 0


def _is_placed(question: Question) -> bool:
    return bool(question.references) and all(
        each.start_char is not None for each in question.references
    )


# --- rank measures ---------------------------------------------------------------------------


def _document_items(
    question: Question, found: Sequence[Found], named: Mapping[str, str]
) -> list[str]:
    """Documents in order of their best chunk."""
    ids = (_document_id(hit.filename, named, question.grades) for hit in found)
    return list(dict.fromkeys(ids))


def _document_id(
    filename: str, named: Mapping[str, str], grades: Mapping[str, int] | None = None
) -> str:
    """The judged name of a file; in a store of the user's own it may lack its ending."""
    if filename in named:
        return named[filename]
    stem = filename.rpartition(".")[0]
    return stem if grades and filename not in grades and stem in grades else filename


def _passage_items(
    question: Question, found: Sequence[Found], named: Mapping[str, str]
) -> list[str]:
    items: list[str] = []
    left = dict(enumerate(question.references))
    for n, hit in enumerate(found):
        held = [i for i, each in left.items() if _holds(hit, each, named)]
        items += [f"passage {i}" for i in held] or [f"hit {n}"]
        left = {i: each for i, each in left.items() if i not in held}
    return items


def _holds(hit: Found, reference: Reference, named: Mapping[str, str]) -> bool:
    same_file = _document_id(hit.filename, named) == reference.document_id
    return same_file and _squeezed(reference.text) in _squeezed(hit.text)


@lru_cache(maxsize=20_000)
def _squeezed(text: str) -> str:
    """Without white space and cell borders, which parsing may change."""
    return _SPACE.sub("", text).replace("|", "")


def _grades(question: Question) -> dict[str, int]:
    if question.references:
        return {f"passage {i}": 1 for i in range(len(question.references))}
    return dict(question.grades)


def _rank_figures(
    judged: JudgedSet, ranked: Mapping[str, Sequence[str]], *, depth: int
) -> Figures:
    measures = _measures(depth)
    name_of = {measure: name for name, measure in measures.items()}
    # Scores only say the order: trec_eval sorts by them, and breaks ties by id.
    run = {id: {item: -float(n) for n, item in enumerate(items)} for id, items in ranked.items()}
    grades = {question.id: _grades(question) for question in judged.questions}
    row_of = {question.id: row for row, question in enumerate(judged.questions)}
    figures: Figures = {name: [0.0] * len(row_of) for name in measures}
    for each in _library().iter_calc(list(name_of), grades, run):
        figures[name_of[each.measure]][row_of[each.query_id]] = float(each.value)
    return figures


def _measures(depth: int) -> dict[str, Any]:
    of = _library()
    recalls = {f"recall@{k}": of.R @ k for k in sorted({1, 5, 10, depth}) if k <= depth}
    return {MAIN: of.nDCG @ 10, **recalls, "MRR": of.RR, "MAP": of.AP, "hit@1": of.Success @ 1}


def _library() -> Any:
    try:
        import ir_measures  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Unavailable(
            "Measuring needs ir-measures: pip install 'sourcebook[eval]'."
        ) from error
    return ir_measures


# --- tokens ----------------------------------------------------------------------------------


def _token_figures(judged: JudgedSet, answers: Answers, named: Mapping[str, str]) -> Figures:
    """Recall, precision and IoU over tokens: words, and marks by themselves.

    Source: Smith and Troynikov, Evaluating Chunking Strategies for Retrieval, 2024. What
    several hits bring twice counts once for recall and twice against precision and IoU.
    """
    texts = {
        document.id: _Text(document.content)
        for document in judged.documents
        if isinstance(document.content, str)
    }
    rows = [
        _overlap(question, answers.get(question.id, ()), texts, named)
        for question in judged.questions
    ]
    names = ("token recall", "token precision", "token IoU")
    return {
        name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def _overlap(
    question: Question,
    found: Sequence[Found],
    texts: Mapping[str, _Text],
    named: Mapping[str, str],
) -> tuple[float, float, float]:
    wanted: set[tuple[str, int]] = set()
    for each in question.references:
        start, end = each.start_char or 0, each.end_char or 0
        wanted.update((each.document_id, n) for n in texts[each.document_id].tokens(start, end))
    got: set[tuple[str, int]] = set()
    n_brought = 0
    for hit in found:
        id = _document_id(hit.filename, named)
        tokens = texts[id].of(hit.text) if id in texts else range(0)
        n_brought += len(tokens) or len(_TOKEN.findall(hit.text))
        got.update((id, n) for n in tokens)
    n_right = len(wanted & got)
    return (
        n_right / len(wanted),
        n_right / n_brought if n_brought else 0.0,
        n_right / (n_brought + len(wanted) - n_right),
    )


@dataclass(slots=True)
class _Text:
    """A document's text, in which hits are found again."""

    text: str
    _starts: Any = field(init=False)  # of each token
    _squeezed: tuple[str, Any] | None = field(init=False, default=None)
    _known: dict[str, range] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._starts = np.array([match.start() for match in _TOKEN.finditer(self.text)])

    def tokens(self, start: int, end: int) -> range:
        """Numbers of the tokens that begin in text[start:end]."""
        return range(*np.searchsorted(self._starts, [start, end]).tolist())

    def of(self, passage: str) -> range:
        """The tokens of `passage`, up to white space; none where it does not stand here."""
        if passage not in self._known:
            self._known[passage] = self._find(passage)
        return self._known[passage]

    def _find(self, passage: str) -> range:
        place = self.text.find(passage)
        if place >= 0:
            return self.tokens(place, place + len(passage))
        if self._squeezed is None:
            places = [n for n, c in enumerate(self.text) if not c.isspace()]
            self._squeezed = "".join(self.text[n] for n in places), places
        squeezed, places = self._squeezed
        wanted = "".join(passage.split())
        place = squeezed.find(wanted)
        if place < 0 or not wanted:
            return range(0)
        return self.tokens(places[place], places[place + len(wanted) - 1] + 1)


def means(figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The mean of each measure over all questions."""
    return {name: float(np.mean(values)) for name, values in figures.items()}


def percentiles(latency_ms: Sequence[float]) -> Iterator[tuple[str, float]]:
    """How long a question took, in milliseconds: p50, p90, p95, p99."""
    for percent in (50, 90, 95, 99):
        yield f"p{percent}", float(np.percentile(latency_ms, percent))
