"""The tokens of words met before, looked up for a whole text at once.

A text is taken apart and its words are looked up by arithmetic on arrays, since a step of Python
for each word would take longer than everything else that is done with the text. Words of up to
sixteen ASCII characters stand in an open table under their own bytes; all others, and those whose
place in the table is taken, in a dict.

Borders of words are BERT's as far as ASCII goes: white space, and punctuation, each mark of which is
a word. Whatever else it knows of Unicode stays within a word here, which is read as a whole once.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Spans = NDArray[np.int32]  # (n_tokens, 2) character starts and ends, in order of start
ReadWords = Callable[[Sequence[str]], Sequence[Spans]]

_MAX_WORDS = 1 << 17  # about 30 MB; then the memory begins anew
_MAX_TOKENS = 1 << 20  # of all words
_KEY_BYTES = 16
_SLOT_BITS = 18
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))  # odd, bits well mixed
# Each mark or ideograph is a word, letters and what is odd make words with their like.
_SPACE, _MARK, _IDEOGRAPH, _LETTER, _ODD = range(5)
_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF))
_BEYOND_ASCII, _IDEOGRAPH_CODE = 128, 129  # in place of their code points
# What each of these codes is. Control characters are odd: the tokenizer drops them and joins what
# is around.
_KINDS = np.full(130, _ODD, dtype=np.uint8)
_KINDS[_IDEOGRAPH_CODE] = _IDEOGRAPH
_KINDS[[ord(char) for char in " \t\n\r"]] = _SPACE
for _code in range(33, 127):
    _KINDS[_code] = _LETTER if chr(_code).isalnum() else _MARK
_MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)  # of n bytes


class _Found(NamedTuple):
    """The words of a text, in order."""

    starts: NDArray[np.int64]  # (n,)
    ends: NDArray[np.int64]
    keys: NDArray[np.uint64]  # (2, n) a word's bytes; 0 where it has no place in the table


class KnownWords:
    """The tokens of every word met so far. Safe for threads."""

    def __init__(self, read: ReadWords) -> None:
        """`read` gives the tokens of each of some words, with places within the word."""
        self._read = read
        self._lock = threading.Lock()
        self._forget()

    def spans(self, text: str) -> Spans:
        """The tokens of a text."""
        found = _words(text)
        with self._lock:
            numbers = self._numbers(text, found)
            first, n = self._first[numbers], self._first[numbers + 1] - self._first[numbers]
            place = np.repeat(first - (np.cumsum(n) - n), n) + np.arange(n.sum())
            spans: Spans = self._spans[place]
        spans += np.repeat(found.starts.astype(np.int32), n)[:, np.newaxis]
        return spans

    def _forget(self) -> None:
        self._number: dict[str, int] = {}
        self._first = np.zeros(1, dtype=np.int64)  # where each word's tokens begin in _spans
        self._spans: Spans = np.empty((0, 2), dtype=np.int32)  # within the word
        self._slot_keys = np.zeros((2, 1 << _SLOT_BITS), dtype=np.uint64)
        self._slot_numbers = np.zeros(1 << _SLOT_BITS, dtype=np.int64)

    def _numbers(self, text: str, found: _Found) -> NDArray[np.int64]:
        """The number of each word; those that are new get one."""
        if len(self._number) > _MAX_WORDS or len(self._spans) > _MAX_TOKENS:
            self._forget()
        low, high = found.keys
        slots = _slots(found.keys)
        numbers = self._slot_numbers[slots]
        is_known = (self._slot_keys[0, slots] == low) & (self._slot_keys[1, slots] == high)
        left = np.flatnonzero(~is_known | (low == 0))
        if len(left):
            numbers[left] = self._by_name(text, found, left)
            self._place(slots[left], found.keys[:, left], numbers[left])
        return numbers

    def _by_name(self, text: str, found: _Found, left: NDArray[np.int64]) -> NDArray[np.int64]:
        starts, ends = found.starts[left].tolist(), found.ends[left].tolist()
        words = [text[start:end] for start, end in zip(starts, ends, strict=True)]
        self._learn(sorted(set(words).difference(self._number)))
        return np.fromiter(map(self._number.__getitem__, words), np.int64, len(words))

    def _learn(self, words: Sequence[str]) -> None:
        if not words:
            return
        spans = self._read(words)
        n = np.fromiter(map(len, spans), np.int64, len(spans))
        self._number.update(zip(words, itertools.count(len(self._number))))
        self._first = np.concatenate([self._first, self._first[-1] + np.cumsum(n)])
        self._spans = np.concatenate([self._spans, *spans])

    def _place(
        self, slots: NDArray[np.uint64], keys: NDArray[np.uint64], numbers: NDArray[np.int64]
    ) -> None:
        """Put words into the table where their slots are free."""
        is_free = (keys[0] != 0) & (self._slot_keys[0, slots] == 0)
        # Of several words for one slot the same one must give key and number.
        slots, first = np.unique(slots[is_free], return_index=True)
        self._slot_keys[:, slots] = keys[:, is_free][:, first]
        self._slot_numbers[slots] = numbers[is_free][first]


def _words(text: str) -> _Found:
    codes = _codes(text)
    kinds = _KINDS[codes]
    is_word = kinds >= _LETTER
    is_mark = (kinds != _SPACE) & ~is_word
    begins, ends = is_mark.copy(), is_mark.copy()
    begins[0] |= is_word[0]
    begins[1:] |= is_word[1:] & ~is_word[:-1]
    ends[-1] |= is_word[-1]
    ends[:-1] |= is_word[:-1] & ~is_word[1:]
    starts, stops = np.flatnonzero(begins), np.flatnonzero(ends) + 1
    return _Found(starts, stops, _keys(codes, kinds, starts, stops - starts))


def _codes(text: str) -> NDArray[np.uint8]:
    """A byte a character: its ASCII code, or what stands for the others."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    found: NDArray[np.uint8] = np.minimum(codes, _BEYOND_ASCII).astype(np.uint8)
    for first, last in _IDEOGRAPHS:
        found[(codes >= first) & (codes <= last)] = _IDEOGRAPH_CODE
    return found


def _keys(
    codes: NDArray[np.uint8],
    kinds: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> NDArray[np.uint64]:
    padded = np.concatenate([codes, np.zeros(_KEY_BYTES, dtype=np.uint8)])
    # Eight bytes from every place on, as one number.
    eights = np.ndarray((len(codes) + 9,), "<u8", padded, 0, (1,))
    keys = np.empty((2, len(starts)), dtype=np.uint64)
    for half in range(2):
        n_bytes = np.clip(lengths - 8 * half, 0, 8)
        keys[half] = eights[starts + 8 * half] & _MASKS[n_bytes]
    keys[:, lengths > _KEY_BYTES] = 0
    odd = np.flatnonzero((kinds == _ODD) | (kinds == _IDEOGRAPH))
    if len(odd):
        keys[:, np.searchsorted(starts, odd, side="right") - 1] = 0
    return keys


def _slots(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = keys[0] * _FACTORS[0] ^ keys[1] * _FACTORS[1]
    mixed ^= mixed >> np.uint64(29)
    slots: NDArray[np.uint64] = (mixed * _FACTORS[0]) >> np.uint64(64 - _SLOT_BITS)
    return slots
