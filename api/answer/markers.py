"""Citation markers that models write, taken out of their text as it streams by.

A model is asked to write ``[2]`` after a claim that source 2 supports. Models write that, and
much else they were trained on. Every style in ``STYLES`` is understood at any split of the
stream: what opens like a marker is held back until it closes or can no longer become one,
so a marker never shows, and no text waits longer than the longest marker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_MARKER_CHARS = 200  # longest seen: a chain of private-use references, about 120
MAX_PLAIN_CHARS = 60  # inside of `[…]` and `(…)`: a dozen numbers
MAX_RANGE = 10  # `[1-3]` names three sources; `[1-90]` is no citation

Reference = int | str  # a source's number from 1, or the id or name of its file


@dataclass(frozen=True, slots=True)
class Marker:
    """What a marker named, in its order; empty when nothing in it was understood."""

    references: tuple[Reference, ...]


Piece = str | Marker


@dataclass(frozen=True, slots=True)
class Style:
    """One way of writing a marker."""

    opener: str
    closer: str
    could_hold: Callable[[str], bool]  # may this inside, still open, become a marker's?
    read: Callable[[str], tuple[Reference, ...] | None]  # None: it is text after all
    dropped_open: re.Pattern[str]  # an inside that is a marker's even if it never closes


_NEVER = re.compile(r"(?!)")
_WORD = r"(?:sources?|refs?|references?|docs?|documents?|citations?|cite|see)"
_NUMBER_LIST = r"\d{1,3}(?:\s*(?:[-–,;&]|and)\s*(?:sources?\s*)?\d{1,3})*"
_SQUARE = re.compile(
    rf"\s*(?:\^|(?:{_WORD}\s*)?[:#]?\s*){_NUMBER_LIST}\s*(?:†[^\]]*)?", re.IGNORECASE
)
_ROUND = re.compile(
    rf"\s*(?:(?:see\s+)?{_WORD}\s*[:#]?\s*{_NUMBER_LIST}"
    rf"|(?:{_WORD}\s*:?\s*)?\[{_NUMBER_LIST}\](?:\s*[,;&]?\s*\[{_NUMBER_LIST}\])*)\s*",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d{1,3})(?:\s*[-–]\s*(\d{1,3}))?")
_MESSAGE_AND_RESULT = re.compile(r"\s*\d+:(\d{1,3})\s*(?:†.*)?")
_FILE = re.compile(r"file-\w+|[^/\\]*\.\w{1,5}")
_TURN_FILE = re.compile(r"turn\d+(?:file|search|msearch)(\d{1,3})")


def _numbers(text: str) -> tuple[Reference, ...]:
    found: list[int] = []
    for first, last in _RANGE.findall(text):
        low, high = int(first), int(last or first)
        found.extend(range(low, high + 1) if low <= high < low + MAX_RANGE else (low, high))
    return tuple(dict.fromkeys(found))


def _read_square(inside: str) -> tuple[Reference, ...] | None:
    return _numbers(inside.partition("†")[0]) if _SQUARE.fullmatch(inside) else None


def _read_round(inside: str) -> tuple[Reference, ...] | None:
    return _numbers(inside) if _ROUND.fullmatch(inside) else None


def _read_lenticular(inside: str) -> tuple[Reference, ...] | None:
    if counted := _MESSAGE_AND_RESULT.fullmatch(inside):
        return (int(counted[1]) + 1,)  # results count from 0 there
    name = inside.partition("†")[0].strip()
    if _SQUARE.fullmatch(name):
        return _numbers(name)
    # 【…】 is also an ordinary bracket of Chinese and Japanese text.
    return (name,) if "†" in inside or _FILE.fullmatch(name) else None


def _read_angle(inside: str) -> tuple[Reference, ...]:
    name = inside.strip()
    if _SQUARE.fullmatch(name):
        return _numbers(name)
    return (name,) if _FILE.fullmatch(name) else ()  # `<|im_end|>` and its like just go


def _read_private(inside: str) -> tuple[Reference, ...]:
    return tuple(dict.fromkeys(int(number) + 1 for number in _TURN_FILE.findall(inside)))


# Every test of an open inside must hold for all its beginnings too, or a marker's fate would
# hang on how the stream was cut.


def _of(characters: str) -> Callable[[str], bool]:
    allowed = frozenset(characters + characters.upper())
    return lambda inside: len(inside) <= MAX_PLAIN_CHARS and allowed.issuperset(inside)


def _on_one_line(inside: str) -> bool:
    return len(inside) <= MAX_MARKER_CHARS and "\n" not in inside


_plain = _of("abcdefimnorstu0123456789 ^,;:#&-–")  # letters of _WORD and of "and"
_plain_in_round = _of("abcdefimnorstu0123456789 ,;:#&-–[]")


def _could_be_square(inside: str) -> bool:
    return _plain(inside.partition("†")[0]) and _on_one_line(inside)


STYLES = (
    Style("[", "]", _could_be_square, _read_square, _NEVER),
    Style("(", ")", _plain_in_round, _read_round, _NEVER),
    Style("【", "】", _on_one_line, _read_lenticular, re.compile(r"\d+[:†]|.*†")),
    Style("<|", "|>", _on_one_line, _read_angle, re.compile(r"file-")),
    Style("\ue200", "\ue201", _on_one_line, _read_private, re.compile("")),
)
_PRIVATE = str.maketrans("", "", "\ue200\ue201\ue202")  # never anyone's text

_SPACES = re.compile(r"[ \t]*")
# What may stand between two markers goes with them: `[1], [2]`, `[1] and [2]`.
_GLUE = re.compile(r"[ \t]*(?:[,;&][ \t]*)?(?:and\b[ \t]*)?")
_PART_OF_GLUE = re.compile(r"[ \t]*(?:[,;&][ \t]*)?(?:a|an|and[ \t]*)?")
_PLAIN_RUN = re.compile(r"[^ \t\[(【<\ue200]+")


class MarkerFilter:
    """Splits streamed text into clean text and markers.

    Spaces before a marker go with it (``"pizza [1]."`` becomes ``"pizza."``), as do spaces
    after one that opens a line. Feed every delta in turn, then call ``finish`` once. With
    `json`, a marker is one only inside a string: elsewhere ``[1]`` is an array.

    >>> clean = MarkerFilter()
    >>> [*clean.feed("Pizza ["), *clean.feed("1]."), *clean.finish()]
    ['Pizza', Marker(references=(1,)), '.']
    """

    def __init__(self, *, json: bool = False) -> None:
        self._pending = ""
        self._after_marker = False  # nothing shown since the last marker
        self._line_start = True
        self._json = json
        self._in_string = False
        self._escaped = False

    def feed(self, delta: str) -> Iterator[Piece]:
        """What is certain by now, in order; texts are never empty."""
        self._pending += delta
        yield from self._drain(at_end=False)

    def finish(self) -> Iterator[Piece]:
        """The rest; a marker that never closed is text again, unless it cannot be any."""
        yield from self._drain(at_end=True)

    def _drain(self, *, at_end: bool) -> Iterator[Piece]:
        shown = ""
        while self._pending and (step := self._step(at_end=at_end)) is not None:
            n_chars, piece = step
            self._pending = self._pending[n_chars:]
            if isinstance(piece, Marker):
                if shown:
                    yield shown
                shown = ""
                self._after_marker = True
                yield piece
            elif piece:
                self._pass_by(piece)
                shown += piece
        if shown:
            yield shown

    def _step(self, *, at_end: bool) -> tuple[int, Piece] | None:
        """How many characters to take, and as what; None waits for more."""
        pending = self._pending
        if self._after_marker and self._line_start and pending[0] in " \t":
            return 1, ""
        if not at_end and self._may_be_all_lead(pending):
            return None
        lead = (_GLUE if self._after_marker else _SPACES).match(pending)
        n_lead = lead.end() if lead else 0
        if self._markers_count():
            for style in STYLES:
                if style.opener.startswith(pending[n_lead : n_lead + len(style.opener)] or " "):
                    return self._try(style, n_lead, at_end=at_end)
        return self._text(n_lead)

    def _may_be_all_lead(self, pending: str) -> bool:
        pattern = _PART_OF_GLUE if self._after_marker else _SPACES
        return pattern.fullmatch(pending) is not None

    def _markers_count(self) -> bool:
        return self._in_string or not self._json

    def _text(self, n_lead: int) -> tuple[int, Piece]:
        run = _PLAIN_RUN.match(self._pending, n_lead)
        end = run.end() if run else n_lead + 1
        return end, self._pending[:end].translate(_PRIVATE)

    def _try(self, style: Style, start: int, *, at_end: bool) -> tuple[int, Piece] | None:
        """The marker of `style` at `start`, text if it is none, None to wait."""
        inside_start = start + len(style.opener)
        if len(self._pending) < inside_start:
            return self._text(start) if at_end else None
        end = self._pending.find(style.closer, inside_start)
        inside = self._pending[inside_start : end if end >= 0 else None]
        if not style.could_hold(inside):
            return self._text(start)
        if end < 0:
            return self._unclosed(style, start, inside) if at_end else None
        references = style.read(inside)
        if references is None:
            return self._text(start)
        return end + len(style.closer), Marker(references)

    def _unclosed(self, style: Style, start: int, inside: str) -> tuple[int, Piece]:
        if style.dropped_open.match(inside):
            return len(self._pending), ""
        return self._text(start)

    def _pass_by(self, text: str) -> None:
        self._after_marker = False
        self._line_start = text.endswith("\n")
        for character in text if self._json else "":
            if self._escaped:
                self._escaped = False
            elif character == "\\":
                self._escaped = self._in_string
            elif character == '"':
                self._in_string = not self._in_string
