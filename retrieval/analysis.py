"""Text → terms, for chunks and queries alike.

A term is what the keyword index counts. Text is folded (NFKC, then case), words are cut to
their stem in the language of the file (Snowball), and what stands joined, such as
``max_chunk-size.json``, ``HTTPServer`` or ``AB12-345/C``, counts whole and in its parts. Scripts written without spaces become pairs of
neighbouring characters. Stop words are indexed like all others, so that a query of nothing
else ("to be or not to be") still finds something; from other queries they are dropped.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import Stemmer

from retrieval.language import ENGLISH

# Lucene's English list, and the words that questions are made of.
_STOP_WORDS = """
a an and are as at be but by for if in into is it no not of on or such that the their then there
these they this to was will with
about am can could did do does from had has have how i me my our should than us we were what when
where which who whom whose why would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

# Up to this length a query is taken at its word: its codes and quoted phrases are wanted as they
# stand there. Longer ones are texts, to which others like them are looked for.
MAX_EXACT_TOKENS = 40
_MAX_KEPT_CHARS = 64  # longer pieces hardly repeat
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
# What joins whole names into lists and paths; each name between them counts whole as well.
_OUTER_JOINT = re.compile(r"[/:@&]")
_INNER_JOINT = re.compile(r"[-._]")
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
# A code: letters and digits, or three numbers, or parts joined by underscores.
_CODE = re.compile(
    r"(?!\d+(?:s|st|nd|rd|th)$)(?!\d+-[a-z]+$)"
    r"(?:(?=[^\W_]*\D)(?=.*\d)(?=.*[^\W\d_]).+|\d+(?:[-./]\d+){2,}|.*[^\W_]_+[^\W_].*)",
    re.IGNORECASE,
)
# A name in a program: a small start of three letters or more before a capital, or two capitals
# within. What people write so elsewhere, such as iPhone, mRNA or YouTube, is neither.
_NAME = re.compile(r"[a-z]{3,}[A-Z]\w*|\w*[a-z][A-Z]\w*[a-z][A-Z]\w*")
_NO_JOINT = re.compile(f"['’{_UNSPACED}]")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z\d_]+|\d+")
_MIXED = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]|[A-Za-z]\d|\d[A-Za-z]")

_stemmers = threading.local()  # a stemmer keeps state while it works


def terms(text: str, language: str = ENGLISH) -> list[str]:
    """All terms of a text, in order and with repeats.

    >>> terms("Running the HTTPServer")
    ['run', 'the', 'httpserver', 'http', 'server']
    """
    found: list[str] = []
    for piece in text.split():
        found.extend(piece_terms(piece, language))
    return found


def piece_terms(piece: str, language: str) -> tuple[str, ...]:
    """All terms of a piece of text without white space, which no token spans.

    Pieces repeat ("the", "year,"), so most are looked up, not taken apart.
    """
    if len(piece) > _MAX_KEPT_CHARS:
        return _terms_of_piece.__wrapped__(piece, language)
    return _terms_of_piece(piece, language)


@lru_cache(maxsize=1 << 16)
def _terms_of_piece(piece: str, language: str) -> tuple[str, ...]:
    found: list[str] = []
    for token in tokens(piece):
        found.extend(_terms_of(token, language))
    return tuple(found)


def tokens(text: str) -> list[str]:
    """The words of a text as they stand there, joined ones whole."""
    return _TOKEN.findall(text if text.isascii() else unicodedata.normalize("NFKC", text))


def query_terms(text: str, languages: Sequence[str] = (ENGLISH,)) -> list[str]:
    """The terms to look for: those of the text without stop words, unless none are left.

    Args:
        text: of the query.
        languages: those of the files that are searched. A word whose stem differs between
            them is looked for in each form.

    >>> query_terms("Häuser", ("english", "german"))
    ['häuser', 'haus']
    """
    found: list[str] = []
    for token in tokens(text):
        forms = dict.fromkeys(_terms_of(token, language) for language in languages or (ENGLISH,))
        found.extend(next(iter(forms)))
        known = set(next(iter(forms)))
        for form in list(forms)[1:]:
            found.extend(term for term in form if term not in known)
            known.update(form)
    wanted = [term for term in found if term not in STOP_WORDS]
    return wanted or found


def phrases(text: str) -> list[list[str]]:
    """What stands in quotation marks, each as the terms of its words one after another.

    >>> phrases('when is "net interest income" stated?')
    [['net', 'interest', 'incom']]
    """
    quoted = (terms(part) for part in _QUOTED.findall(text))
    return [found for found in quoted if found]


def identifiers(text: str) -> list[str]:
    """The whole terms of codes, part numbers and names of a program's parts in a text.

    A token counts that has a digit beside letters, three numbers or more joined, an underscore,
    or capitals within as programs have them; ordinals, decades, ranges and times do not.

    >>> identifiers("Does max_size or CVE-2024-3094 explain E-4012, well-known since the 1960s?")
    ['max_size', 'cve-2024-3094', 'e-4012']
    >>> identifiers("Does resetPumpB call HttpServerError on an iPhone?")
    ['resetpumpb', 'httpservererror']
    """
    codes = (_terms_of(token, ENGLISH) for token in tokens(text) if _is_code(token))
    return list(dict.fromkeys(found[0] for found in codes if found))


def _is_code(token: str) -> bool:
    return bool(_CODE.fullmatch(token) or _NAME.fullmatch(token))


@lru_cache(maxsize=1 << 15)
def _terms_of(token: str, language: str) -> tuple[str, ...]:
    """A token's terms: itself when it is joined or mixed, and its words."""
    words = _WORD.findall(token)
    found = _whole(token, words)
    if _OUTER_JOINT.search(token):
        named = (piece for piece in _OUTER_JOINT.split(token) if _INNER_JOINT.search(piece))
        for piece in named:
            found.extend(_whole(piece, _WORD.findall(piece)))
    for word in words:
        if _UNSPACED_RUN.match(word):
            found.extend(_pairs(word))
        elif len(word) > 1 or len(words) == 1:  # the parts of "U.S." say nothing
            found.extend(_word_terms(word, language))
    return tuple(filter(None, found))


def _whole(token: str, words: list[str]) -> list[str]:
    """The joined token as one term, where its joints carry meaning."""
    plain = token.replace(",", "").strip("_").casefold()
    if [plain] == [word.casefold() for word in words] or len(plain) > _MAX_WHOLE_CHARS:
        return []
    return [] if _NO_JOINT.search(plain) else [plain]


def _word_terms(word: str, language: str) -> list[str]:
    folded = word.casefold()
    if not _MIXED.search(word):
        return [stem(folded, language)]
    parts = [part.casefold() for part in _HUMP.findall(word)]
    return [
        folded,
        *(stem(part, language) for part in parts if len(part) > 1 and part != folded),
    ]


def _pairs(run: str) -> list[str]:
    run = run.casefold()
    return [run[i : i + 2] for i in range(max(1, len(run) - 1))]


def stem(word: str, language: str = ENGLISH) -> str:
    """What is left of a folded word without its endings; stop words stay as they are."""
    if word in STOP_WORDS:
        return word
    stemmers = _stemmers.__dict__
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language, 0)
    return str(stemmers[language].stemWord(word))
