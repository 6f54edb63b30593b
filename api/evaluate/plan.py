"""What the command `eval` was asked for, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.engine import Engine
from api.evaluate.asking import RANKINGS, Asker, InProcess, OnProgress, OverHttp
from api.evaluate.compare import Comparison, compare
from api.evaluate.judged import JudgedSet, invalid
from api.evaluate.kept import kept_engine
from api.evaluate.known_items import known_items
from api.evaluate.measures import MAIN
from api.evaluate.readers import read_set
from api.evaluate.report import markdown
from api.evaluate.runs import Run, as_dict, load, run, save
from api.settings import Settings
from retrieval.queries import MAX_RESULTS
from retrieval.types import ChunkingStrategy

Progress = Callable[[str, int, int], None]  # what is being done, so much of so much
Compared = tuple[Run, Run, Comparison]


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of one call; see the command's help."""

    data: Path | None = None
    datasets: Sequence[Path] = ()
    split: str | None = None
    store: str | None = None
    known_items: int | None = None
    seed: int = 0
    first: int | None = None
    rankings: Sequence[str] = ("auto",)
    depth: int = 10
    chunk_tokens: int = 800
    overlap_tokens: int = 400
    url: str | None = None
    api_key: str | None = None
    keep: Path | None = None
    fresh: bool = False
    out: Path | None = None
    plots: bool = False
    baseline: Path | None = None
    compare: tuple[Path, Path] | None = None
    measure: str = MAIN

    def __post_init__(self) -> None:
        unknown = [name for name in self.rankings if name not in RANKINGS]
        if unknown:
            raise invalid(
                f"There is no ranking {unknown[0]!r}; there are {', '.join(RANKINGS)}.",
                param="eval",
            )
        if not 1 <= self.depth <= MAX_RESULTS:
            raise invalid(
                f"--depth is {self.depth}; 1 to {MAX_RESULTS} is possible.", param="eval"
            )
        if self.known_items is not None and (self.url or not self.store):
            raise invalid("--known-items needs --store, and goes without --url.", param="eval")
        if not (self.datasets or self.known_items or self.compare):
            raise invalid("Name a DATASET, or ask for --known-items or --compare.", param="eval")
        if self.plots and not self.out:
            raise invalid("--plots needs --out FOLDER.", param="eval")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Runs, and the comparisons among them."""

    runs: Sequence[Run]
    compared: Sequence[Compared]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; figures of single questions are in the saved file."""
        left_out = ("figures", "latencies_ms", "questions")
        rows = [
            {key: value for key, value in as_dict(each).items() if key not in left_out}
            for each in self.runs
        ]
        return {"runs": rows, "comparisons": [_as_dict(*each) for each in self.compared]}

    def markdown(self) -> str:
        """For people."""
        return markdown(self.runs, self.compared)

    def misses(self, bars: Mapping[str, float]) -> Iterator[str]:
        """A line for every run whose mean is below its bar.

        Raises:
            InvalidRequest: a run has no such measure.
        """
        for name, bar in bars.items():
            for each in self.runs:
                if name not in each.figures:
                    raise invalid(f"There is no measure {name!r} of {each.set}.", param="eval")
                if each.means[name] < bar:
                    yield f"{each.set}, {each.ranking}: {name} {each.means[name]:.4f} < {bar}"

    def drops(self) -> Iterator[str]:
        """A line for every comparison that is really worse."""
        for first, second, found in self.compared:
            if found.is_drop:
                yield (
                    f"{second.set}: {found.measure} fell by {-found.difference:.4f}"
                    f" from {first.ranking} to {second.ranking} (p = {found.p:.4f})"
                )


def _as_dict(first: Run, second: Run, found: Comparison) -> dict[str, Any]:
    names = {"set": second.set, "first_ranking": first.ranking, "second_ranking": second.ranking}
    verdict = {"difference": found.difference, "verdict": found.verdict()}
    return {**names, **dataclasses.asdict(found), **verdict}


