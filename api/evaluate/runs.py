"""One run over one set: made, saved and read again."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.evaluate.asking import RANKINGS, Asker, Found, OnProgress
from api.evaluate.judged import JudgedSet, invalid
from api.evaluate.measures import Figures, means, measure, percentiles

FORMAT = 1  # of saved runs


@dataclass(frozen=True, slots=True)
class Run:
    """What one ranking made of one set."""

    set: str
    ranking: str  # a name in `RANKINGS`
    how: str  # who was asked, and how documents were cut
    depth: int  # hits asked for
    questions: tuple[str, ...]  # ids
    figures: Figures
    latency_ms: tuple[float, ...]  # one a question, embedding included

    @property
    def means(self) -> dict[str, float]:
        """The mean of each measure."""
        return means(self.figures)

    @property
    def latency(self) -> dict[str, float]:
        """Percentiles of `latency_ms`."""
        return dict(percentiles(self.latency_ms))


def run(
    judged: JudgedSet,
    asker: Asker,
    *,
    store_id: str,
    ranking: str,
    depth: int,
    how: str,
    progress: OnProgress | None = None,
) -> Run:
    """Ask every question once and measure the answers.

    Args:
        judged: the questions.
        asker: who is asked.
        store_id: the vector store that is asked, as `asker` knows it.
        ranking: a name in `RANKINGS`.
        depth: how many hits are asked for.
        how: said in reports.
        progress: called after every question.
    """
    answers: dict[str, Sequence[Found]] = {}
    latency_ms: list[float] = []
    chosen = RANKINGS[ranking]
    asker.search(store_id, judged.questions[0].text, chosen, limit=depth)  # opens the index
    for n_done, question in enumerate(judged.questions, start=1):
        began = time.perf_counter()
        answers[question.id] = asker.search(store_id, question.text, chosen, limit=depth)
        latency_ms.append((time.perf_counter() - began) * 1000)
        if progress:
            progress(n_done, len(judged.questions))
    return Run(
        set=judged.name,
        ranking=ranking,
        how=how,
        depth=depth,
        questions=tuple(question.id for question in judged.questions),
        figures=measure(judged, answers, depth=depth),
        latency_ms=tuple(latency_ms),
    )


def as_dict(each: Run) -> dict[str, Any]:
    """A run for JSON, means first."""
    rounded = {name: [round(x, 6) for x in values] for name, values in each.figures.items()}
    return {
        "set": each.set,
        "ranking": each.ranking,
        "n_questions": len(each.questions),
        "means": each.means,
        "latency_ms": each.latency,
        **{name: getattr(each, name) for name in ("how", "depth", "questions")},
        "figures": rounded,
        "latencies_ms": [round(x, 3) for x in each.latency_ms],
    }


def save(runs: Sequence[Run], path: Path) -> None:
    """Write runs as JSON."""
    content = {"format": FORMAT, "runs": [as_dict(each) for each in runs]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


def load(path: Path) -> list[Run]:
    """Read what `save` wrote.

    Raises:
        InvalidRequest: it is no such file.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        return [_run(row) for row in {FORMAT: content["runs"]}[content["format"]]]
    except (KeyError, TypeError, ValueError) as error:
        raise invalid(
            f"{path}: no runs saved by `sourcebook eval`: {error!r}.", param="run"
        ) from error


def _run(row: Mapping[str, Any]) -> Run:
    plain = {name: row[name] for name in ("set", "ranking", "how", "depth", "figures")}
    return Run(**plain, questions=tuple(row["questions"]), latency_ms=tuple(row["latencies_ms"]))
