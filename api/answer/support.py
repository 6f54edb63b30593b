"""Whether hits answer a question at all, or are merely about the same thing.

Seven signs, none of which looks at the scores of the hits: what those are depends on the size of
the vector store, and on its calibration. The strongest takes the words of the question that the
best hit lacks, and strikes them from it: if the question then means something much nearer to
the passage, the passage is about something else. Decision 0024 has the figures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from api.answer.evidence import WEIGHTS as SENTENCE_WEIGHTS
from api.answer.evidence import Evidence, embedded
from api.answer.kinds import has_kind, kind_asked
from retrieval.analysis import terms
from retrieval.queries import Hit
from retrieval.verify.names import knows, names
from retrieval.verify.source import Reading

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

# Fitted on questions with and without an answer by `tests/quality/fit_support.py`.
SHIFT = 0.29
WEIGHTS = {
    "nearest": 5.34,
    "lacking": -2.09,
    "estranged": -14.19,
    "estranged_each": -16.07,
    "scattered": -0.5,
    "other_kind": -2.79,
    "strange_names": -1.0,
}
# Below it the files "do not tell". Lower and near misses get quoted, higher and answers that
# share few words with their question get lost.
MIN_SUPPORT = 0.5

# How much nearer the struck words may bring the question to the passage; of more, as when they
# are all that it says, nothing follows.
MOST_DRAWN = 0.1
MAX_WORDS = 40  # of a question, weighed; each is embedded
_COSINE = list(SENTENCE_WEIGHTS).index("cosine")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def support(signs: Mapping[str, float]) -> float:
    """How likely the question is answered, 0 to 1."""
    total = SHIFT + sum(WEIGHTS[name] * value for name, value in signs.items())
    return 1.0 / (1.0 + math.exp(-total))


def support_signs(
    question: str,
    evidence: Evidence,
    seen: NDArray[np.float64],
    odds: NDArray[np.float64],
    *,
    quote: str,
    embedder: Embedder,
) -> dict[str, float]:
    """What speaks for and against the best unit being an answer, in the order of WEIGHTS.

    Args:
        question: as the user put it.
        evidence: its candidates; at least one.
        seen: (n_candidates, n_signs) of `evidence.signs`.
        odds: (n_candidates,) log odds of each against the others.
        quote: what would be quoted first.
        embedder: of the candidates' vectors.
    """
    best = int(np.argmax(odds))
    known = _Known(evidence.candidates[best].hit)
    chances = np.exp(odds - odds.max())
    chances /= chances.sum()
    kind = kind_asked(question)
    return {
        "nearest": float(seen[:, _COSINE].max()),
        **_without(question, known, evidence.vectors[best], embedder),
        "scattered": float(-(chances * np.log(chances + 1e-12)).sum()),
        "other_kind": float(kind is not None and not has_kind(kind, quote, question=question)),
        "strange_names": float(known.n_strange_names(question)),
    }


class _Known:
    """The words of a hit, of its headings and its file's name."""

    def __init__(self, hit: Hit) -> None:
        text = "\n".join([hit.text, *hit.heading_path, hit.filename])
        self._reading = Reading(text)
        self._terms = frozenset(terms(text))

    def lacks(self, question: str) -> list[str]:
        """Content words of a question that the hit does not have, folded."""
        content = Reading(question).content
        return [word for word, stem in content.items() if stem not in self._terms]

    def n_strange_names(self, question: str) -> int:
        """How many names of a question it does not have."""
        wanted = [name.folded for name in names(question) if not name.starts_sentence]
        if not wanted:
            return 0
        told = self._reading.folded_words | {name.folded for name in self._reading.names}
        return sum(not knows(name, told) for name in wanted)


def _without(
    question: str, known: _Known, passage: NDArray[np.float32], embedder: Embedder
) -> dict[str, float]:
    """How much of a question's meaning hangs on words that a hit lacks, in three ways.

    `lacking` is its share, 0 to 1, where each word weighs what the question's vector loses
    without it. `estranged` is by how much, as cosine, the question is nearer to the passage
    without all of those words; `estranged_each` adds that up word by word, where it is nearer.
    """
    lacking = known.lacks(question)
    if not lacking:
        return {"lacking": 0.0, "estranged": 0.0, "estranged_each": 0.0}
    content = list(dict.fromkeys([*lacking, *Reading(question).content]))[:MAX_WORDS]
    texts = [question, _struck(question, set(lacking))]
    vectors = embedded([*texts, *(_struck(question, {word}) for word in content)], embedder)
    whole, rest, struck = vectors[0], vectors[1], vectors[2:]
    weights = 1.0 - struck @ whole
    is_lacking = np.array([word in lacking for word in content])
    gains = (struck - whole) @ passage
    return {
        "lacking": float(weights[is_lacking].sum() / max(float(weights.sum()), 1e-9)),
        "estranged": max(-MOST_DRAWN, float((rest - whole) @ passage)),
        "estranged_each": float(np.maximum(gains[is_lacking], 0.0).sum()),
    }


def _struck(question: str, words: set[str]) -> str:
    """A question without some of its words."""
    return _WORD.sub(lambda match: "" if match[0].casefold() in words else match[0], question)
