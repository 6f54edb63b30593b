"""Claim and source → how well the source bears the claim out, and where it does.

First the sentences nearest to the claim are found, then everything that can be checked exactly is,
and what is left is how much of the meaning is there. A logistic function makes one score of it;
its weights were fitted on sentences whose truth is known (decision 0015).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.cite import text_units
from retrieval.queries import Finding
from retrieval.verify.checks import (
    Amiss,
    check_dates,
    check_denial,
    check_names,
    check_numbers,
    check_quotes,
    check_units,
)
from retrieval.verify.edits import Comparison, compare
from retrieval.verify.likeness import Vectorised, exact_share
from retrieval.verify.quantities import same
from retrieval.verify.source import Reading, Source

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

MIN_SUPPORT = 0.5  # below it a source does not bear a claim out
_MAX_RUN = 3  # sentences that a claim may draw together
# A further sentence must add this share of the claim's words to be taken in.
_RUN_COST = 0.1
_MIN_STATED = 2  # words, numbers or dates
_N_SOURCES = 256  # kept, most recently used
_N_COMPARED = 4  # sentences compared by meaning, if words leave it open
_MAX_BEHIND = 0.2  # how much less of the claim they may hold than the first
_LIKE = 0.5  # cosine from which on the first one needs no comparing
_CERTAIN = 0.6  # share of the claim that a sentence must hold to be the one beyond doubt
_CLEAR = 0.3  # how much more it must hold than the next one
_FIGURES = 0.2  # what numbers and dates add to the share of words
_COPY = 0.75  # share of equal words from which on meaning need not be compared

WEIGHTS = {
    "bias": -1.1,
    "cosine": 4.5,
    "unlike": -1.0,
    "number_conflict": -5.7,
    "number_missing": -4.0,
    "date_conflict": -5.2,
    "date_missing": -4.0,
    "unit": -4.0,
    "name_conflict": -5.3,
    "name_missing": -3.8,
    "denial": -4.0,
    "quote": -5.0,
}
# Of a claim that a check has found wrong, meaning is not compared: it could not make up for that.
_NEUTRAL = 0.7
_UNLIKE = 0.6  # cosine from which down it counts twice
REASONS = {
    "number_conflict": "number", "number_missing": "number", "date_conflict": "date",
    "date_missing": "date", "unit": "unit", "name_conflict": "entity", "name_missing": "entity",
    "denial": "negation", "quote": "quote",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well a source bears a claim out."""

    score: float  # support, 0 to 1
    findings: tuple[Finding, ...]  # what lowers it, worst first
    start_char: int  # the nearest sentences of the source
    end_char: int

    @property
    def supported(self) -> bool:
        """Whether the score reaches MIN_SUPPORT."""
        return self.score >= MIN_SUPPORT


@dataclass(frozen=True, slots=True)
class Signs:
    """What the verdict is made of: values in the order of WEIGHTS, but for the bias."""

    values: dict[str, float]
    shown: dict[str, tuple[str, ...]]
    run: Reading


class Verifier:
    """Checks claims against sources; safe for threads. Sources and words seen are kept."""

    def __init__(self, embedder: Embedder) -> None:
        self._vectors = Vectorised(embedder)
        self._sources: OrderedDict[tuple[str, str], Source] = OrderedDict()
        self._lock = Lock()

    def verify(self, claim: str, source: str, *, context: str = "") -> Verdict:
        """Whether `source` bears `claim` out.

        Args:
            claim: one sentence; of more, all must be borne out by neighbouring sentences.
            source: any length; quotes are looked for in all of it.
            context: what is known beside the source, such as file name and headings.
        """
        found = self.signs(claim, source, context=context)
        if found is None:
            return Verdict(0.0, (Finding("support", ""),), 0, 0)
        total = WEIGHTS["bias"] + sum(WEIGHTS[k] * v for k, v in found.values.items())
        score = 1.0 / (1.0 + math.exp(-total))
        end = found.run.start + len(found.run.text)
        return Verdict(score, _findings(found, score), found.run.start, end)

    def states(self, claim: str) -> bool:
        """Whether a sentence states anything that a source could bear out.

        "Here is what I found:" does not, nor does a question or a single word.
        """
        read = Reading(claim)
        n_facts = len(read.quantities) + len(read.dates)
        ends = claim.rstrip("\"'”’)]* ")[-1:]
        return ends not in {"?", ":"} and len(read.content) + n_facts >= _MIN_STATED

    def held(self, claim: str, source: str, *, context: str = "") -> float:
        """About how much of a claim one sentence of a source has, by words and numbers alone."""
        told = self._source(source, context)
        return float(_held_by_each(Reading(claim), told).max(initial=0.0))

    def signs(self, claim: str, source: str, *, context: str = "") -> Signs | None:
        """What speaks for and against; None if the source or the claim has no words."""
        read, told = Reading(claim), self._source(source, context)
        if not told.sentences or not read.folded_words:
            return None
        run = nearest(read, told, self._vectors)
        how = compare(read.words, run.words)
        return _signs(read, run, told, how, self._vectors)

    def _source(self, text: str, context: str) -> Source:
        with self._lock:
            if (text, context) in self._sources:
                self._sources.move_to_end((text, context))
                return self._sources[text, context]
        source = Source(text, context=context)
        with self._lock:
            self._sources[text, context] = source
            if len(self._sources) > _N_SOURCES:
                self._sources.popitem(last=False)
        return source


