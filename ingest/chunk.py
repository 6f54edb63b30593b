"""Document → windows and chunks. Pure.

A **window** is what the model reads at once: whole sentences, list items, table rows. A
**chunk** is what is scored and returned: a run of windows. Windows do not overlap, chunks may;
overlapping chunks share windows, so every token is embedded once and none is cut off.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.pieces import Held, Piece, Source
from ingest.prefix import MAX_PREFIX_TOKENS, Prefixes
from ingest.token_count import TokenCount, TokenSpans
from ingest.window_table import WindowTable
from ingest.windows import MIN_WINDOW_TOKENS, window_spans
from retrieval.types import Block, Chunk, ChunkingStrategy, Document, Place, Window

# Our measurement: 0.8 max + 0.2 mean over windows of this size ranks chunks better than any cut
# at the model's limit.
TARGET_WINDOW_TOKENS = 200
_N_SPECIAL_TOKENS = 2  # the model's own, around every text
# A chunk ends at a section border that comes when it is this full already.
_FULL_ENOUGH = 0.75
_WORTH_FORGETTING_BLOCKS = 512
_WINDOWS_PER_STEP = 1024  # a tenth of a second's work


def cut(
    document: Document,
    strategy: ChunkingStrategy,
    *,
    filename: str,
    token_spans: TokenSpans,
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
    source = Held(document)
    table = WindowTable()
    for _ in cut_windows(
        source,
        strategy,
        into=table,
        filename=filename,
        token_spans=token_spans,
        max_tokens=max_tokens,
    ):
        pass
    return list(table), list(cut_chunks(source, table, strategy, token_spans=token_spans))


def cut_windows(
    source: Source,
    strategy: ChunkingStrategy,
    *,
    into: WindowTable,
    filename: str,
    token_spans: TokenSpans,
    max_tokens: int,
) -> Iterator[int]:
    """The first half of `cut`, in bounded memory: fills a table with the document's windows.

    Yields:
        Characters that are done, now and then, so that the caller may stop.
    """
    count, blocks = TokenCount(token_spans), _Blocks()
    prefixes = Prefixes(filename, token_spans)
    target = _target_tokens(strategy, max_tokens)

    def given() -> Iterator[Piece]:
        for piece in source.pieces():
            count.extend(piece.text)
            blocks.extend(piece.blocks)
            yield piece

    for span in window_spans(given(), count=count, target=target):
        room = max_tokens - _N_SPECIAL_TOKENS - span.n_tokens
        block = blocks.at(span.start)
        prefix = prefixes.of(_headings_above(block), n_tokens=room)
        opens = block.kind == "heading"
        into.append(span, prefix=prefix, sheet=block.place.sheet, opens_section=opens)
        if len(into) % _WINDOWS_PER_STEP == 0:
            blocks.forget(span.start)
            yield span.end


def cut_chunks(
    source: Source, windows: WindowTable, strategy: ChunkingStrategy, *, token_spans: TokenSpans
) -> Iterator[Chunk]:
    """The second half of `cut`: the chunks that the windows make."""
    return _Runs(source, windows, strategy, token_spans).chunks()


def _target_tokens(strategy: ChunkingStrategy, max_tokens: int) -> int:
    """Tokens of text a window may have. A model of short reach gets windows to match."""
    limits = [TARGET_WINDOW_TOKENS, strategy.max_chunk_size_tokens]
    if strategy.chunk_overlap_tokens > 0:
        limits.append(strategy.chunk_overlap_tokens)
    reach = max_tokens - _N_SPECIAL_TOKENS
    limits.append(reach - MAX_PREFIX_TOKENS)
    return min(max(min(limits), MIN_WINDOW_TOKENS), reach)


class _Blocks:
    """A document's blocks by place; they come piece by piece and those behind are forgotten."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._starts: list[int] = []

    def extend(self, blocks: Iterable[Block]) -> None:
        """Take the blocks of the next piece."""
        self._blocks.extend(blocks)
        self._starts.extend(block.start_char for block in self._blocks[len(self._starts) :])

    def forget(self, place: int) -> None:
        """Let go of the blocks before the one at `place`, if they are many."""
        n_gone = self._index(place)
        if n_gone < _WORTH_FORGETTING_BLOCKS:
            return
        del self._blocks[:n_gone]
        del self._starts[:n_gone]

    def at(self, place: int) -> Block:
        return self._blocks[self._index(place)]

    def over(self, start: int, end: int) -> Sequence[Block]:
        """Every block with a character in text[start:end]."""
        return self._blocks[self._index(start) : bisect_left(self._starts, end)]

    @property
    def reach(self) -> int:
        """Where the last block that has come begins; -1 before there is one."""
        return self._starts[-1] if self._starts else -1

    def _index(self, place: int) -> int:
        return max(bisect_right(self._starts, place) - 1, 0)


def _headings_above(block: Block) -> tuple[str, ...]:
    """Headings over the block; not the block itself if it is one."""
    return block.heading_path[:-1] if block.kind == "heading" else block.heading_path


def _main_headings(blocks: Iterable[Block], start: int, end: int) -> tuple[str, ...]:
    """The heading path that most of text[start:end] stands under, the first of equals."""
    n_chars: Counter[tuple[str, ...]] = Counter()
    for block in blocks:
        shared = min(end, block.end_char) - max(start, block.start_char)
        n_chars[block.heading_path] += shared
    return max(n_chars, key=n_chars.__getitem__, default=())


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs of consecutive windows, by their first and last one."""

    source: Source
    windows: WindowTable
    strategy: ChunkingStrategy
    token_spans: TokenSpans

    def chunks(self) -> Iterator[Chunk]:
        first, last = 0, -1
        blocks, pieces = _Blocks(), self.source.pieces()
        for ordinal in range(len(self.windows)):
            last = self._last(first, last + 1)
            end = self.windows.end_char[last]
            while blocks.reach < end and (piece := next(pieces, None)):
                blocks.extend(piece.blocks)
            yield self._chunk(ordinal, first, last, blocks=blocks)
            if last + 1 == len(self.windows):
                return
            first = self._next_first(last)
            blocks.forget(self.windows.start_char[first])

    def _n_tokens(self, first: int, last: int) -> int:
        known = self.windows.n_tokens(first, last)
        if known is not None:
            return known
        start, end = self.windows.start_char[first], self.windows.end_char[last]
        return len(self.token_spans(self.source.text(start, end)))

    def _fits(self, first: int, last: int) -> bool:
        """Whether these windows may be one chunk: of the asked size, and of one sheet."""
        n_tokens = self._n_tokens(first, last)
        fits = n_tokens <= self.strategy.max_chunk_size_tokens
        return fits and self.windows.same_sheet(first, last)

    def _last(self, first: int, new: int) -> int:
        """The last window of the chunk from `first`, which has to reach window `new`."""
        last = new
        while last + 1 < len(self.windows) and self._fits(first, last + 1):
            last += 1
        if last + 1 == len(self.windows):
            return last
        enough = _FULL_ENOUGH * self.strategy.max_chunk_size_tokens
        for end in range(last, new - 1, -1):
            if self.windows.opens_section[end + 1]:
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

    def _chunk(self, ordinal: int, first: int, last: int, *, blocks: _Blocks) -> Chunk:
        start, end = self.windows.start_char[first], self.windows.end_char[last]
        inside = blocks.over(start, end)
        return Chunk(
            ordinal=ordinal,
            first_window=first,
            n_windows=last - first + 1,
            start_char=start,
            end_char=end,
            n_tokens=self._n_tokens(first, last),
            place=Place.over(block.place for block in inside),
            heading_path=_main_headings(inside, start, end),
        )
