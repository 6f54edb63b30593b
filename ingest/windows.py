"""Blocks of a document → windows: the runs of text that the model reads at once. Pure.

The steps: blocks → units (sentences, list items, table rows, lines of code; what is longer than
a window is split) → groups (a heading with what follows it) → windows, filled evenly and section
by section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, groupby
from operator import itemgetter
from typing import NamedTuple

from ingest.pieces import Piece
from ingest.token_count import TokenCount
from retrieval.sentences import sentence_spans
from retrieval.types import Block

MIN_WINDOW_TOKENS = 32  # below it a window says too little to be compared with a question
# Text without a heading is filled as if there were one after so many tokens, so that a book
# without any is cut in bounded memory; some 4 MB of text.
_MAX_RUN_TOKENS = 1 << 20

_PROSE = frozenset({"paragraph", "other"})
_LINE = re.compile(r"\S(?:[^\n]*\S)?")


class Span(NamedTuple):
    """A run of text that stays together: a unit, a group or a whole window."""

    start: int
    end: int
    n_tokens: int
    opens_section: bool  # begins with a heading
    first: int  # tokens of the whole text before its start
    last: int  # and before its end
    starts_clean: bool  # no word goes through its start
    ends_clean: bool


def window_spans(pieces: Iterable[Piece], *, count: TokenCount, target: int) -> Iterator[Span]:
    """Windows of at most `target` tokens, holding all of the blocks' text once and in order.

    None holds rows of two sheets: it would have no place that can be told.

    Args:
        pieces: of the document; `count` has been given the text of each when it comes.
        count: forgets what lies far behind.
        target: tokens that a window may have, its prefix not counted.
    """
    found = (unit for piece in pieces for unit in _units(piece, count=count, target=target))
    for _, sheet in groupby(found, key=itemgetter(0)):
        units = (unit for _, unit in sheet)
        for section in _sections(_groups(units, count=count, target=target), target=target):
            yield from _fill(section, count=count, target=target)
            count.forget(section[-1].end)


# --- blocks → units → groups ---------------------------------------------------------------


def _units(piece: Piece, *, count: TokenCount, target: int) -> Iterator[tuple[str | None, Span]]:
    """What stays together in the blocks of a piece, each with its sheet."""
    blocks, spans = [], []
    for block, fits in zip(piece.blocks, _fitting(piece, count=count, target=target), strict=True):
        found = [(block.start_char, block.end_char)] if fits else _parts(block, count)
        blocks += [block] * len(found)
        spans += found
    for block, unit in zip(blocks, _measured(spans, count), strict=True):
        sheet = block.place.sheet
        span = unit._replace(opens_section=True) if block.kind == "heading" else unit
        if span.n_tokens <= target:
            yield sheet, span
            continue
        for part in _split(span, count=count, target=target):
            yield sheet, part


def _fitting(piece: Piece, *, count: TokenCount, target: int) -> list[bool]:
    """For each block whether it is a unit as a whole: rows, items, headings, code that fit."""
    whole = [block.kind not in _PROSE for block in piece.blocks]
    spans = [(block.start_char, block.end_char) for block in compress(piece.blocks, whole)]
    sizes = (unit.n_tokens for unit in _measured(spans, count))
    return [is_whole and next(sizes) <= target for is_whole in whole]


def _parts(block: Block, count: TokenCount) -> list[tuple[int, int]]:
    """The units of a block that is not one: sentences, in code lines."""
    start = block.start_char
    body = count.slice(start, block.end_char)
    spans = _line_spans(body) if block.kind == "code" else sentence_spans(body)
    return [(start + first, start + last) for first, last in spans]


def _measured(spans: Sequence[tuple[int, int]], count: TokenCount) -> list[Span]:
    """Spans with their token counts; many at once, which is far quicker than one by one."""
    if not spans:
        return []
    starts, ends = zip(*spans, strict=True)
    firsts, lasts = count.indexes(starts), count.indexes(ends)
    lefts, rights = count.borders(starts), count.borders(ends)
    found = zip(starts, ends, firsts, lasts, lefts, rights, strict=True)
    return [
        Span(start, end, last - first, False, first, last, left, right)  # noqa: FBT003
        if left and right
        else Span(start, end, count.by_itself(start, end), False, first, last, left, right)  # noqa: FBT003
        for start, end, first, last, left, right in found
    ]


def _line_spans(text: str) -> list[tuple[int, int]]:
    """Spans of the lines that are not blank, without the white space at their ends."""
    return [match.span() for match in _LINE.finditer(text)]


def _split(unit: Span, *, count: TokenCount, target: int) -> Iterator[Span]:
    """The unit, or if it is longer than a window parts of about equal size."""
    if unit.n_tokens <= target:
        yield unit
        return
    start = unit.start
    while start < unit.end:
        next_start = _part_end(start, unit.end, count=count, target=target)
        end = start + len(count.slice(start, next_start).rstrip())
        (part,) = _measured([(start, end)], count)
        yield part._replace(opens_section=unit.opens_section and start == unit.start)
        start = count.skip_space(next_start, unit.end)


def _part_end(start: int, end: int, *, count: TokenCount, target: int) -> int:
    n_left = count.roughly(start, end)
    if n_left <= target and count.between(start, end) <= target:
        return end
    n_parts = max(-(-n_left // target), 2)
    return count.cut(start, end, n_tokens=-(-n_left // n_parts))


def _groups(units: Iterable[Span], *, count: TokenCount, target: int) -> Iterator[Span]:
    """Units, with every heading joined to what follows it, as far as one window goes."""
    head: Span | None = None
    for unit in units:
        joined = _join(head, unit, count=count) if head else unit
        if joined.n_tokens > target and head and unit.opens_section:
            yield head
            joined = unit
        if unit.opens_section:
            head = joined
            continue
        head = None
        if joined.n_tokens <= target:
            yield joined
        else:
            yield from _split(joined, count=count, target=target)
    if head:
        yield head


def _join(first: Span, last: Span, *, count: TokenCount) -> Span:
    is_clean = first.starts_clean and last.ends_clean
    n_tokens = last.last - first.first if is_clean else count.by_itself(first.start, last.end)
    return Span(
        first.start,
        last.end,
        n_tokens,
        first.opens_section,
        first.first,
        last.last,
        first.starts_clean,
        last.ends_clean,
    )


# --- groups → windows ---------------------------------------------------------------------


def _sections(groups: Iterable[Span], *, target: int) -> Iterator[list[Span]]:
    """Groups from heading to heading, short ones put together."""
    section: list[Span] = []
    for part in _runs(groups):
        n_before, n_more = _n_tokens(section), _n_tokens(part)
        is_full = n_before * 2 >= target or n_before + n_more > target
        if is_full and min(n_before, n_more) >= MIN_WINDOW_TOKENS:
            yield section
            section = []
        section += part
    if section:
        yield section


def _runs(groups: Iterable[Span]) -> Iterator[list[Span]]:
    run: list[Span] = []
    for group in groups:
        is_long = bool(run) and group.last - run[0].first > _MAX_RUN_TOKENS
        if (group.opens_section and run) or is_long:
            yield run
            run = []
        run.append(group)
    if run:
        yield run


def _n_tokens(units: Sequence[Span]) -> int:
    return sum(unit.n_tokens for unit in units)


def _fill(section: Sequence[Span], *, count: TokenCount, target: int) -> Iterator[Span]:
    """As few windows as hold the section, about equally full, so that no scrap is left over."""
    n_left = _n_tokens(section)
    window: Span | None = None
    for group in section:
        if window is None:
            window = group
            continue
        joined = _join(window, group, count=count)
        goal = n_left / max(-(-n_left // target), 1)
        if joined.n_tokens > target or window.n_tokens + group.n_tokens / 2 > goal:
            yield window
            n_left -= window.n_tokens
            joined = group
        window = joined
    if window:
        yield window
