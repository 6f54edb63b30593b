"""The quotable units of some hits, and how well each answers a question.

Sentences are found by many weak signs together: the vector of the unit and of its neighbourhood,
words shared with the question (rare ones count more), whether the unit holds the kind of thing
that is asked for, and how well its chunk was found. The weights are in ``WEIGHTS``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import query_terms, terms
from retrieval.cite import Unit, units
from retrieval.fuse import blend
from retrieval.queries import Hit
from retrieval.types import Block, Vectors

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

BlocksOf = Callable[[Hit], Sequence[Block]]

MAX_UNITS = 120  # embedded for one question; about half a second on one core

_NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty"
    " thirty forty fifty sixty hundred thousand million billion half quarter third twice once"
)
_NUMBER = re.compile(rf"\d|\b(?:{'|'.join(_NUMBER_WORDS.split())})\b", re.IGNORECASE)
_DATE = re.compile(
    r"\b(?:1\d{3}|20\d{2}|January|February|March|April|May|June|July|August|September|October"
    r"|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|century)\b"
)
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z]\w+")
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|far|old|tall|big|large|often|high|fast|wide|deep|heavy|\w+ly)\b"
    r"|\bwhat (?:percent\w*|number|amount|fraction|share|price|cost|age|size|rate)\b"
    r"|\bpercent|\bweigh",
    re.IGNORECASE,
)
_ASKS_DATE = re.compile(
    r"\bwhen\b|\bhow soon\b"
    r"|\b(?:what|which) (?:year|date|days?|month|time|century|decade|weekday)\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\bwho(?:m|se)?\b|\bwhere\b|\b(?:what|which) (?:city|country|place|state|town|person)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"(?:It|This|That|They|He|She|These|Those|Its|His|Her|Their)\b")

# Weight of each sign, in nats of the odds that a unit is the answering one; fitted on judged
# questions (decision 0006).
WEIGHTS = {
    "cosine": 9.6,
    "cosine_nearby": 3.3,
    "words": 3.2,
    "words_nearby": 4.5,
    "words_heading": 3.9,
    "hit": 13.2,
    "number": 2.0,
    "date": 1.1,
    "name": 3.7,
    "news": 1.0,
    "length": -0.3,
    "same_numbers": 0.2,
    "is_row": 0.7,
    "is_other": -2.8,
    "is_question": -5.8,
    "points_back": 0.7,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit with what is needed to judge and to quote it."""

    hit: Hit
    hit_rank: int
    unit: Unit
    text: str
    terms: frozenset[str]
    heading_terms: frozenset[str]
    kind: str  # of its block; "" if not known


@dataclass(frozen=True, slots=True)
class Evidence:
    """Candidates in reading order, hit by hit, each with its vector."""

    candidates: tuple[Candidate, ...]
    vectors: Vectors  # (n_candidates, dim)


def gather(
    question: str, hits: Sequence[Hit], *, embedder: Embedder, blocks_of: BlocksOf
) -> Evidence:
    """The units of the best hits, each once although chunks overlap, and their vectors.

    Whole hits are taken, best first, until there are MAX_UNITS; of a longer first hit, the
    units that share most words with the question.
    """
    found: list[Candidate] = []
    seen: set[tuple[str, int]] = set()
    for rank, hit in enumerate(hits):
        fresh = [
            candidate
            for candidate in candidates_of(hit, rank, blocks_of(hit))
            if (hit.file_id, candidate.unit.end_char) not in seen
        ]
        if found and len(found) + len(fresh) > MAX_UNITS:
            break
        seen.update((hit.file_id, candidate.unit.end_char) for candidate in fresh)
        found.extend(fresh)
    kept = _most_promising(question, found)
    return Evidence(tuple(kept), embedded([each.text for each in kept], embedder))


def candidates_of(hit: Hit, rank: int, blocks: Sequence[Block]) -> list[Candidate]:
    """A hit's units but its headings, which announce and do not tell."""
    found = []
    for unit in units(hit, blocks):
        if unit.is_heading:
            continue
        block = next((b for b in blocks if b.start_char <= unit.start_char < b.end_char), None)
        headings = block.heading_path if block else hit.heading_path
        text = hit.text[unit.start_char - hit.start_char : unit.end_char - hit.start_char]
        found.append(
            Candidate(
                hit=hit,
                hit_rank=rank,
                unit=unit,
                text=text,
                terms=frozenset(terms(text)),
                heading_terms=frozenset(terms(" ".join(headings[-2:]))),
                kind=block.kind if block else "",
            )
        )
    return found