def outcome(choices: Choices, progress: Progress) -> Outcome:
    """Do what was asked for, and write what was to be written.

    Raises:
        InvalidRequest: a set, a saved run or an option is wrong.
        Unavailable: a package of the `eval` extra is missing, or documents were not indexed.
    """
    if choices.compare:
        first, second = (load(path) for path in choices.compare)
        found = Outcome([*first, *second], _against(first, second, choices.measure))
    else:
        runs = list(_runs(choices, progress))
        compared = _among(runs, choices.measure)
        if choices.baseline:
            compared += _against(load(choices.baseline), runs, choices.measure)
        found = Outcome(runs, compared)
    if choices.out:
        _write(found, choices.out, plots=choices.plots)
    return found


def _write(found: Outcome, folder: Path, *, plots: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save(found.runs, folder / "eval.json")
    (folder / "eval.md").write_text(found.markdown(), "utf-8")
    if plots:
        from api.evaluate.plots import plot  # noqa: PLC0415

        plot(found.runs, folder)


# --- running ----------------------------------------------------------------------------------


def _runs(choices: Choices, progress: Progress) -> Iterator[Run]:
    with _asker(choices) as asker:
        for judged in _sets(choices, asker):
            store_id = _store(judged, choices, asker, progress)
            for ranking in choices.rankings:
                label = f"{judged.name}, {ranking}"
                yield run(
                    judged,
                    asker,
                    store_id=store_id,
                    ranking=ranking,
                    depth=choices.depth,
                    how=_how(choices),
                    progress=_said(progress, label),
                )


def _said(progress: Progress, what: str) -> OnProgress:
    return lambda done, total: progress(what, done, total)


@contextmanager
def _asker(choices: Choices) -> Iterator[Asker]:
    if choices.url:
        yield OverHttp(choices.url, api_key=choices.api_key)
    elif choices.store:
        with Engine.open(choices.data) as engine:
            yield InProcess(engine)
    else:
        settings = Settings.load()
        with kept_engine(choices.keep or settings.cache / "eval", settings=settings) as engine:
            yield InProcess(engine)


def _sets(choices: Choices, asker: Asker) -> Iterator[JudgedSet]:
    if choices.known_items and isinstance(asker, InProcess) and choices.store:
        yield known_items(
            asker.engine,
            asker.store(choices.store),
            n=choices.known_items,
            seed=choices.seed,
        )
    for path in choices.datasets:
        judged = read_set(path, split=choices.split)
        yield dataclasses.replace(judged, questions=judged.questions[: choices.first])


def _store(judged: JudgedSet, choices: Choices, asker: Asker, progress: Progress) -> str:
    if choices.store:
        return asker.store(choices.store)
    if not judged.documents:
        raise invalid(
            f"{judged.name} has no documents of its own; say which --store.", param="eval"
        )
    return asker.index(
        judged,
        ChunkingStrategy(choices.chunk_tokens, choices.overlap_tokens),
        fresh=choices.fresh,
        progress=_said(progress, f"indexing {judged.name}"),
    )


def _how(choices: Choices) -> str:
    asked = choices.url or "in process"
    if choices.store:
        return f"{asked}, vector store {choices.store}"
    return f"{asked}, chunks of {choices.chunk_tokens} tokens, {choices.overlap_tokens} shared"


# --- comparing --------------------------------------------------------------------------------


def _among(runs: Sequence[Run], measure: str) -> list[Compared]:
    """Each run with the first one over the same set."""
    first_of: dict[str, Run] = {}
    compared = []
    for each in runs:
        first = first_of.setdefault(each.set, each)
        if first is not each:
            compared.append((first, each, compare(first, each, measure=measure)))
    return compared


def _against(before: Sequence[Run], runs: Sequence[Run], measure: str) -> list[Compared]:
    """Each run with the earlier one over the same set: of its ranking, or else the only one.

    Raises:
        InvalidRequest: no run has a counterpart.
    """
    pairs = [(_counterpart(each, before), each) for each in runs]
    compared = [
        (first, each, compare(first, each, measure=measure)) for first, each in pairs if first
    ]
    if not compared:
        raise invalid("The earlier runs are over none of these sets and rankings.", param="eval")
    return compared


def _counterpart(each: Run, before: Sequence[Run]) -> Run | None:
    same = [old for old in before if old.set == each.set]
    named = [old for old in same if old.ranking == each.ranking]
    if named:
        return named[0]
    return same[0] if len(same) == 1 else None
