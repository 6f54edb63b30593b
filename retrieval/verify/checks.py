"""The single checks of a claim against the sentences that should bear it out. Pure.

Each compares what the claim says with the run of sentences that is nearest to it, and only then
with the whole source: a number that stands somewhere else does not make up for the one that is
wrong here. So what is amiss is counted in two ways: as a conflict, where the run says something
else in its place, and as missing, where nobody says it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from retrieval.verify.dates import Date
from retrieval.verify.edits import (
    Comparison,
    denial_changed,
    replaced_names,
    replaced_units,
)
from retrieval.verify.names import Name, knows
from retrieval.verify.polarity import (
    IMPLICIT,
    Denial,
    denials,
    doubled,
    is_verbal,
    opposites,
    weakly_denied,
)
from retrieval.verify.quantities import Quantity, same
from retrieval.verify.source import Reading, Source
from retrieval.verify.units import YEAR_S


@dataclass(frozen=True, slots=True)
class Amiss:
    """How much a check found wrong, and the claim's own words for it."""

    conflicts: int = 0
    missing: int = 0
    shown: tuple[str, ...] = ()


def check_numbers(claim: Reading, run: Reading, source: Source) -> Amiss:
    """Numbers with units: each one of the claim must stand in the run, or be told elsewhere."""
    told = [*run.quantities, *_derived(run.quantities), *_years_between(run.dates)]
    shares = [q for q in claim.quantities if q.dimension == "share" and _told(q, told, [])]
    open_here = [
        q
        for q in claim.quantities
        if not (q.loose or _told(q, told, run.dates))
        and not any(each.start <= q.start and q.end <= each.end for each in shares)
    ]
    if not open_here:
        return Amiss()
    left = [q for q in run.quantities if not q.loose and not _told(q, claim.quantities, [])]
    elsewhere = [*source.whole.quantities, *source.context.quantities]
    dated = [*source.whole.dates, *source.context.dates]
    conflicts, missing, shown = 0, 0, []
    for each in open_here:
        if any(_rivals(each, other) for other in left):
            conflicts += 1
        elif not _told(each, [q for q in elsewhere if q.dimension == each.dimension], dated):
            missing += 1
        else:
            continue
        shown.append(claim.text[each.start : each.end])
    return Amiss(conflicts, missing, tuple(shown))


def _told(wanted: Quantity, told: list[Quantity], dates: list[Date]) -> bool:
    if any(same(wanted, each) for each in told):
        return True
    numbers = {n for d in dates for n in (d.year, d.day, d.decade, d.century) if n is not None}
    return not wanted.dimension and wanted.plain in numbers


def _rivals(wanted: Quantity, other: Quantity) -> bool:
    """Whether a number of the source may be what the claim gets wrong."""
    alike = wanted.dimension == other.dimension or "" in {wanted.dimension, other.dimension}
    return alike or wanted.plain == other.plain


def _derived(told: list[Quantity]) -> list[Quantity]:
    """Differences of two numbers of one unit, which a claim may state: "from 22 to 17.5"."""
    numbers = [q for q in told if not q.loose and not q.ordinal]
    return [
        Quantity(
            abs(a.value - b.value), a.dimension, abs(a.plain - b.plain), a.start, b.end, loose=True
        )
        for n, a in enumerate(numbers)
        for b in numbers[n + 1 :]
        if a.dimension == b.dimension != ""
    ]


def _years_between(told: list[Date]) -> list[Quantity]:
    years = sorted({d.year for d in told if d.year is not None})
    gaps = {b - a for n, a in enumerate(years) for b in years[n + 1 :]}
    return [Quantity(gap * YEAR_S, "time", float(gap), 0, 0, loose=True) for gap in gaps]


def check_dates(claim: Reading, run: Reading, source: Source) -> Amiss:
    """Dates: what the claim says of one must stand in the run, or be told elsewhere."""
    conflicts, missing, shown = 0, 0, []
    for date in claim.dates:
        if any(date.agrees(each) for each in run.dates) or _as_number(date, run.quantities):
            continue
        rivals = [
            each
            for each in run.dates
            if date.clashes(each) and not any(other.agrees(each) for other in claim.dates)
        ]
        elsewhere = [*source.whole.dates, *source.context.dates]
        if rivals:
            conflicts += 1
        elif any(date.agrees(each) for each in elsewhere) or _spread(date, run.dates):
            continue
        else:
            missing += 1
        shown.append(claim.text[date.start : date.end])
    return Amiss(conflicts, missing, tuple(shown))


def _as_number(date: Date, told: list[Quantity]) -> bool:
    return date.year is not None and date.month is None and any(q.plain == date.year for q in told)


def _spread(date: Date, told: list[Date]) -> bool:
    """Whether the parts of a date stand in several: "5 to 6 January 1980"."""
    parts = [(d.year, d.month, d.day) for d in told]
    wanted = (date.year, date.month, date.day)
    return bool(told) and all(
        part is None or any(each[n] == part for each in parts) for n, part in enumerate(wanted)
    )


