"""One text of a query → its ranked candidates, by the ranker that the query asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retrieval import keyword, light, recipe_2024_11_15, threshold
from retrieval.analysis import query_terms, tokens
from retrieval.candidates import Candidates
from retrieval.errors import NotFound
from retrieval.features import matches
from retrieval.legs import Legs
from retrieval.phrases import N_CANDIDATES, Texts, quoted, shares
from retrieval.queries import Query
from retrieval.snapshot import Reader
from retrieval.view import View

_LEAST = 1e-9  # instead of dividing by 0


def rank(
    legs: Legs, texts: Texts, *, query: Query, text: str, vector: NDArray[np.float32], n: int
) -> Candidates:
    """The best `n` candidates with their scores, best first.

    Args:
        legs: of the text.
        texts: reads chunks by file and ordinal.
        query: whose ranking options decide.
        text: one of the query's.
        vector: of the text, unit.
        n: how many.
    """
    if legs.plan.kind == "none":
        return replace(legs.blended(vector, n=0), scores=np.empty(0))
    if query.weights:
        return legs.by_ranks(vector, query.weights, n=n)
    if query.ranker == "default-2024-11-15":
        return recipe_2024_11_15.rank(legs, vector, n=n)
    wanted = quoted(text)
    first = legs.blended(vector, n=max(n, N_CANDIDATES if wanted else light.N_RANKED))
    if query.ranker == "none":
        return _calibrated(first, legs.view, text, threshold.FIRST).head(n)
    if wanted:
        held = shares(legs.view, first, texts, wanted)
        first = first.reordered(first.fused + light.WEIGHTS["phrase"] * held)
    best = _by_light(legs, texts, first, text=text, vector=vector, wanted=wanted)
    best = _calibrated(best, legs.view, text, threshold.LIGHT).head(n)
    if not len(best.chunks):
        return best
    sure = threshold.belonging(*belonging_signs(legs.view, best, text))
    return replace(best, scores=best.scores * sure)


def _calibrated(ranked: Candidates, view: View, text: str, curve: threshold.Curve) -> Candidates:
    return replace(ranked, scores=curve.at(ranked.fused, curve_signs(view, text)))


def curve_signs(view: View, text: str) -> threshold.Signs:
    """What tells how often a hit for a question is relevant, if it is one for these files."""
    has_number = any(character.isdigit() for character in text)
    return threshold.Signs(view.n_chunks, view.n_terms, has_number)


def belonging_signs(view: View, ranked: Candidates, text: str) -> tuple[float, float]:
    """The best cosine, and the share of the question's words, by weight, in the first hit."""
    idf = keyword.idfs(view, dict.fromkeys(query_terms(text, view.languages)))
    held = float(matches(view, ranked.chunks[:1], idf).coverage[0])
    nearest = float(ranked.dense[: light.N_RANKED].max())
    return nearest, held * _known_share(view, idf, text)


def _known_share(view: View, idf: Mapping[str, float], text: str) -> float:
    """Share of a question's words, by weight, that some file holds in any form."""
    known = sum(idf.values())
    unknown = 0
    for token in set(tokens(text)):
        forms = [term for term in query_terms(token, view.languages) if term in idf]
        unknown += bool(forms) and not any(idf[term] for term in forms)
    return known / max(known + unknown * math.log1p(view.n_chunks), _LEAST)


def _by_light(
    legs: Legs,
    texts: Texts,
    first: Candidates,
    *,
    text: str,
    vector: NDArray[np.float32],
    wanted: Sequence[Sequence[str]],
) -> Candidates:
    """The first hundred in the light ranker's order, those below in their own."""
    top = first.head(light.N_RANKED)
    evidence = light.gather(
        legs.view,
        top,
        question=text,
        words=legs.words,
        vector=vector,
        leading=texts(top.file_n[: light.N_FEEDBACK], top.ordinal[: light.N_FEEDBACK]),
        phrase=shares(legs.view, top, texts, wanted),
    )
    ranked = replace(top, features=evidence.matrix()).reordered(light.rank(evidence))
    if len(first.chunks) == len(ranked.chunks):
        return ranked
    return ranked.followed_by(first.tail(light.N_RANKED))


def reader_of_texts(reader: Reader) -> Texts:
    """Reads the texts of chunks; one that the store no longer has is empty."""

    def read(files: NDArray[np.int64], ordinals: NDArray[np.int64]) -> Sequence[str]:
        return [text_of(reader, int(f), int(o)) for f, o in zip(files, ordinals, strict=True)]

    return read


def text_of(reader: Reader, file_n: int, ordinal: int) -> str:
    """The text of one chunk, empty where the store no longer has it."""
    try:
        chunk = reader.chunk(file_n, ordinal)
        return reader.text(file_n, chunk.start_char, chunk.end_char)
    except NotFound:
        return ""
