"""Blocks of a document → windows: the runs of text that the model reads at once. Pure.

The steps: blocks → units (sentences, list items, table rows, lines of code; what is longer than
a window is split) → groups (a heading with what follows it) → windows, filled evenly and section
by section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ingest.token_count import TokenCount
from retrieval.sentences import sentence_spans
from retrieval.types import Block, Document

MIN_WINDOW_TOKENS = 32  # below it a window says too little to be compared with a question

_PROSE = frozenset({"paragraph", "other"})
_LINE = re.compile(r"\S(?:[^\n]*\S)?")


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text that stays together: a unit, a group or a whole window."""

    start: int
    end: int
    n_tokens: int
    opens_section: bool  # begins with a heading


def window_spans(document: Document, *, count: TokenCount, target: int) -> Iterator[Span]:
    """Windows of at most `target` tokens, holding all of the blocks' text once and in order.

    None holds rows of two sheets: it would have no place that can be told.
    """
    for _, sheet in groupby(document.blocks, key=lambda block: block.place.sheet):
        units = _units(sheet, count=count, target=target)
        for section in _sections(_groups(units, count=count, target=target), target=target):
            yield from _fill(section, count=count, target=target)


# --- blocks → units → groups ---------------------------------------------------------------


def _units(blocks: Iterable[Block], *, count: TokenCount, target: int) -> Iterator[Span]:
    for block in blocks:
        is_heading = block.kind == "heading"
        for start, end in _unit_spans(block, count=count, target=target):
            unit = Span(start, end, count.between(start, end), opens_section=is_heading)
            yield from _split(unit, count=count, target=target)


def _unit_spans(block: Block, *, count: TokenCount, target: int) -> list[tuple[int, int]]:
    """Prose by sentences; rows, items and headings whole if they fit; code whole or by lines."""
    start, end = block.start_char, block.end_char
    if block.kind not in _PROSE and count.between(start, end) <= target:
        return [(start, end)]
    body = count.text[start:end]
    spans = _line_spans(body) if block.kind == "code" else sentence_spans(body)
    return [(start + first, start + last) for first, last in spans]


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
        end = start + len(count.text[start:next_start].rstrip())
        opens_section = unit.opens_section and start == unit.start
        yield Span(start, end, count.between(start, end), opens_section)
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
        else:
            yield from _split(joined, count=count, target=target)
            head = None
    if head:
        yield head


def _join(first: Span, last: Span, *, count: TokenCount) -> Span:
    n_tokens = count.between(first.start, last.end)
    return Span(first.start, last.end, n_tokens, first.opens_section)


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
        if group.opens_section and run:
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