def nearest(claim: Reading, source: Source, vectors: Vectorised) -> Reading:
    """The run of up to three sentences that holds most of the claim, by words, numbers, meaning."""
    at = _nearest_sentence(claim, source, vectors)
    best, found = -1.0, source.sentences[at]
    for first in range(max(0, at - _MAX_RUN + 1), at + 1):
        for last in range(at, min(len(source.sentences), first + _MAX_RUN)):
            run = source.run(first, last)
            value = exact_share(claim, run, source) - _RUN_COST * (last - first)
            if value > best + 1e-9:
                best, found = value, run
    return found


def _nearest_sentence(claim: Reading, source: Source, vectors: Vectorised) -> int:
    """Its place in the source. Meaning is asked where words leave it open: it costs most."""
    held = _held_by_each(claim, source)
    order = [int(n) for n in np.argsort(-held, kind="stable")[:_N_COMPARED]]
    first = order[0]
    near = [n for n in order if held[n] >= held[first] - _MAX_BEHIND]
    if len(near) < 2 or held[first] >= min(_CERTAIN, held[order[1]] + _CLEAR):  # noqa: PLR2004
        return first
    texts = [source.sentences[n].text for n in near]
    if vectors.likeness(claim.text, texts[:1])[0] >= _LIKE:
        return first
    return near[int(np.argmax(held[near] + vectors.likeness(claim.text, texts)))]


def _held_by_each(claim: Reading, source: Source) -> NDArray[np.float64]:
    """(n_sentences,) share of the claim's words that each has, and of its numbers and dates."""
    held = np.zeros(len(source.sentences))
    total = 0.0
    for stem in claim.content.values():
        weight = source.weights.get(stem, source.rare)
        total += weight
        held[source.holders.get(stem, [])] += weight
    held /= total or 1.0
    if claim.quantities or claim.dates:
        held += [_FIGURES * _figures_held(claim, each) for each in source.sentences]
    return held


def _figures_held(claim: Reading, run: Reading) -> float:
    wanted = len(claim.quantities) + len(claim.dates)
    if not wanted or not (run.quantities or run.dates):
        return 0.0
    held = sum(any(same(q, each) for each in run.quantities) for q in claim.quantities)
    held += sum(any(d.agrees(each) for each in run.dates) for d in claim.dates)
    return held / wanted


def _signs(
    claim: Reading, run: Reading, source: Source, how: Comparison, vectors: Vectorised
) -> Signs:
    found = {
        "number": check_numbers(claim, run, source),
        "date": check_dates(claim, run, source),
        "name": check_names(claim, run, source, how),
        "unit": check_units(how),
        "denial": check_denial(claim, run, how),
        "quote": check_quotes(claim, source),
    }
    amiss = _amiss_values(found)
    cosine = _NEUTRAL if any(amiss.values()) else _cosine(claim, run, how, vectors)
    values = {"cosine": cosine, "unlike": max(0.0, _UNLIKE - cosine), **amiss}
    return Signs(values, _shown(found), run)


def _cosine(claim: Reading, run: Reading, how: Comparison, vectors: Vectorised) -> float:
    """Likeness of meaning; of a near copy the share of equal words, which costs nothing."""
    if how.equal >= _COPY:
        return how.equal
    return vectors.likeness_of_run(claim.text, [run.text[s:e] for s, e in text_units(run.text)])


def _amiss_values(found: dict[str, Amiss]) -> dict[str, float]:
    return {
        "number_conflict": min(1, found["number"].conflicts),
        "number_missing": min(1, found["number"].missing),
        "date_conflict": min(1, found["date"].conflicts),
        "date_missing": min(1, found["date"].missing),
        "unit": min(1, found["unit"].conflicts),
        "name_conflict": min(2, found["name"].conflicts),
        "name_missing": min(2, found["name"].missing),
        "denial": found["denial"].conflicts,
        "quote": min(1, found["quote"].missing),
    }


def _shown(found: dict[str, Amiss]) -> dict[str, tuple[str, ...]]:
    keys = {"entity": "name", "negation": "denial"}
    return {kind: found[keys.get(kind, kind)].shown for kind in set(REASONS.values())}


def _findings(found: Signs, score: float) -> tuple[Finding, ...]:
    kinds = [(WEIGHTS[name], kind) for name, kind in REASONS.items() if found.values[name]]
    named = list(dict.fromkeys(kind for _, kind in sorted(kinds)))
    findings = [Finding(kind, text) for kind in named for text in found.shown[kind] or ("",)]
    if score < MIN_SUPPORT and not findings:
        findings.append(Finding("support", ""))
    return tuple(findings)
