"""How many windows a filter leaves → how to look through them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["none", "gather", "scan", "open"]

# Below this many allowed windows their vectors are fetched one by one and every chunk of them
# is scored; above, FAISS scans under the mask. Measured crossover, see decision 0004.
GATHER_MAX_WINDOWS = 1500


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision with its reason."""

    kind: Kind
    selectivity: float  # share of live windows that are allowed, 0-1
    n_allowed: int
    n_total: int

    def __str__(self) -> str:
        return f"{self.kind}: {self.n_allowed} of {self.n_total} windows allowed"


def plan(*, n_allowed: int, n_total: int) -> Plan:
    """Choose how the dense leg runs; scores never depend on it.

    >>> str(plan(n_allowed=120, n_total=20000))
    'gather: 120 of 20000 windows allowed'
    """
    kind: Kind = "scan"
    if n_allowed == 0:
        kind = "none"
    elif n_allowed <= GATHER_MAX_WINDOWS:
        kind = "gather"
    elif n_allowed == n_total:
        kind = "open"
    return Plan(kind, n_allowed / n_total if n_total else 0.0, n_allowed, n_total)
