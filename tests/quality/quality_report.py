"""Writes docs/QUALITY.md: `make quality-report`, with the public sets in JUDGED_SETS.

Every figure is measured here through the product's own doors with its defaults, but those in
the columns and lines that name a source. Indexed sets and vectors are kept in the folder KEEP.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api.engine import Engine
from api.evaluate.asking import InProcess
from api.evaluate.compare import compare
from api.evaluate.judged import JudgedSet
from api.evaluate.kept import kept_engine
from api.evaluate.measures import MAIN
from api.evaluate.readers import read_set
from api.evaluate.report import table
from api.evaluate.runs import Run, run, save
from api.settings import Settings
from retrieval.types import ChunkingStrategy
from tests.quality import chunks, confidence, identifiers
from tests.quality.published import CHUNKING, PUBLISHED

LEGS = ("bm25", "dense", "rrf", "none", "default-2024-11-15", "auto")
DOCUMENT_SETS = ("cranfield", "cisi", "nfcorpus", "xquad", "financebench")
PASSAGES = "chroma_chunking"
SMALL_CHUNKS = ChunkingStrategy(250, 0)
DEPTH = 10
N_STRANGERS = 60  # questions of each foreign set
N_JUDGED = 50  # for the recalibration of one store


@dataclass(slots=True)
class Bench:
    """An open engine with sets indexed as they are needed."""

    engine: Engine
    sets: Mapping[str, JudgedSet]
    runs: list[Run]

    def store(self, name: str, chunking: ChunkingStrategy | None = None) -> str:
        """The vector store of a set."""
        chosen = chunking or ChunkingStrategy()
        asker = InProcess(self.engine)
        return asker.index(self.sets[name], chosen, fresh=False, progress=lambda _a, _b: None)

    def run(
        self,
        name: str,
        ranking: str,
        *,
        chunking: ChunkingStrategy | None = None,
        depth: int = DEPTH,
    ) -> Run:
        """One run, made once."""
        how = str(chunking or ChunkingStrategy())
        for known in self.runs:
            if (known.set, known.ranking, known.how, known.depth) == (name, ranking, how, depth):
                return known
        began = time.perf_counter()
        made = run(
            self.sets[name],
            InProcess(self.engine),
            store_id=self.store(name, chunking),
            ranking=ranking,
            depth=depth,
            how=how,
        )
        print(f"{name}, {ranking}: {made.means[MAIN]:.4f}, {time.perf_counter() - began:.0f} s")
        self.runs.append(made)
        return made


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the judged sets")
    parser.add_argument("--keep", type=Path, required=True, help="folder of what is kept")
    parser.add_argument("--out", type=Path, default=Path("docs/QUALITY.md"))
    parser.add_argument("--only", nargs="*", default=[*DOCUMENT_SETS, PASSAGES])
    given = parser.parse_args()
    names = [name for name in given.only if (given.sets / name).is_dir()]
    sets = {name: read_set(given.sets / name) for name in names}
    with kept_engine(given.keep, settings=Settings.load(), queries=True) as engine:
        bench = Bench(engine, sets, [])
        parts = list(_parts(bench))
    save(bench.runs, given.keep / "quality.json")
    given.out.write_text("\n\n".join(parts) + "\n", "utf-8")
    print(given.out)


def _parts(bench: Bench) -> Iterator[str]:
    yield _HEAD.format(
        version=importlib.metadata.version("sourcebook"),
        model=bench.engine.embedder.id,
        machine=_machine(),
        python=platform.python_version(),
        sets=", ".join(bench.sets),
    )
    documents = [name for name in DOCUMENT_SETS if name in bench.sets]
    yield from _ranking(bench, documents)
    if PASSAGES in bench.sets:
        yield from _passages(bench)
    yield from _believed(bench, documents)
    yield from _codes(bench.engine)


def _machine() -> str:
    names = Path("/proc/cpuinfo")
    lines = names.read_text("utf-8").splitlines() if names.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {models[0] if models else platform.machine()}"


# --- ranking ----------------------------------------------------------------------------------


def _ranking(bench: Bench, names: Sequence[str]) -> Iterator[str]:
    runs = {name: [bench.run(name, ranking) for ranking in LEGS] for name in names}
    yield "## Ranking of documents, nDCG@10"
    header = ["set", "questions", *LEGS, "auto less the better leg", "95 % interval", "p"]
    rows = [_ranking_row(name, runs[name]) for name in names]
    columns = np.array([[each.means[MAIN] for each in runs[name]] for name in names])
    mean = columns.mean(axis=0)
    lead = mean[-1] - max(mean[0], mean[1])
    rows.append(["mean", "", *(f"**{x:.4f}**" for x in mean), f"{lead:+.4f}", "", ""])
    yield table(header, rows)
    yield _RANKING_NOTE
    yield "### What others published"
    yield table(["set", "figure", "of", "source"], _published_rows(names))


def _ranking_row(name: str, runs: Sequence[Run]) -> list[str]:
    bm25, dense, auto = runs[0], runs[1], runs[-1]
    better = max(bm25, dense, key=lambda each: each.means[MAIN])
    found = compare(better, auto)
    return [
        name,
        str(len(auto.questions)),
        *(f"{each.means[MAIN]:.4f}" for each in runs),
        f"{found.difference:+.4f}",
        f"{found.low:+.4f} to {found.high:+.4f}",
        f"{found.p:.4f}",
    ]


def _published_rows(names: Sequence[str]) -> Iterator[list[str]]:
    for name in names:
        known = PUBLISHED[name]
        yield [
            name,
            f"{known.library_bm25:.3f}",
            "BM25",
            "bm25s on the same files, its parameters",
        ]
        for figure, what, source in known.others:
            yield [name, figure, what, source]


# --- passages ---------------------------------------------------------------------------------


def _passages(bench: Bench) -> Iterator[str]:
    yield "## Passages: Chroma's chunking set"
    header = ["ranking", "nDCG@10 of the chunk", "nDCG@10 of passages", "hit@1", "token recall"]
    rows = []
    graded = chunks.as_documents(bench.engine, bench.store(PASSAGES), bench.sets[PASSAGES])
    for ranking in LEGS:
        made = bench.run(PASSAGES, ranking)
        of_chunks = chunks.ndcg(bench.engine, bench.store(PASSAGES), graded, ranking=ranking)
        shown = [made.means[name] for name in (MAIN, "hit@1", "token recall")]
        rows.append([ranking, f"{of_chunks:.4f}", *(f"{x:.4f}" for x in shown)])
    yield "Chunks of 800 tokens that share 400, the default; ten hits."
    yield table(header, rows)
    yield _CHUNK_NOTE
    yield "Chunks of 250 tokens, five hits; and the default chunks, five hits:"
    names = ("token recall", "token precision", "token IoU")
    cut = {"250/0": SMALL_CHUNKS, "800/400": ChunkingStrategy()}
    made_rows = []
    for label, chunking in cut.items():
        for ranking in ("bm25", "dense", "auto"):
            made = bench.run(PASSAGES, ranking, chunking=chunking, depth=5)
            made_rows.append([label, ranking, *(f"{made.means[name]:.4f}" for name in names)])
    published = [["published", what, r, p, source] for what, r, p, source in CHUNKING]
    yield table(["chunks", "ranking", *names], [*made_rows, *published])


# --- scores -----------------------------------------------------------------------------------


def _believed(bench: Bench, names: Sequence[str]) -> Iterator[str]:
    scored = {
        name: confidence.scored(bench.engine, bench.store(name), bench.sets[name])
        for name in names
    }
    yield "## Scores as probabilities"
    yield _SCORES_NOTE
    pooled = confidence.pooled(list(scored.values()))
    header = ["set", "hits", "relevant", "error", "AUC", "raw cosine", "min-max", "rises in rank"]
    yield table(header, [_error_row(*each) for each in [*scored.items(), ("pooled", pooled)]])
    yield "### Own questions and foreign ones"
    yield table(
        ["store", "own kept", "foreign passed", "AUC of the best hit"],
        _foreign_rows(bench, scored),
    )


def _error_row(name: str, found: confidence.Scored) -> list[str]:
    of = confidence.calibration_error
    figures = [
        found.relevant.mean(),
        of(found.score, found.relevant),
        confidence.auc(found.score, found.relevant),
        of(np.clip(found.cosine, 0, 1), found.relevant),
        of(found.min_max(), found.relevant),
    ]
    return [
        name,
        str(len(found.score)),
        *(f"{x:.3f}" for x in figures),
        str(found.rises_somewhere()),
    ]


def _foreign_rows(bench: Bench, scored: Mapping[str, confidence.Scored]) -> Iterator[list[str]]:
    everything = {name: bench.sets[name] for name in scored}
    for name, own in scored.items():
        asked = list(confidence.strangers(everything, name, n=N_STRANGERS, seed=0))
        foreign = confidence.best_scores(bench.engine, bench.store(name), asked)
        found = confidence.off_topic(own, foreign, threshold=0.5)
        yield [name, f"{found.kept:.3f}", f"{found.passed:.3f}", f"{found.separation:.3f}"]


def _codes(engine: Engine) -> Iterator[str]:
    share, missed = identifiers.hit_at_1(engine, identifiers.codes())
    yield "## Exact identifiers"
    yield f"hit@1 over {identifiers.N_CODES} seeded codes: **{share:.3f}**." + (
        f" Missed: {', '.join(missed[:5])}." if missed else ""
    )


_HEAD = """# Quality

Written by `make quality-report` (tests/quality/quality_report.py); do not edit. Sourcebook
{version}, {model}, Python {python}, {machine}; sets: {sets}. Defaults of the product throughout,
nothing is tuned to a set. Figures are means over all questions with something relevant, ten hits
asked for, whole documents as text files, a document counting with its best chunk."""
_RANKING_NOTE = """`bm25` and `dense` are the product's two legs by themselves, `rrf` their
reciprocal ranks at equal weights, `none` their scores blended, `auto` the default. Interval and p
compare `auto` with the better leg, question by question (paired t; randomisation test)."""
_CHUNK_NOTE = """*Of the chunk*: every chunk that holds a whole passage is relevant. *Of passages*:
each passage is one item, found where the first hit holds it whole."""
_SCORES_NOTE = """Error: 15 bins of equal count over the ten hits of every question; what is not
judged counts as not relevant. The last column counts hits that score above the one before."""


if __name__ == "__main__":
    main()
