"""The model that needs no model: answers in the files' own sentences, each cited.

It quotes what answers the question best, or says plainly that the files do not tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.answer.claims import place_before_stop
from api.answer.select import select
from api.answer.stop import Stop
from api.answer.structure import Structure
from api.answer.types import Cited, Finished, Task, Usage, Written
from retrieval.types import Citation, Hit

if TYPE_CHECKING:
    from api.engine import Engine
    from retrieval.embedder import Embedder

NOT_TOLD = "The files do not tell."
NOT_SEARCHED = (
    "No files were searched: this model answers from files only, by way of the file_search tool."
)

_SPACES = re.compile(r"[ \t]+")
_STANDS_ALONE = re.compile(
    r"\s\|\s|\t|^\s*[-*•]\s|[:;]$"
)  # a row, an item, or what announces them


@dataclass(frozen=True, slots=True)
class Extractive:
    """Quotes the best-supported sentences of the hits."""

    engine: Engine

    def write(self, task: Task, *, stop: Stop) -> Iterator[Written]:
        """See `Model.write`; `instructions` and sampling have nothing to act on here."""
        embedder = self.engine.embedder
        citations: tuple[Citation, ...] = ()
        if task.hits:
            blocks_of = Structure(self.engine).blocks
            citations = select(task.question, task.hits, embedder=embedder, blocks_of=blocks_of)
        stop.check()
        if task.text_format["type"] == "json_object":
            pieces = _as_json(citations, searched=task.hits is not None)
        else:
            pieces = _as_text(citations, searched=task.hits is not None)
        yield from _limited(pieces, task, embedder)


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


def readable(quote: str) -> str:
    r"""A quote without the line breaks of its page; rows and items keep theirs.

    >>> readable("It opens at\n  nine.")
    'It opens at nine.'
    """
    lines = [line.strip() for line in quote.splitlines() if line.strip()]
    text = ""
    for line, before in zip(lines, ["", *lines[:-1]], strict=True):
        own_line = _STANDS_ALONE.search(line) or _STANDS_ALONE.search(before)
        text += ("\n" if own_line else " ") * bool(text) + line
    return _SPACES.sub(" ", text)


def _limited(pieces: Iterator[str | Cited], task: Task, embedder: Embedder) -> Iterator[Written]:
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
                usage = _usage(task, embedder, n_output=limit)
                yield Finished("max_output_tokens", usage)
                return
            n_tokens += len(spans)
        yield piece
    yield Finished("stop", _usage(task, embedder, n_output=n_tokens))


def _usage(task: Task, embedder: Embedder, *, n_output: int) -> Usage:
    """What was read, in the embedding model's tokens: the conversation and the hits."""
    read = [turn.text for turn in task.turns] + [hit.text for hit in _hits(task)]
    return Usage(sum(len(embedder.token_spans(text)) for text in read), n_output)


def _hits(task: Task) -> tuple[Hit, ...]:
    return task.hits or ()
