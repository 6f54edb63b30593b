"""Runs → pictures, with matplotlib from the `eval` extra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from api.evaluate.measures import MAIN
from api.evaluate.runs import Run
from retrieval.errors import Unavailable

_SIZE_INCHES = (7.0, 4.0)


def plot(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write SVG files: means by set, differences by question, latency.

    Raises:
        Unavailable: matplotlib is not installed.
    """
    made = [
        _save(_means(runs), folder / "means.svg"),
        _save(_latency(runs), folder / "latency.svg"),
    ]
    for name in _distinct(each.set for each in runs):
        same = [each for each in runs if each.set == name]
        if len({each.questions for each in same}) == 1 < len(same):
            made.append(_save(_differences(same), folder / f"differences-{_plain(name)}.svg"))
    return made


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _figure() -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - an extra, and slow
    except ImportError as error:
        raise Unavailable("Plots need matplotlib: pip install 'sourcebook[eval]'.") from error
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    return figure, figure.add_subplot()


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, format="svg", metadata={"Date": None})
    return path


def _means(runs: Sequence[Run]) -> Any:
    """nDCG@10 of every ranking on every set, with the standard error of the mean."""
    figure, axes = _figure()
    sets, rankings = _distinct(each.set for each in runs), _distinct(each.ranking for each in runs)
    width = 0.8 / len(rankings)
    for each in runs:
        values = np.array(each.figures[MAIN])
        place = sets.index(each.set) + width * (rankings.index(each.ranking) + 0.5) - 0.4
        error = values.std() / np.sqrt(len(values))
        color = f"C{rankings.index(each.ranking) % 10}"
        axes.bar(place, values.mean(), width, yerr=error, color=color)
    for n, name in enumerate(rankings):
        axes.bar(0, 0, color=f"C{n % 10}", label=name)
    axes.set_xticks(range(len(sets)), sets)
    axes.set_ylabel(MAIN)
    axes.legend()
    return figure


def _differences(runs: Sequence[Run]) -> Any:
    """nDCG@10 of each question less that of the first run, sorted."""
    figure, axes = _figure()
    first = np.array(runs[0].figures[MAIN])
    for each in runs[1:]:
        axes.plot(np.sort(np.array(each.figures[MAIN]) - first), label=each.ranking)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlabel("questions, sorted")
    axes.set_ylabel(f"{MAIN} less that of {runs[0].ranking}")
    axes.set_title(runs[0].set)
    axes.legend()
    return figure


def _latency(runs: Sequence[Run]) -> Any:
    """The share of questions that were answered within a time."""
    figure, axes = _figure()
    for each in runs:
        times = np.sort(each.latency_ms)
        share = np.arange(1, len(times) + 1) / len(times)
        axes.plot(times, share, label=f"{each.set}, {each.ranking}")
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("share of questions answered")
    axes.legend()
    return figure


def _distinct(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))