def embedded(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """(n_texts, dim) unit rows; a text longer than the model reads counts by its beginning."""
    if not texts:
        return np.zeros((0, embedder.dim), np.float32)
    room = embedder.max_tokens - 2  # special tokens
    cut = []
    for text in texts:
        spans = embedder.token_spans(text) if len(text) > room else ()
        cut.append(text[: int(spans[room - 1][1])] if len(spans) > room else text)
    return embedder.embed(cut)


def _most_promising(question: str, found: list[Candidate]) -> list[Candidate]:
    if len(found) <= MAX_UNITS:
        return found
    wanted = set(query_terms(question))
    shares = [len(wanted & each.terms) for each in found]
    order = sorted(range(len(found)), key=lambda i: (-shares[i], i))[:MAX_UNITS]
    return [found[i] for i in sorted(order)]


def judge(question: str, evidence: Evidence, *, embedder: Embedder) -> NDArray[np.float64]:
    """(n_candidates,) log odds, up to a constant, that a candidate answers the question."""
    weights = np.array(list(WEIGHTS.values()))
    odds: NDArray[np.float64] = signs(question, evidence, embedder=embedder) @ weights
    return odds


def signs(question: str, evidence: Evidence, *, embedder: Embedder) -> NDArray[np.float64]:
    """(n_candidates, n_signs) in the order of WEIGHTS."""
    candidates = evidence.candidates
    if not candidates:
        return np.zeros((0, len(WEIGHTS)))
    asked = embedder.embed_query(question)
    words = _Words.of(question, candidates)
    nearby = [_nearby(candidates, index) for index in range(len(candidates))]
    means = np.stack([evidence.vectors[span].mean(0) for span in nearby])
    norms = np.maximum(np.linalg.norm(means, axis=1), 1e-9)
    found = _found([candidate.hit for candidate in candidates])
    rows = [
        [
            words.shared(candidate.terms),
            words.shared(frozenset().union(*(other.terms for other in candidates[span]))),
            words.shared(candidate.terms | candidate.heading_terms),
            found[candidate.hit.id],
            *_kind_signs(question, candidate),
            min(len(candidate.terms - words.wanted), 12) / 12,
            math.log(max(len(candidate.text), 8) / 100),
            words.shared_numbers(candidate.terms),
            candidate.kind == "table_row",
            candidate.kind == "other",
            candidate.text.endswith("?"),
            bool(_POINTS_BACK.match(candidate.text)),
        ]
        for candidate, span in zip(candidates, nearby, strict=True)
    ]
    cosines = np.column_stack([evidence.vectors @ asked, (means @ asked) / norms])
    return np.hstack([cosines, np.array(rows, np.float64)])


def _found(hits: Sequence[Hit]) -> dict[str, float]:
    """How well each hit was found, from its two legs.

    Not `Hit.score`: what that means depends on the ranker, and its calibration may change.
    """
    legs = {hit.id: (hit.explanation.dense.score, hit.explanation.keyword.score) for hit in hits}
    dense, keyword = np.array(list(legs.values())).T
    return dict(zip(legs, blend(dense, keyword).tolist(), strict=True))


def _kind_signs(question: str, candidate: Candidate) -> tuple[bool, bool, bool]:
    """Whether the kind of thing asked for is there: a number, a date, a name."""
    wants_number = bool(_ASKS_NUMBER.search(question))
    wants_date = not wants_number and bool(_ASKS_DATE.search(question))
    wants_name = not wants_number and not wants_date and bool(_ASKS_NAME.search(question))
    return (
        wants_number and bool(_NUMBER.search(candidate.text)),
        wants_date and bool(_DATE.search(candidate.text)),
        wants_name and bool(_NAME.search(candidate.text)),
    )


def _nearby(candidates: Sequence[Candidate], index: int) -> slice:
    """The candidate with its neighbours of the same hit."""
    hit = candidates[index].hit
    first = index - 1 if index and candidates[index - 1].hit is hit else index
    more = index + 1 < len(candidates) and candidates[index + 1].hit is hit
    return slice(first, index + 2 if more else index + 1)


@dataclass(frozen=True, slots=True)
class _Words:
    """The question's words, the rare ones among the candidates weighing more."""

    wanted: frozenset[str]
    weights: dict[str, float]
    total: float

    @classmethod
    def of(cls, question: str, candidates: Sequence[Candidate]) -> _Words:
        wanted = frozenset(query_terms(question))
        counts = Counter(term for each in candidates for term in each.terms & wanted)
        n = len(candidates)
        # Lucene's idf, over the units at hand: what all of them are about tells them not apart.
        weights = {t: math.log(1 + (n - counts[t] + 0.5) / (counts[t] + 0.5)) for t in wanted}
        return cls(wanted, weights, sum(weights.values()) or 1.0)

    def shared(self, given: frozenset[str]) -> float:
        """Share of the question's weight that `given` has, 0 to 1."""
        return sum(self.weights[term] for term in self.wanted & given) / self.total

    def shared_numbers(self, given: frozenset[str]) -> float:
        numbers = {term for term in self.wanted if any(c.isdigit() for c in term)}
        return len(numbers & given) / len(numbers) if numbers else 0.0
