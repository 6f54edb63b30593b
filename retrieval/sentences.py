"""Text → where its sentences stand. Pure, and linear in the text's length.

Rules, not a model: a stop ends a sentence unless what stands around it says otherwise. Where
it is unclear the sentences stay together, since a window that is a sentence too long does less
harm than a statement torn in two.
"""

from __future__ import annotations

import re

_CLOSERS = "\"'”’»›)\\]}」』）】〉》"
_WIDE = "。！？｡"
_STOPS = ".!?…‼⁇⁈⁉؟۔।॥։།"
# One set of characters comes first, for which the engine looks quickly. The runs are possessive,
# and what must follow is looked at afterwards: a lookahead here would make a page of dots take
# quadratic time.
_BORDER = re.compile(
    rf"""
    [\n{_WIDE}{_STOPS}]
    (?:
        (?<=\n)(?P<blank>[^\S\n]*+\n)                         # a blank line always ends
        | (?<=[{_WIDE}])(?P<wide>[{_WIDE}]*+[{_CLOSERS}]*+)     # needs no space after it
        | (?<=[{_STOPS}])(?P<stop>[{_STOPS}]*+(?:[{_CLOSERS}]|\[\d{{1,4}}\])*+)  # with quotes, notes
    )
    """,
    re.VERBOSE,
)
_OPENERS = "\"'“‘„‚«‹([{¿¡*_-–—•"
_N_LOOKBACK_CHARS = 24  # more than the longest abbreviation below


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Always followed by what they belong to: titles, and words of explanation.
_NEVER_LAST = _words(
    """
    adm capt cmdr dr drs gov hon lt messrs mlle mme mr mrs ms mx pres prof sgt st supt
    al approx c.f ca cf e.g eds eg esp i.e ibid ie resp viz vs
    abs bzw d.h evtl ggf hr s.o s.u u.a vgl z.b z.t
    """
)
# Part of a reference or a date before a number or letter ("Fig. 3", "App. B"), else a word.
_BEFORE_NUMBER = _words(
    """
    app art arts cap ch chap chs col def ed eq eqn eqs ex fig figs lem no nos nr op p par para pg
    pp prop ref refs sec sect tab thm vol vols
    apr aug dec feb jan jul jun mar nov oct sep sept mon tue tues wed thu thur thurs fri sat sun
    """
)
# May end a sentence or not: they do where a word follows that seldom stands inside one.
_MAYBE_LAST = _words(
    """
    a.d a.k.a a.m acad assn assoc ave b.a b.c b.s bldg blvd bros co corp dept dist div etc ext gen
    govt hwy inc jr llc ltd m.a m.d maj mt natl p.m ph.d plc rd rep rev sen sr tel u.k u.n u.s
    u.s.a univ usw
    """
)
_STARTERS = _words(
    """
    a according after all also although an and another as at because before both but by despite
    during each either even every few finally first for from furthermore he her here his how
    however i if in indeed instead it its many meanwhile moreover most my nevertheless next no
    now of on once one only our over several she similarly since so some such that the their
    then there therefore these they this those though through thus to today two under until we
    what when where whether which while who why with within without yet you your
    """
)
_SPECIAL = _NEVER_LAST | _BEFORE_NUMBER | _MAYBE_LAST


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Character spans of the sentences, in order, without white space at their ends.

    Together they hold every character of `text` that is not white space. A blank line always
    ends a sentence, a single line break never by itself.

    >>> text = "Dr. No paid $3.50. Why? Nobody knows."
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['Dr. No paid $3.50.', 'Why?', 'Nobody knows.']
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for border in _BORDER.finditer(text):
        if _ends(text, start, border):
            _append_trimmed(spans, text, start, border.end())
            start = border.end()
    _append_trimmed(spans, text, start, len(text))
    return spans


def _append_trimmed(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    body = text[start:end].lstrip()
    if body:
        start = end - len(body)
        spans.append((start, start + len(body.rstrip())))


def _ends(text: str, start: int, border: re.Match[str]) -> bool:
    """Whether the sentence that began at `start` ends at this border."""
    if border.lastgroup != "stop":
        return True
    end = border.end()
    if end < len(text) and not text[end].isspace():
        return False  # 3.14, example.org, v1.2
    if _opens_low(text, end):
        return False  # "Why?" he asked. Something ... and more
    stop = border.start()
    if text[stop] != "." or end > stop + 1:
        return True
    return _follows_plain_word(text, stop) or _full_stop_ends(
        text, start, stop, _word_after(text, end)
    )


def _opens_low(text: str, end: int) -> bool:
    """Whether the word after a stop begins with a small letter; mostly one look tells."""
    if end == len(text):
        return False
    first = text[end + 1 : end + 2]
    if text[end : end + 1] != " " or not first.isalpha():
        first = _word_after(text, end)[:1]
    return first.islower()


def _follows_plain_word(text: str, stop: int) -> bool:
    """Whether what stands before a full stop is a word of letters that is nothing special.

    It need not find every such word, since `_full_stop_ends` comes to the same.
    """
    space = text.rfind(" ", max(stop - _N_LOOKBACK_CHARS, 0), stop)
    word = text[space + 1 : stop] if space >= 0 else ""
    return len(word) > 1 and word.isalpha() and word.casefold() not in _SPECIAL


def _full_stop_ends(text: str, start: int, stop: int, follower: str) -> bool:
    """Whether a single full stop at `stop` is more than part of the word before it."""
    head = text[max(start, stop - _N_LOOKBACK_CHARS) : stop]
    words = head.split()
    last = words[-1].lstrip(_OPENERS) if words else ""
    if last.isdigit() and not text[start : stop - len(last)].strip(_OPENERS + " \t\n"):
        return False  # "3. Press the button": a number in front of its item
    if (folded := last.casefold()) in _NEVER_LAST:
        return False
    if folded in _BEFORE_NUMBER:
        return not (follower[:1].isdigit() or (len(follower) == 1 and follower.isupper()))
    is_initial = len(last) == 1 and last.isalpha() and last.isupper()
    if folded in _MAYBE_LAST or is_initial:
        return follower.casefold() in _STARTERS or not follower
    return True


def _word_after(text: str, position: int) -> str:
    """The next word, without what opens quotes and brackets; "" if a blank line comes first."""
    between = text[position : position + _N_LOOKBACK_CHARS * 2]
    body = between.lstrip()
    if between[: len(between) - len(body)].count("\n") > 1:
        return ""
    words = body.split(maxsplit=1)
    return words[0].lstrip(_OPENERS).rstrip(",.;:!?)'\"") if words else ""
