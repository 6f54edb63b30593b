"""Document → windows and chunks. Pure.

A **window** is what the model reads at once: whole sentences, list items, table rows. A
**chunk** is what is scored and returned: a run of windows. Windows do not overlap, chunks may;
overlapping chunks share windows, so every token is embedded once and none is cut off.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.prefix import MAX_PREFIX_TOKENS, Prefixes
from ingest.token_count import TokenCount
from ingest.windows import MIN_WINDOW_TOKENS, window_spans
from retrieval.types import Block, Chunk, ChunkingStrategy, Document, Place, Window

# Our measurement: 0.8 max + 0.2 mean over windows of this size ranks chunks better than any cut
# at the model's limit.
TARGET_WINDOW_TOKENS = 200
_N_SPECIAL_TOKENS = 2  # the model's own, around every text
# A chunk ends at a section border that comes when it is this full already.
_FULL_ENOUGH = 0.75


def cut(
    document: Document,
    strategy: ChunkingStrategy,
    *,
    filename: str,
    token_spans: Callable[[str], NDArray[np.int32]],
    max_tokens: int,
) -> tuple[list[Window], list[Chunk]]:
    """Cut a document into the windows that are embedded and the chunks that are returned.

    Args:
        document: its blocks hold all of its text but white space.
        strategy: size and overlap of chunks, in the model's tokens.
        filename: its words are put before each window for the model.
        token_spans: the model's tokenizer, as `Embedder.token_spans`.
        max_tokens: the longest text the model reads, special tokens included.

    Returns:
        Windows in order of the text, holding every character that is not white space exactly
        once; and chunks, each with at least one window that no chunk before it has, none
        larger than the strategy allows. Both are empty for a document without text.
    """
    count = TokenCount.of(document.text, token_spans)
    blocks = _Blocks.of(document)
    prefixes = Prefixes(filename, token_spans)
    target = _target_tokens(strategy, max_tokens)
    windows = []
    for ordinal, span in enumerate(window_spans(document, count=count, target=target)):
        room = max_tokens - _N_SPECIAL_TOKENS - span.n_tokens
        prefix = prefixes.of(blocks.headings_above(span.start), n_tokens=room)
        windows.append(Window(ordinal, span.start, span.end, span.n_tokens, prefix))
    return windows, list(_Runs(windows, blocks, count, strategy).chunks())


def _target_tokens(strategy: ChunkingStrategy, max_tokens: int) -> int:
    """Tokens of text a window may have. A model of short reach gets windows to match."""
    limits = [TARGET_WINDOW_TOKENS, strategy.max_chunk_size_tokens]
    if strategy.chunk_overlap_tokens > 0:
        limits.append(strategy.chunk_overlap_tokens)
    reach = max_tokens - _N_SPECIAL_TOKENS
    limits.append(reach - MAX_PREFIX_TOKENS)
    return min(max(min(limits), MIN_WINDOW_TOKENS), reach)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """A document's blocks, found by place."""

    blocks: Sequence[Block]
    _starts: Sequence[int]

    @classmethod
    def of(cls, document: Document) -> _Blocks:
        return cls(document.blocks, [block.start_char for block in document.blocks])

    def at(self, place: int) -> Block:
        return self.blocks[max(bisect_right(self._starts, place) - 1, 0)]

    def over(self, start: int, end: int) -> Sequence[Block]:
        """Every block with a character in text[start:end]."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        return self.blocks[first : bisect_left(self._starts, end)]

    def headings_above(self, place: int) -> tuple[str, ...]:
        """Headings over the block here; not the block itself if it is one."""
        block = self.at(place)
        return block.heading_path[:-1] if block.kind == "heading" else block.heading_path

    def starts_section(self, place: int) -> bool:
        return self.at(place).kind == "heading"

    def main_headings(self, start: int, end: int) -> tuple[str, ...]:
        """The heading path that most of text[start:end] stands under, the first of equals."""
        n_chars: Counter[tuple[str, ...]] = Counter()
        for block in self.over(start, end):
            shared = min(end, block.end_char) - max(start, block.start_char)
            n_chars[block.heading_path] += shared
        return max(n_chars, key=n_chars.__getitem__, default=())


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs of consecutive windows, by their first and last one."""

    windows: Sequence[Window]
    blocks: _Blocks
    count: TokenCount
    strategy: ChunkingStrategy

    def chunks(self) -> Iterator[Chunk]:
        first, last = 0, -1
        for ordinal in range(len(self.windows)):
            last = self._last(first, last + 1)
            yield self._chunk(ordinal, first, last)
            if last + 1 == len(self.windows):
                return
            first = self._next_first(last)

    def _n_tokens(self, first: int, last: int) -> int:
        return self.count.between(self.windows[first].start_char, self.windows[last].end_char)

    def _fits(self, first: int, last: int) -> bool:
        """Whether these windows may be one chunk: of the asked size, and of one sheet."""
        sheets = {self.blocks.at(self.windows[i].start_char).place.sheet for i in (first, last)}
        n_tokens = self._n_tokens(first, last)
        return n_tokens <= self.strategy.max_chunk_size_tokens and len(sheets) == 1

    def _last(self, first: int, new: int) -> int:
        """The last window of the chunk from `first`, which has to reach window `new`."""
        last = new
        while last + 1 < len(self.windows) and self._fits(first, last + 1):
            last += 1
        if last + 1 == len(self.windows):
            return last
        enough = _FULL_ENOUGH * self.strategy.max_chunk_size_tokens
        for end in range(last, new - 1, -1):
            if self.blocks.starts_section(self.windows[end + 1].start_char):
                return end if self._n_tokens(first, end) >= enough else last
        return last

    def _next_first(self, last: int) -> int:
        """Where the chunk after the one up to `last` begins: as much overlap as is allowed."""
        first = last + 1
        limit = self.strategy.chunk_overlap_tokens
        while (
            first > 0
            and self._n_tokens(first - 1, last) <= limit
            and self._fits(first - 1, last + 1)
        ):
            first -= 1
        return first

    def _chunk(self, ordinal: int, first: int, last: int) -> Chunk:
        start, end = self.windows[first].start_char, self.windows[last].end_char
        return Chunk(
            ordinal=ordinal,
            first_window=first,
            n_windows=last - first + 1,
            start_char=start,
            end_char=end,
            n_tokens=self._n_tokens(first, last),
            place=Place.over(block.place for block in self.blocks.over(start, end)),
            heading_path=self.blocks.main_headings(start, end),
        )
