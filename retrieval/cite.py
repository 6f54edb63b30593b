"""Hit → citation: which sentences of a hit can be quoted, and the quote with its place. Pure.

A quotable unit is a sentence, a table row, a list item or a line of code: what can stand alone
as evidence. A quote is a run of whole units of one hit, so ``document.text[start:end]`` is
always the quote, and its place is that of the blocks it touches, not of the whole chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from retrieval.queries import Citation, Hit
from retrieval.sentences import sentence_spans
from retrieval.types import Block, Place

MAX_QUOTE_CHARS = 400
MAX_QUOTE_UNITS = 3

# A line that begins like this is no continuation of the one before it.
_STARTS_UNIT = re.compile(r"\s*(?:[-*•‣◦–—|#>]|\d{1,3}[.)]\s|[a-zA-Z][.)]\s|\S[^\n]*\t)")
_ENDS_SENTENCE = re.compile(r"[.!?:;。！？…][\"'”’)\]]*\s*$")
_ROW = re.compile(r"\t|\s\|\s")
# A broken line of prose is about as long as its neighbours; a much shorter one ended on purpose.
_SHORT_LINE = 0.7


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, row, item or line; offsets into the document text."""

    start_char: int
    end_char: int
    is_heading: bool = False


def units(hit: Hit, blocks: Sequence[Block] = ()) -> list[Unit]:
    """The quotable units of a hit, in order, holding all its characters but white space.

    Args:
        hit: whose text is cut.
        blocks: of its document, in order, any part of it that covers the hit. Without them,
            rows and items are told from prose by how their lines look.
    """
    inside = [b for b in blocks if b.end_char > hit.start_char and b.start_char < hit.end_char]
    if inside:
        cut = (unit for block in inside for unit in _of_block(hit, block))
    else:
        start = hit.start_char
        cut = (Unit(start + s, start + e) for s, e in text_units(hit.text))
    return _with_words(cut, hit)


def _with_words(cut: Iterable[Unit], hit: Hit) -> list[Unit]:
    """Joins what has no letter or digit to the unit before: dots that lead to a page number."""
    kept: list[Unit] = []
    for unit in cut:
        text = hit.text[unit.start_char - hit.start_char : unit.end_char - hit.start_char]
        if kept and not any(character.isalnum() for character in text):
            kept[-1] = replace(kept[-1], end_char=unit.end_char)
        else:
            kept.append(unit)
    return kept


def _of_block(hit: Hit, block: Block) -> Iterator[Unit]:
    start = max(block.start_char, hit.start_char)
    text = hit.text[start - hit.start_char : block.end_char - hit.start_char]
    if block.kind in {"heading", "table_row"}:
        is_heading = block.kind == "heading"
        yield from (Unit(start + s, start + e, is_heading) for s, e in _trimmed(text))
    elif block.kind in {"code", "other"}:
        yield from (Unit(start + s, start + e) for s, e in text_units(text))
    else:
        yield from (Unit(start + s, start + e) for s, e in sentence_spans(text))


def _trimmed(text: str) -> Iterator[tuple[int, int]]:
    body = text.strip()
    if body:
        start = len(text) - len(text.lstrip())
        yield start, start + len(body)


def text_units(text: str) -> list[tuple[int, int]]:
    r"""Spans of the units of text without known structure.

    Rows, items and lines that stand alone are told by how lines look; the rest is prose.

    >>> text = "One. Two.\n- item\n- other"
    >>> [text[start:end] for start, end in text_units(text)]
    ['One.', 'Two.', '- item', '- other']
    """
    spans: list[tuple[int, int]] = []
    for start, end in _runs_of_lines(text):
        piece = text[start:end]
        is_row = _ROW.search(piece) or piece.lstrip().startswith("|")
        inner = _trimmed(piece) if is_row else sentence_spans(piece)
        spans.extend((start + first, start + last) for first, last in inner)
    return spans


def _runs_of_lines(text: str) -> Iterator[tuple[int, int]]:
    """Lines that belong together, as spans; a blank line parts them, as does a new item."""
    lines = text.splitlines(keepends=True)
    longest = max((len(line.rstrip()) for line in lines), default=0)
    start = position = 0
    previous = ""
    for line in lines:
        if previous and _parts(previous, line, longest=longest):
            yield start, position
            start = position
        previous = line
        position += len(line)
    if position > start:
        yield start, position


def _parts(previous: str, line: str, *, longest: int) -> bool:
    if not previous.strip() or not line.strip():
        return True
    if _STARTS_UNIT.match(line) or _ROW.search(line) or _ROW.search(previous):
        return True
    return len(previous.rstrip()) < _SHORT_LINE * longest and (
        bool(_ENDS_SENTENCE.search(previous)) or not line.lstrip()[:1].islower()
    )


def quote_around(given: Sequence[Unit], center: int, weights: Sequence[float]) -> tuple[int, int]:
    """The run of units to quote: `center` with its better neighbours, while they fit.

    A claim's subject often stands a sentence before it and its condition a sentence after, so
    a quote takes neighbours in as long as it stays within MAX_QUOTE_UNITS and MAX_QUOTE_CHARS;
    a single unit is always whole, however long.

    Args:
        given: units of one hit, in order.
        center: index of the unit that must be quoted.
        weights: (n_units,) how much each unit is wanted; the better neighbour goes first.

    Returns:
        First and last index, both in the quote.

    >>> quote_around([Unit(0, 100), Unit(101, 200), Unit(201, 550)], 1, [0.1, 1.0, 0.9])
    (0, 1)
    """
    first = last = center
    while last - first + 1 < MAX_QUOTE_UNITS:
        sides = [index for index in (first - 1, last + 1) if 0 <= index < len(given)]
        fitting = [i for i in sides if _fits(given[min(i, first)], given[max(i, last)])]
        if not fitting:
            break
        best = max(fitting, key=lambda index: weights[index])
        first, last = min(first, best), max(last, best)
    return first, last


def _fits(first: Unit, last: Unit) -> bool:
    return last.end_char - first.start_char <= MAX_QUOTE_CHARS


def cite(
    hit: Hit, *, start_char: int, end_char: int, score: float, blocks: Sequence[Block] = ()
) -> Citation:
    """A citation of a hit's characters from `start_char` to `end_char` of its document.

    Args:
        hit: that holds the span.
        start_char: first character of the quote, counted in the document.
        end_char: behind its last.
        score: support for what is stated, 0 to 1.
        blocks: as in `units`; the place is theirs, or the whole hit's without them.

    Raises:
        ValueError: the span is empty or not within the hit.
    """
    if not hit.start_char <= start_char < end_char <= hit.end_char:
        raise ValueError(f"{start_char}-{end_char} is not within {hit.start_char}-{hit.end_char}")
    touched = [b.place for b in blocks if b.end_char > start_char and b.start_char < end_char]
    return Citation(
        file_id=hit.file_id,
        filename=hit.filename,
        quote=hit.text[start_char - hit.start_char : end_char - hit.start_char],
        start_char=start_char,
        end_char=end_char,
        place=Place.over(touched) if touched else hit.place,
        hit_id=hit.id,
        score=score,
    )
