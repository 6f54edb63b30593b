"""How many windows a filter leaves → how to look through them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["none", "gather", "scan", "open"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """Where one way overtakes another, in windows; defaults as measured, see decision 0020."""

    gather_windows: int = 3000  # allowed; up to so many their rows are read, and nothing else
    coded_windows: int = 8192  # of a segment; smaller ones are scanned as they are


DEFAULT = Tuning()


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision with its reason.

    `none`: nothing is allowed. `gather`: so little is allowed that its rows are read, and nothing
    else. `scan` and `open`: segments are looked through by their codes, under the filter's mask
    or without one, and the rows of the best read; where a segment has no codes, by its rows.
    """

    kind: Kind
    selectivity: float  # share of live windows that are allowed, 0-1
    n_allowed: int
    n_total: int
    exact: bool = False  # by rows alone, whatever codes there are
    outcome: str = ""  # what it came to, once it was carried out

    def __str__(self) -> str:
        chosen = f"{self.kind}: {self.n_allowed} of {self.n_total} windows allowed"
        return f"{chosen}; {self.outcome}" if self.outcome else chosen


def plan(*, n_allowed: int, n_total: int, exact: bool = False, tuning: Tuning = DEFAULT) -> Plan:
    """Choose how the dense leg runs; scores never depend on it.

    Args:
        n_allowed: live windows that the filter leaves.
        n_total: live windows.
        exact: whether to do without codes.
        tuning: where the ways overtake each other.

    >>> str(plan(n_allowed=120, n_total=20000))
    'gather: 120 of 20000 windows allowed'
    """
    kind: Kind = "scan"
    if n_allowed == 0:
        kind = "none"
    elif n_allowed <= tuning.gather_windows:
        kind = "gather"
    elif n_allowed == n_total:
        kind = "open"
    share = n_allowed / n_total if n_total else 0.0
    return Plan(kind, share, n_allowed, n_total, exact)
