"""The model that needs no model: answers in the files' own sentences, each cited.

It quotes what answers the question best, or says plainly that the files do not tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.answer.claims import place_before_stop
from api.answer.fill import filled
from api.answer.quoted import readable
from api.answer.select import select
from api.answer.stop import Stop
from api.answer.structure import Structure
from api.answer.truncate import entry_text
from api.answer.types import Cited, Finished, Search, Task, Usage, Writer, Written
from retrieval.queries import Citation, Hit

if TYPE_CHECKING:
    from api.engine import Engine
    from retrieval.embedder import Embedder

NOT_TOLD = "The files do not tell."
NOT_SEARCHED = (
    "No files were searched: this model answers from files only, by way of the file_search tool."
)


@dataclass(frozen=True, slots=True)
class Extractive:
    """Quotes the best-supported sentences of the hits."""

    engine: Engine

    def write(self, task: Task, *, stop: Stop) -> Writer:
        """See `Model.write`; `instructions` and sampling have nothing to act on here."""
        hits = (yield Search()) if task.can_search else None
        stop.check()
        kind = task.text_format["type"]
        if kind == "json_schema":
            pieces = filled(task, hits or (), select=self._select)
        else:
            citations = self._select(task.question, hits or ())
            make = _as_json if kind == "json_object" else _as_text
            pieces = make(citations, searched=task.can_search)
        yield from _limited(pieces, task, hits or (), self.engine.embedder)

    def _select(self, question: str, hits: Sequence[Hit]) -> tuple[Citation, ...]:
        if not hits:
            return ()
        blocks_of = Structure(self.engine).blocks
        return select(question, hits, embedder=self.engine.embedder, blocks_of=blocks_of)


def _as_text(citations: Sequence[Citation], *, searched: bool) -> Iterator[str | Cited]:
    if not citations:
        yield NOT_TOLD if searched else NOT_SEARCHED
    written = 0
    for n, citation in enumerate(citations):
        text = ("\n\n" if n else "") + readable(citation.quote)
        index = place_before_stop(text)
        yield text[:index]
        yield Cited((citation,), written + index)
        if text[index:]:
            yield text[index:]
        written += len(text)


def _as_json(citations: Sequence[Citation], *, searched: bool) -> Iterator[str | Cited]:
    """`{"found": …, "quotes": [{"text": …, "file_id": …, "filename": …}]}`, and a reason."""
    if not citations:
        reason = NOT_TOLD if searched else NOT_SEARCHED
        yield json.dumps({"found": False, "quotes": [], "reason": reason})
        return
    opening = '{"found": true, "quotes": ['
    written = 0
    for n, citation in enumerate(citations):
        quote = json.dumps(readable(citation.quote), ensure_ascii=False)[:-1]
        before = (", " if n else opening) + '{"text": ' + quote
        index = place_before_stop(before)
        file = {"file_id": citation.file_id, "filename": citation.filename}
        after = before[index:] + '", ' + json.dumps(file, ensure_ascii=False)[1:]
        yield before[:index]
        yield Cited((citation,), written + index)
        yield after
        written += index + len(after)
    yield "]}"


def _limited(
    pieces: Iterator[str | Cited], task: Task, hits: Sequence[Hit], embedder: Embedder
) -> Iterator[Written]:
    """The pieces up to `max_output_tokens`, then the end with its token counts."""
    limit = task.sampling.max_output_tokens
    n_tokens = 0
    for piece in pieces:
        if isinstance(piece, str):
            spans = embedder.token_spans(piece)
            if limit is not None and n_tokens + len(spans) > limit:
                room = limit - n_tokens
                if room:
                    yield piece[: int(spans[room - 1][1])]
                usage = _usage(task, hits, embedder, n_output=limit)
                yield Finished("max_output_tokens", usage)
                return
            n_tokens += len(spans)
        yield piece
    yield Finished("stop", _usage(task, hits, embedder, n_output=n_tokens))


def _usage(task: Task, hits: Sequence[Hit], embedder: Embedder, *, n_output: int) -> Usage:
    """What was read, in the embedding model's tokens: the conversation and the hits."""
    read = [entry_text(turn) for turn in task.turns] + [hit.text for hit in hits]
    return Usage(sum(len(embedder.token_spans(text)) for text in read), n_output)
