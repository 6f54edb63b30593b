"""Bytes of a text file → characters: byte order mark, UTF-8, wide encodings, then a guess."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from ingest.clean import clean
from retrieval.errors import Unreadable

_MARKS = (  # the UTF-32 marks begin with the UTF-16 ones
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    "This does not look like text: it is binary, or in an encoding that could not be told. "
    "Save it as UTF-8."
)
_WHOLE_BYTES = 1 << 21  # longer files are decoded in pieces
_PIECE_BYTES = 1 << 20
_GUESS_BYTES = 65_536  # enough to tell code pages apart; guessing is slow
# Shares of zero bytes at one place of each code unit: of ASCII in UTF-16 nearly all, of other
# scripts none; what lies between leaves room for a text that mixes them.
_MOST, _SOME, _FEW = 0.7, 0.3, 0.1
_MAX_BAD_RATIO = 0.02  # of control characters; text has none, a damaged file a few

# Letters of Western European words between ASCII letters: what a Latin-1 file looks like.
_WESTERN_WORD = re.compile(
    "[A-Za-z]*[\xc0-\xd6\xd8-\xf6\xf8-\xff]{1,2}[A-Za-z]+|[A-Za-z]+[\xc0-\xd6\xd8-\xf6\xf8-\xff]{1,2}"
)
# Signs of cp1252; but for dashes and apostrophes none of them stands between two letters.
_WESTERN_SIGN = re.compile(
    r"[’–—…·\xa0]|(?<![A-Za-z])[‘“”„•€™°§£©®«»¿¡´½¼¾²³ºª¢¥±µ×†‡‹›¶]"
    r"|[‘“”„•€™°§£©®«»¿¡´½¼¾²³ºª¢¥±µ×†‡‹›¶](?![A-Za-z])"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def decode(content: bytes, *, declared: str | None = None) -> str:
    r"""Return the text of `content`, with ``\n`` line ends and no unusable characters.

    A byte order mark decides; then UTF-8 if it fits; then UTF-16 and UTF-32 without a mark, by
    where the zero bytes stand; then `declared` (an HTML meta tag, say) if it fits; then a guess.

    Raises:
        Unreadable: the bytes are not text.

    >>> decode("können".encode("latin-1"))
    'können'
    """
    for encoding in _encodings(content, declared):
        try:
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if _is_text(text):
            return clean(text)
    raise Unreadable(_NOT_TEXT)


def decoded(path: Path) -> Iterator[str]:
    """The text of a file as `decode` gives it, in pieces of about a megabyte.

    Raises:
        Unreadable: the bytes are not text; before the first piece.
    """
    with path.open("rb") as file:
        head = file.read(_WHOLE_BYTES)
    if len(head) < _WHOLE_BYTES:
        yield decode(head)
        return
    for encoding in _encodings(head, None):
        if _fits(path, encoding):
            yield from map(clean, _pieces(path, encoding))
            return
    raise Unreadable(_NOT_TEXT)


def _fits(path: Path, encoding: str) -> bool:
    """Whether all of the file is text in this encoding."""
    n_chars = n_bad = 0
    try:
        for text in _pieces(path, encoding):
            n_chars += len(text)
            n_bad += len(_CONTROL.findall(text))
    except (UnicodeDecodeError, LookupError):
        return False
    return n_bad <= _MAX_BAD_RATIO * n_chars


def _pieces(path: Path, encoding: str) -> Iterator[str]:
    """The file's text piece by piece, every line end a line feed."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = io.IncrementalNewlineDecoder(decoder, translate=True)
    with path.open("rb") as file:
        while content := file.read(_PIECE_BYTES):
            yield lines.decode(content)
    yield lines.decode(b"", final=True)


def looks_like_text(head: bytes) -> bool:
    """Tell whether the first bytes of a file are text in some encoding."""
    if not head:
        return True
    try:
        decode(head[:_GUESS_BYTES])
    except Unreadable:
        return _is_cut_text(head)
    return True


def _is_cut_text(head: bytes) -> bool:
    """UTF-8 whose last character was cut by taking only the head."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return _is_text(decoder.decode(head))
    except UnicodeDecodeError:
        return False


def _encodings(content: bytes, declared: str | None) -> Iterator[str]:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            yield encoding
    wide = _wide(content)
    if wide:
        yield wide
    yield "utf-8"
    if declared:
        yield declared
    if b"\x00" not in content[:_GUESS_BYTES]:
        yield from _guesses(content)


def _wide(content: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: ASCII in them leaves zeros at fixed places."""
    sample = content[:4096]
    n = len(sample) // 4
    if n == 0 or b"\x00" not in sample:
        return None
    zeros = [sample[place : 4 * n : 4].count(0) / n for place in range(4)]
    if min(zeros[1:]) > _MOST and zeros[0] < _SOME:
        return "utf-32-le"
    if min(zeros[:3]) > _MOST and zeros[3] < _SOME:
        return "utf-32-be"
    even, odd = (zeros[0] + zeros[2]) / 2, (zeros[1] + zeros[3]) / 2
    if odd > _SOME and even < _FEW:
        return "utf-16-le"
    return "utf-16-be" if even > _SOME and odd < _FEW else None


def _guesses(content: bytes) -> Iterator[str]:
    if _is_western(content[:_GUESS_BYTES]):
        yield "cp1252"
        yield "latin-1"
    best = from_bytes(content[:_GUESS_BYTES]).best()
    if best is not None:
        yield best.encoding
    yield "cp1252"
    yield "latin-1"


def _is_western(sample: bytes) -> bool:
    """Tell whether every non-ASCII byte is a letter inside a Latin word, or a usual sign.

    The guesser is at its weakest exactly here: one umlaut in a short ASCII file.
    """
    text = sample.decode("cp1252", "replace")
    high = [character for character in text if character > "\x7f"]
    in_words = sum(
        1 for word in _WESTERN_WORD.findall(text) for character in word if character > "\x7f"
    )
    signs = len(_WESTERN_SIGN.findall(text))
    n_ascii = sum(map(str.isalpha, text)) - in_words
    return bool(high) and in_words + signs >= 0.97 * len(high) and len(high) < 0.4 * n_ascii


def _is_text(text: str) -> bool:
    return len(_CONTROL.findall(text)) <= _MAX_BAD_RATIO * len(text)