def check_names(claim: Reading, run: Reading, source: Source, how: Comparison) -> Amiss:
    """Names: each one of the claim must stand in the run; one put for another is a conflict."""
    if how.is_copy and (swapped := replaced_names(how)):
        wrong = [pair for pair in swapped if not knows(pair[1].casefold(), [pair[0].casefold()])]
        if wrong:
            return Amiss(conflicts=len(wrong), shown=tuple(ours for _, ours in wrong))
    open_here = [n for n in source.names_of(claim) if not _named(n, run)]
    if not open_here:
        return Amiss()
    left = [n for n in source.names_of(run) if not knows(n.folded, claim.folded_words)]
    conflicts, missing, shown = 0, 0, []
    for each in open_here:
        is_told = _named(each, source.whole) or _named(each, source.context)
        if left:
            conflicts += 1
        elif not is_told:
            missing += 1
        else:
            continue
        shown.append(each.text)
    return Amiss(conflicts, missing, tuple(shown))


def _named(name: Name, reading: Reading) -> bool:
    if name.folded in reading.folded_words or name.folded.replace(".", "") in reading.acronyms:
        return True
    return knows(name.folded, (each.folded for each in reading.names))


def check_units(how: Comparison) -> Amiss:
    """Units that were put for another in a near copy, known to be units or not."""
    found = replaced_units(how) if how.is_copy else []
    return Amiss(conflicts=len(found), shown=tuple(ours for _, ours in found))


def check_denial(claim: Reading, run: Reading, how: Comparison) -> Amiss:
    """Negation: whether the claim denies what the run states, or the other way round.

    Of a near copy the edits tell. Else each word of denial proper must have some denial on the
    other side, be it one that is in the meaning of a word, and must not deny what is said there.
    """
    if how.is_copy and how.equal >= _NEAR:
        return Amiss(conflicts=1) if denial_changed(how) else Amiss()
    ours, theirs = denials(claim.text), denials(run.text)
    turned = _turned(claim, run)
    pairs = ((ours, theirs, claim, run), (theirs, ours, run, claim))
    for mine, others, here, there in pairs:
        wrong = _unmatched(mine, others, here, there, n_turned=len(turned))
        if wrong:
            return Amiss(conflicts=1, shown=tuple(dict.fromkeys(d.cue for d in wrong)))
    return Amiss()


def _unmatched(
    mine: list[Denial], others: list[Denial], here: Reading, there: Reading, *, n_turned: int
) -> list[Denial]:
    """The denials of one side that the other side does not share."""
    explicit = [d for d in mine if d.explicit]
    if not explicit:
        return []
    n_shared = len(others) + n_turned + weakly_denied(here.folded_words, there.folded_words)
    is_even = len(explicit) % 2 == 0 and not others  # "without it, it won't"
    if len(explicit) > n_shared and not is_even:
        return explicit
    if (twice := doubled(mine)) and others and not any(d.explicit for d in others):
        return twice
    if n_turned:
        return []
    return [d for d in explicit if is_verbal(d) and _is_stated(d, others, here, there)]


def _is_stated(denial: Denial, others: list[Denial], here: Reading, there: Reading) -> bool:
    """Whether the other side states, outside of its own denials, just what this one denies."""
    stem = here.content.get(denial.governed)
    if stem is None or stem not in there.stems or "'" in denial.governed.replace("’", "'"):
        return False
    words = {word for word, each in there.content.items() if each == stem}
    return not any(words & (other.reach | {other.cue}) for other in others)


_NEAR = 0.75  # so near a copy that its edits tell all


def _turned(claim: Reading, run: Reading) -> list[str]:
    """Words of the claim whose opposites stand in the run, though neither has both."""
    mine = [w for w in claim.folded_words if w not in run.folded_words]
    others = [w for w in run.folded_words if w not in claim.folded_words]
    return [
        word
        for word in mine
        if word not in IMPLICIT
        and any(opposites(word, other) for other in others if other not in IMPLICIT)
    ]


_QUOTED = re.compile(
    "“([^”]+)”|\"([^\"]+)\"|«([^»]+)»|„([^“”]+)[“”]|(?<!\\w)[‘']([^’']{12,})[’'](?!\\w)"
)
_ELLIPSIS = re.compile(r"\s*(?:\.\.\.|…|\[[^\]]*\])\s*")
MIN_QUOTE_WORDS = 3  # fewer may be a term or a title


def check_quotes(claim: Reading, source: Source) -> Amiss:
    """What stands in quotation marks must stand in the source, word for word."""
    wrong = []
    for match in _QUOTED.finditer(claim.text):
        quoted = next(group for group in match.groups() if group is not None)
        if len(quoted.split()) >= MIN_QUOTE_WORDS and not _is_quote_of(quoted, source):
            wrong.append(quoted)
    return Amiss(missing=len(wrong), shown=tuple(wrong))


def _is_quote_of(quoted: str, source: Source) -> bool:
    said = f" {_plain(source.whole.text)} "
    return all(f" {_plain(part)} " in said for part in _ELLIPSIS.split(quoted) if _plain(part))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
