"""Runs and comparisons → Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.evaluate.compare import Comparison
from api.evaluate.runs import Run


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(["set", "n"], [["a", "1"]]))
    | set | n |
    | --- | --- |
    | a | 1 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def runs_table(runs: Sequence[Run]) -> str:
    """One line a run: every measure that any of them has, and latency."""
    names = list(dict.fromkeys(name for each in runs for name in each.figures))
    header = ["set", "ranking", "questions", *names, "p50 ms", "p95 ms"]
    return table(header, [_run_row(each, names) for each in runs])


def _run_row(each: Run, names: Sequence[str]) -> list[str]:
    means, latency = each.means, each.latency
    return [
        each.set,
        each.ranking,
        str(len(each.questions)),
        *(f"{means[name]:.4f}" if name in means else "" for name in names),
        f"{latency['p50']:.1f}",
        f"{latency['p95']:.1f}",
    ]


def comparisons_table(compared: Sequence[tuple[Run, Run, Comparison]]) -> str:
    """One line a comparison, with its verdict."""
    header = ["set", "measure", "first", "second", "difference", "95 % interval", "p", "verdict"]
    return table(header, [_comparison_row(*each) for each in compared])


def _comparison_row(first: Run, second: Run, found: Comparison) -> list[str]:
    return [
        second.set,
        found.measure,
        f"{first.ranking} {found.first:.4f}",
        f"{second.ranking} {found.second:.4f}",
        f"{found.difference:+.4f}",
        f"{found.low:+.4f} to {found.high:+.4f}",
        f"{found.p:.4f}",
        found.verdict(),
    ]


def markdown(runs: Sequence[Run], compared: Sequence[tuple[Run, Run, Comparison]]) -> str:
    """The whole report."""
    parts = ["# Evaluation", runs_table(runs)]
    parts += dict.fromkeys(
        f"{each.set}: {each.how}, {each.depth} hits asked for." for each in runs
    )
    if compared:
        parts += ["## Is the difference real?", comparisons_table(compared), _TEST]
    return "\n\n".join(parts) + "\n"


_TEST = (
    "p: two-sided randomisation test over the questions, 4,999 resamples; a difference counts as"
    " real below 0.05. Interval: paired t."
)
