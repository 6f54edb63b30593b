"""The windows of one file in columns: a hundred bytes a window are far less than an object."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from ingest.windows import Span
from retrieval.types import Window


class WindowTable(Sequence[Window]):
    """Grows at its end; what chunks need to know of a window stands beside it."""

    def __init__(self) -> None:
        self.start_char = array("q")
        self.end_char = array("q")
        self.opens_section = array("b")  # a heading is the first thing in it
        self.n_tokens_total = 0
        self._n_tokens = array("i")
        self._first = array("q")  # tokens of the whole text before its start
        self._last = array("q")  # and before its end
        self._clean = array("b")  # 1: no word goes through its start, 2: through its end
        self._sheet = array("i")
        self._sheets: dict[str | None, int] = {}
        self._prefix = array("i")
        self._prefixes: dict[str, int] = {}
        self._prefix_texts: list[str] = []

    def append(self, span: Span, *, prefix: str, sheet: str | None, opens_section: bool) -> None:
        """Add the window after the last one."""
        self.start_char.append(span.start)
        self.end_char.append(span.end)
        self.opens_section.append(opens_section)
        self.n_tokens_total += span.n_tokens
        self._n_tokens.append(span.n_tokens)
        self._first.append(span.first)
        self._last.append(span.last)
        self._clean.append(span.starts_clean + 2 * span.ends_clean)
        self._sheet.append(self._sheets.setdefault(sheet, len(self._sheets)))
        number = self._prefixes.setdefault(prefix, len(self._prefixes))
        if number == len(self._prefix_texts):
            self._prefix_texts.append(prefix)
        self._prefix.append(number)

    def n_tokens(self, first: int, last: int) -> int | None:
        """Tokens from window `first` to `last`; None where only counting again can tell."""
        if self._clean[first] & 1 and self._clean[last] & 2:
            return self._last[last] - self._first[first]
        return None

    def same_sheet(self, first: int, last: int) -> bool:
        """Whether two windows are of one sheet, or of none."""
        return self._sheet[first] == self._sheet[last]

    def __len__(self) -> int:
        return len(self.start_char)

    @overload
    def __getitem__(self, at: int) -> Window: ...

    @overload
    def __getitem__(self, at: slice) -> list[Window]: ...

    def __getitem__(self, at: int | slice) -> Window | list[Window]:
        if isinstance(at, slice):
            return [self[ordinal] for ordinal in range(*at.indices(len(self)))]
        return Window(
            range(len(self))[at],
            self.start_char[at],
            self.end_char[at],
            self._n_tokens[at],
            self._prefix_texts[self._prefix[at]],
        )

    def __iter__(self) -> Iterator[Window]:
        return (self[ordinal] for ordinal in range(len(self)))
