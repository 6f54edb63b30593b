"""Ranked chunks → hits with their text, as they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from retrieval import light
from retrieval.candidates import Scored
from retrieval.errors import NotFound
from retrieval.plan import Plan
from retrieval.queries import Explanation, Hit, Query
from retrieval.shape import Shown, Span, trimmed, within_budget
from retrieval.snapshot import Reader
from retrieval.types import Chunk
from retrieval.view import View


@dataclass(frozen=True, slots=True)
class Shaped:
    """Hits, and what became of the chunks that are none."""

    hits: tuple[Hit, ...]
    returned: frozenset[int]  # chunks of the view that are hits
    merged: frozenset[int]  # chunks whose text better hits show
    over_budget: frozenset[int]  # chunks that `max_tokens` left out

    @property
    def is_full(self) -> bool:
        """Whether a budget, rather than a lack of candidates, ended the hits."""
        return bool(self.over_budget)


@dataclass(frozen=True, slots=True)
class _Found:
    """A hit in the making."""

    scored: Scored
    chunk: Chunk
    span: Span


def load(
    reader: Reader,
    view: View,
    ranked: Sequence[Scored],
    *,
    query: Query,
    plan: Plan,
    vector_store_id: str,
) -> Shaped:
    """The first `query.limit` hits of a ranking; what the store no longer has is left out."""
    shown = Shown()
    found: list[_Found] = []
    merged: list[int] = []
    for scored in ranked:
        if len(found) == query.limit:
            break
        chunk = _chunk(reader, scored.file_n, scored.ordinal)
        if chunk is None:
            continue
        span = shown.take(scored.file_n, (chunk.start_char, chunk.end_char))
        if span is None:
            merged.append(scored.chunk)
        else:
            found.append(_Found(scored, chunk, span))
    if query.neighbours:
        found = [_widened(reader, each, shown, n=query.neighbours) for each in found]
    hits = list(_hits(reader, view, found, plan=plan, vector_store_id=vector_store_id))
    kept = hits
    if query.max_tokens is not None:
        tokens = [_n_tokens(hit, each.chunk) for hit, each in zip(hits, found, strict=True)]
        kept = within_budget(hits, tokens, query.max_tokens)
    return Shaped(
        tuple(kept),
        returned=frozenset(each.scored.chunk for each in found[: len(kept)]),
        merged=frozenset(merged),
        over_budget=frozenset(each.scored.chunk for each in found[len(kept) :]),
    )


def _chunk(reader: Reader, file_n: int, ordinal: int) -> Chunk | None:
    try:
        return reader.chunk(file_n, ordinal)
    except NotFound:
        return None


def _widened(reader: Reader, found: _Found, shown: Shown, *, n: int) -> _Found:
    """With the text of the `n` chunks before and after, as far as no other hit shows it."""
    file_n, ordinal = found.scored.file_n, found.scored.ordinal
    around = [
        chunk
        for step in range(-n, n + 1)
        if ordinal + step >= 0 and (chunk := _chunk(reader, file_n, ordinal + step)) is not None
    ]
    wide = min(c.start_char for c in around), max(c.end_char for c in around)
    return replace(found, span=shown.widest(file_n, found.span, wide))


def _n_tokens(hit: Hit, chunk: Chunk) -> int:
    """Tokens of a hit's text, by the density of its chunk."""
    n_chars = max(1, chunk.end_char - chunk.start_char)
    return max(1, round(chunk.n_tokens * len(hit.text) / n_chars))


def _hits(
    reader: Reader, view: View, found: Sequence[_Found], *, plan: Plan, vector_store_id: str
) -> Iterator[Hit]:
    for each in found:
        scored, chunk = each.scored, each.chunk
        file = view.record(scored.chunk)
        text, span = trimmed(reader.text(scored.file_n, *each.span), each.span)
        yield Hit(
            vector_store_id=vector_store_id,
            file_id=file.file_id,
            filename=file.filename,
            attributes=file.attributes,
            chunk_ordinal=scored.ordinal,
            text=text,
            score=scored.score,
            start_char=span[0],
            end_char=span[1],
            place=chunk.place,
            heading_path=chunk.heading_path,
            explanation=explained(scored, plan=plan),
        )


def explained(scored: Scored, *, plan: Plan) -> Explanation:
    """Why a chunk stands where it stands."""
    features = dict(zip(light.FEATURES, scored.features, strict=False))
    return Explanation(
        plan=str(plan),
        dense=scored.dense,
        keyword=scored.keyword,
        fused=scored.fused,
        query=scored.query,
        features=features,
        weights=dict(light.WEIGHTS) if features else {},
        reranker=scored.second,
    )
