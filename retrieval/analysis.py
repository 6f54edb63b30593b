"""Text → terms, for chunks and queries alike.

A term is what the keyword index counts. Text is folded (NFKC, then case), words are cut to
their English stem (Snowball), and what stands joined, such as ``max_chunk-size.json`` or
``HTTPServer``, counts whole and in its parts. Scripts written without spaces become pairs of
neighbouring characters. Stop words are indexed like all others, so that a query of nothing
else ("to be or not to be") still finds something; from other queries they are dropped.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

import Stemmer

# Lucene's English list, and the words that questions are made of.
_STOP_WORDS = """
a an and are as at be but by for if in into is it no not of on or such that the their then there
these they this to was will with
about am can could did do does from had has have how i me my our should than us we were what when
where which who whom whose why would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_MAX_WHOLE_CHARS = 64  # longer joined text, such as a URL, is found by its parts
# Thai, Lao, Burmese, Khmer, kana, ideographs, Hangul.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af"
)
# Python's \w leaves out vowel signs and accents that combine, which would tear most words of
# India and of pointed Hebrew and Arabic apart.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_LETTERS = rf"[\w{_MARKS}{_UNSPACED}]+"
_TOKEN = re.compile(
    rf"{_LETTERS}(?:(?:[-._/:@&'’]|(?<=\d),(?=\d{{3}})){_LETTERS})*(?:\+\+|\#(?!\w))?"
)
_WORD = re.compile(rf"[{_UNSPACED}]+|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+")
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]")
_NO_JOINT = re.compile(f"['’{_UNSPACED}]")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z\d_]+|\d+")
_MIXED = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]|[A-Za-z]\d|\d[A-Za-z]")

_stemmers = threading.local()  # a stemmer keeps state while it works


def terms(text: str) -> list[str]:
    """All terms of a text, in order and with repeats.

    >>> terms("Running the HTTPServer")
    ['run', 'the', 'httpserver', 'http', 'server']
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    found: list[str] = []
    for token in _TOKEN.findall(text):
        found.extend(_terms_of(token))
    return found


def query_terms(text: str) -> list[str]:
    """The terms to look for: those of the text without stop words, unless none are left."""
    found = terms(text)
    wanted = [term for term in found if term not in STOP_WORDS]
    return wanted or found


@lru_cache(maxsize=1 << 17)
def _terms_of(token: str) -> tuple[str, ...]:
    """A token's terms: itself when it is joined or mixed, and its words."""
    words = _WORD.findall(token)
    found = _whole(token, words)
    for word in words:
        if _UNSPACED_RUN.match(word):
            found.extend(_pairs(word))
        elif len(word) > 1 or len(words) == 1:  # the parts of "U.S." say nothing
            found.extend(_word_terms(word))
    return tuple(found)


def _whole(token: str, words: list[str]) -> list[str]:
    """The joined token as one term, where its joints carry meaning."""
    plain = token.replace(",", "").strip("_").casefold()
    if [plain] == [word.casefold() for word in words] or len(plain) > _MAX_WHOLE_CHARS:
        return []
    return [] if _NO_JOINT.search(plain) else [plain]


def _word_terms(word: str) -> list[str]:
    folded = word.casefold()
    if not _MIXED.search(word):
        return [_stem(folded)]
    parts = [part.casefold() for part in _HUMP.findall(word)]
    return [folded, *(_stem(part) for part in parts if len(part) > 1 and part != folded)]


def _pairs(run: str) -> list[str]:
    run = run.casefold()
    return [run[i : i + 2] for i in range(max(1, len(run) - 1))]


def _stem(word: str) -> str:
    stemmer = getattr(_stemmers, "english", None)
    if stemmer is None:
        stemmer = _stemmers.english = Stemmer.Stemmer("english", 0)
    return str(stemmer.stemWord(word)) if word not in STOP_WORDS else word
