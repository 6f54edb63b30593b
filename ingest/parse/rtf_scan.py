"""RTF → paragraphs and cells: a scanner of groups, control words and characters.

Source: Rich Text Format Specification 1.9.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ingest.parse.rtf_fonts import DEFAULT_CODE_PAGE, FontTable

_TOKEN = re.compile(
    r"(?P<word>\\([a-zA-Z]{1,32})(-?\d{1,10})? ?)|\\'(?P<hex>[0-9a-fA-F]{2})|(?P<symbol>\\[^a-zA-Z])"
    r"|(?P<open>\{)|(?P<close>\})|(?P<text>[^\\{}\r\n\0]+)|(?P<rest>[\r\n\0\\])",
    re.DOTALL,
)
_MAX_DEPTH = 10_000  # groups inside each other; honest files have some ten
# Destinations without text that a reader of the page sees. Those marked `\*` go without a list.
_HIDDEN = frozenset({"colortbl", "pict", "nonshppict", "themedata", "filetbl", "revtbl", "xe", "tc",
                     "objdata", "pntext", "listtext", "bkmkstart", "bkmkend", "rxe", "fldinst",
                     "private", "template", "generator", "shppict", "private1"})  # fmt: skip
_MARGINS = frozenset({"header", "headerl", "headerr", "headerf",
                      "footer", "footerl", "footerr", "footerf"})  # fmt: skip
_BESIDE = frozenset({"footnote", "shptxt", "annotation"})  # text of its own inside a paragraph
_SIGNS = {"tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’",
          "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ",
          "nestcell": "; ", "softline": "\n"}  # fmt: skip
_SYMBOLS = {"\\~": "\xa0", "\\_": "-", "\\{": "{", "\\}": "}", "\\\\": "\\", "\\\t": "\t"}
_CHARSETS = {"ansi": DEFAULT_CODE_PAGE, "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}


class Piece(NamedTuple):
    """What was scanned: ``paragraph``, ``beside``, ``margin``, ``cell``, ``row`` or ``title``."""

    kind: str
    text: str = ""
    style: int | None = None  # number in the style sheet
    level: int | None = None  # of the outline, from 0
    is_list: bool = False


@dataclass(slots=True)
class _Group:
    """What holds inside one pair of braces."""

    target: str = ""  # "" is the page itself; else where the text goes
    hidden: bool = False
    n_skip: int = 1  # characters that stand in for one \u
    font: int | None = None
    in_table: bool = False
    style: int | None = None
    level: int | None = None
    is_list: bool = False
    starred: bool = False  # \* was just read


@dataclass(slots=True)
class _Text:
    """Text that gathers for one destination."""

    pieces: list[str] = field(default_factory=list)

    def take(self) -> str:
        text = "".join(self.pieces)
        self.pieces.clear()
        # Halves of a pair come one by one; one without its other half stays what it is.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Scan:
    """One pass over a file; `styles` names its paragraph styles when the pass is over."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._fonts = FontTable()
        self._group = _Group()
        self._stack: list[_Group] = []
        self._texts: dict[str, _Text] = {}
        self._raw = bytearray()
        self._skip = 0
        self.styles: dict[int, str] = {}

    def pieces(self) -> Iterator[Piece]:
        """Yield what the file holds, in order."""
        at = 0
        while found := _TOKEN.match(self._source, at):
            at = found.end()
            if word := found.group(2):
                number = int(found.group(3)) if found.group(3) else None
                if word == "bin":
                    at += max(number or 0, 0)
                else:
                    yield from self._word(word, number)
            elif found.group("open"):
                self._open()
            elif found.group("close"):
                yield from self._close()
            else:
                self._characters(found)
        self._flush()
        yield from self._end("paragraph", "")

    # --- groups

    def _open(self) -> None:
        self._flush()
        self._skip = 0
        if len(self._stack) < _MAX_DEPTH:
            self._stack.append(replace(self._group))

    def _close(self) -> Iterator[Piece]:
        self._flush()
        self._skip = 0
        before = self._stack.pop() if self._stack else _Group()
        inside, self._group = self._group, before
        if inside.target == before.target:
            return
        if inside.target in _BESIDE:
            yield from self._end("beside", inside.target)
        elif inside.target in _MARGINS:
            yield from self._end("margin", inside.target)
        elif inside.target == "title":
            yield from self._end("title", "title")
        elif inside.target == "style":
            self._name_style(inside)

    def _name_style(self, group: _Group) -> None:
        name = self._texts.setdefault("style", _Text()).take()
        if group.style is not None:
            self.styles[group.style] = name.strip(" ;")

    # --- control words

    def _word(self, word: str, number: int | None) -> Iterator[Piece]:
        if self._skip and word != "u":
            self._skip -= 1
            return
        starred, self._group.starred = self._group.starred, False
        if word == "u":
            self._unicode(number or 0)
        elif word in _SIGNS:
            self._put(_SIGNS[word])
        elif word in {"par", "sect", "page", "cell", "row", "nestrow"}:
            yield from self._border(word)
        elif not self._destination(word, starred=starred):
            self._format(word, number)

    def _border(self, word: str) -> Iterator[Piece]:
        self._flush()
        if self._group.hidden:
            return
        if self._group.target or (self._group.in_table and word in {"par", "nestrow"}):
            self._put("\n")
        elif word in {"cell", "row"}:
            yield Piece(word, self._texts.setdefault("", _Text()).take() if word == "cell" else "")
        else:
            yield from self._end("paragraph", "")

    def _end(self, kind: str, target: str) -> Iterator[Piece]:
        text = self._texts.setdefault(target, _Text()).take()
        if text.strip():
            group = self._group
            yield Piece(kind, text, group.style, group.level, group.is_list)

    def _destination(self, word: str, *, starred: bool) -> bool:
        """Take a word that says where the text of its group goes."""
        group = self._group
        self._flush()
        if word in {"shptxt", "footnote"} or (word in _MARGINS and not group.target):
            group.target, group.hidden = word, False
        elif word in {"stylesheet", "fonttbl", "info"}:
            group.target, group.hidden = word, word == "info"
        elif word == "title" and group.target == "info":
            group.target, group.hidden = "title", False
        elif word in _HIDDEN or starred:
            group.hidden = True
        else:
            return False
        if word in {"pntext", "listtext"} and self._stack:
            self._stack[-1].is_list = True
        return True

    def _format(self, word: str, number: int | None) -> None:
        group = self._group
        if word in {"f", "deff"}:
            self._fonts.selected(word, number or 0)
            group.font = number if word == "f" else group.font
        elif word == "fcharset" and group.target == "fonttbl":
            self._fonts.charset(group.font, number or 0)
        elif word == "ansicpg" or word in _CHARSETS:
            self._fonts.code_page = f"cp{number}" if word == "ansicpg" else _CHARSETS[word]
        elif word == "uc":
            group.n_skip = min(max(number or 0, 0), 16)
        elif word in {"v", "deleted"}:
            group.hidden = number != 0
        elif word == "plain":
            group.font = None
        elif word == "pard":
            group.in_table, group.style, group.level, group.is_list = False, None, None, False
        elif word in {"intbl", "s", "outlinelevel", "ls"}:
            self._paragraph(word, number)

    def _paragraph(self, word: str, number: int | None) -> None:
        group = self._group
        if word == "intbl":
            group.in_table = number != 0
        elif word == "s":
            group.style = number
            if group.target == "stylesheet":
                group.target = "style"
        elif word == "outlinelevel":
            group.level = number
        else:
            group.is_list = True

    # --- characters

    def _characters(self, found: re.Match[str]) -> None:
        if digits := found.group("hex"):
            if self._skip:
                self._skip -= 1
            else:
                self._raw.append(int(digits, 16))
        elif symbol := found.group("symbol"):
            self._symbol(symbol)
        elif text := found.group("text"):
            skipped = min(self._skip, len(text))
            self._skip -= skipped
            self._raw += text[skipped:].encode("latin-1", "replace")

    def _symbol(self, symbol: str) -> None:
        if symbol == "\\*":
            self._group.starred = True
        elif symbol in {"\\\n", "\\\r"}:
            self._put("\n")
        elif self._skip:
            self._skip -= 1
        elif symbol in _SYMBOLS:
            self._put(_SYMBOLS[symbol])

    def _unicode(self, number: int) -> None:
        self._put(chr(number & 0xFFFF))
        self._skip = self._group.n_skip

    def _put(self, text: str) -> None:
        self._flush()
        if not self._group.hidden and self._group.target not in {"fonttbl", "stylesheet"}:
            self._texts.setdefault(self._group.target, _Text()).pieces.append(text)

    def _flush(self) -> None:
        if self._raw:
            text = self._fonts.decoded(bytes(self._raw), self._group.font)
            self._raw.clear()
            self._put(text)
