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
from dataclasses import dataclass, replace
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
from retrieval.calibrate import calibration_error
from retrieval.rerank import Reranker
from retrieval.threshold import CONFIDENT
from retrieval.types import ChunkingStrategy
from tests.quality import chunks, confidence, cut_dense, identifiers, rerankers, score_curve
from tests.quality.over_http import run_over_http
from tests.quality.published import CHUNKING, PUBLISHED

LEGS = ("bm25", "dense", "rrf", "none", "auto")
DOCUMENT_SETS = ("cranfield", "cisi", "nfcorpus", "xquad", "financebench")
PASSAGES = "chroma_chunking"
SMALL_CHUNKS = ChunkingStrategy(250, 0)
DEPTH = 10
N_STRANGERS = 60  # questions of each foreign set
N_JUDGED = 50  # for the recalibration of one store
SAMPLE = Path(__file__).parents[2] / "sample_corpus"
SEEDS = 6  # of the exact identifiers


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
        label: str | None = None,
    ) -> Run:
        """One run, made once; `label` tells it from others of the same ranking."""
        how = str(chunking or ChunkingStrategy())
        for known in self.runs:
            if (known.set, known.ranking, known.how, known.depth) == (
                name,
                label or ranking,
                how,
                depth,
            ):
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
        made = replace(made, ranking=label or ranking)
        print(
            f"{name}, {made.ranking}: {made.means[MAIN]:.4f}, {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        self.runs.append(made)
        return made


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the judged sets")
    parser.add_argument("--keep", type=Path, required=True, help="folder of what is kept")
    parser.add_argument("--out", type=Path, default=Path("docs/QUALITY.md"))
    parser.add_argument("--questions", type=int, help="only the first of each set, to try it out")
    parser.add_argument("--only", nargs="*", default=[*DOCUMENT_SETS, PASSAGES])
    given = parser.parse_args()
    names = [name for name in given.only if (given.sets / name).is_dir()]
    sets = {name: _first(read_set(given.sets / name), given.questions) for name in names}
    with kept_engine(given.keep, settings=Settings.load(), queries=True) as engine:
        bench, parts = Bench(engine, sets, []), []
        for part in _parts(bench, n=given.questions):
            parts.append(part)
            given.out.write_text("\n\n".join(parts) + "\n", "utf-8")
    save(bench.runs, given.keep / "quality.json")
    print(given.out)


def _first(judged: JudgedSet, n: int | None) -> JudgedSet:
    """The set with its first `n` questions, all without `n`."""
    return replace(judged, questions=judged.questions[:n])


def _parts(bench: Bench, *, n: int | None) -> Iterator[str]:
    yield _HEAD.format(
        version=importlib.metadata.version("sourcebook"),
        model=bench.engine.embedder.id,
        machine=_machine(),
        python=platform.python_version(),
        sets=", ".join(bench.sets),
    )
    if n is not None:
        yield f"**A trial: only the first {n} questions of each set.**"
    documents = [name for name in DOCUMENT_SETS if name in bench.sets]
    if documents:
        yield from _ranking(bench, documents)
        yield from _http(bench, documents)
    if PASSAGES in bench.sets:
        yield from _passages(bench)
    if documents:
        yield from _believed(bench, documents)
    yield from _codes(bench.engine)


def _machine() -> str:
    names = Path("/proc/cpuinfo")
    lines = names.read_text("utf-8").splitlines() if names.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {models[0] if models else platform.machine()}"


# --- ranking ----------------------------------------------------------------------------------


def _ranking(bench: Bench, names: Sequence[str]) -> Iterator[str]:
    installed, bench.engine.reranker = bench.engine.reranker, None
    runs = {name: [bench.run(name, ranking) for ranking in LEGS] for name in names}
    header = ["set", "questions", *LEGS, "auto less the better leg", "95 % interval", "p"]
    rows = [_ranking_row(name, runs[name]) for name in names]
    columns = np.array([[each.means[MAIN] for each in runs[name]] for name in names])
    mean = columns.mean(axis=0)
    lead = mean[-1] - max(mean[0], mean[1])
    rows.append(["mean", "", *(f"**{x:.4f}**" for x in mean), f"{lead:+.4f}", "", ""])
    yield "## Ranking of documents, nDCG@10"
    yield table(header, rows)
    yield _RANKING_NOTE
    yield "### What others published"
    yield table(["set", "figure", "of", "source"], _published_rows(names))
    cut = [name for name in names if name in cut_dense.PUBLISHED]
    figures = [cut_dense.ndcg(bench.engine.embedder, bench.sets[name]) for name in cut]
    yield _CUT_NOTE
    yield table(["", *cut], [["dense, cut at 256 tokens", *(f"{x:.4f}" for x in figures)]])
    yield "### A second look at the best hits"
    yield _RERANK_NOTE
    yield table(
        ["reranker", *names], _reranked_rows(bench, names, installed, list(columns[:, -1]))
    )


def _reranked_rows(
    bench: Bench, names: Sequence[str], installed: Reranker | None, auto: Sequence[float]
) -> Iterator[list[str]]:
    yield ["none (`auto`)", *(f"{x:.4f}" for x in auto)]
    kinds = dict(rerankers.KINDS)
    if installed is not None:
        kinds["installed"] = lambda _judged: installed
    for label, make in kinds.items():
        row = []
        for name in names:
            bench.engine.reranker = make(bench.sets[name])
            row.append(bench.run(name, "auto", label=f"auto, {label} reranker").means[MAIN])
        bench.engine.reranker = None
        shown = (f"{x:.4f} ({x - y:+.4f})" for x, y in zip(row, auto, strict=True))
        yield [label, *shown]
    if installed is None:
        yield ["cross-encoder", *["not installed"] * len(names)]


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


def _http(bench: Bench, names: Sequence[str]) -> Iterator[str]:
    yield "### Over HTTP, as an outside harness measures"
    made = [run_over_http(bench.engine, bench.sets[name], depth=DEPTH) for name in names]
    yield _HTTP_NOTE
    yield table(["", *names], [[MAIN, *(f"{each.means[MAIN]:.4f}" for each in made)]])


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
    yield table(["chunks", "ranking", *names], made_rows)
    yield "Published for five chunks of about that size:"
    yield table(["model", "token recall", "token precision", "source"], map(list, CHUNKING))


# --- scores -----------------------------------------------------------------------------------


def _believed(bench: Bench, names: Sequence[str]) -> Iterator[str]:
    scored = {
        name: confidence.scored(bench.engine, bench.store(name), bench.sets[name])
        for name in names
    }
    left_out = _left_out(bench, scored) if len(names) > 1 else {}
    yield "## Scores as probabilities"
    yield _SCORES_NOTE
    header = ["set", "hits", "relevant", "error", "left out", f"after {N_JUDGED} judged", "luck"]
    header += ["AUC", "raw cosine", "min-max", "rises in rank"]
    rows = [_error_row(name, found, left_out) for name, found in scored.items()]
    yield table(header, [*rows, _pooled_row(confidence.pooled(list(scored.values())))])
    if len(names) > 1:
        yield "### Own questions and foreign ones"
        yield _FOREIGN_NOTE
        yield table(
            ["store", "own kept", "foreign passed", "AUC of the best hit"],
            _foreign_rows(bench, scored),
        )


def _left_out(bench: Bench, scored: Mapping[str, confidence.Scored]) -> Mapping[str, float]:
    """Errors by curves fitted on the other sets, the passages and the sample corpus."""
    parts = {name: found.part(name) for name, found in scored.items()}
    others = {"sample corpus": read_set(SAMPLE)}
    if PASSAGES in bench.sets:
        others[PASSAGES] = bench.sets[PASSAGES]
    for name, judged in others.items():
        asker = InProcess(bench.engine)
        store_id = asker.index(
            judged, ChunkingStrategy(), fresh=False, progress=lambda _done, _all: None
        )
        parts[name] = confidence.scored(bench.engine, store_id, judged).part(name)
    return score_curve.left_out(parts)


def _error_row(name: str, found: confidence.Scored, left_out: Mapping[str, float]) -> list[str]:
    after, luck = confidence.error_after(found, N_JUDGED)
    return [
        *_errors(name, found),
        f"{left_out[name]:.3f}" if left_out else "",
        f"{after:.3f}",
        f"{luck:.3f}",
        *_others(found),
    ]


def _pooled_row(found: confidence.Scored) -> list[str]:
    return [*_errors("pooled", found), "", "", "", *_others(found)]


def _errors(name: str, found: confidence.Scored) -> list[str]:
    error = calibration_error(found.score, found.relevant > 0)
    return [name, str(len(found.score)), f"{found.relevant.mean():.3f}", f"{error:.3f}"]


def _others(found: confidence.Scored) -> list[str]:
    right = found.relevant > 0
    figures = (
        confidence.auc(found.score, found.relevant),
        calibration_error(np.clip(found.cosine, 0, 1), right),
        calibration_error(found.min_max(), right),
    )
    return [*(f"{x:.3f}" for x in figures), str(found.rises_somewhere())]


def _foreign_rows(bench: Bench, scored: Mapping[str, confidence.Scored]) -> Iterator[list[str]]:
    everything = {name: bench.sets[name] for name in scored}
    for name, own in scored.items():
        asked = list(confidence.strangers(everything, name, n=N_STRANGERS, seed=0))
        foreign = confidence.best_scores(bench.engine, bench.store(name), asked)
        found = confidence.off_topic(own, foreign, threshold=CONFIDENT)
        yield [name, f"{found.kept:.3f}", f"{found.passed:.3f}", f"{found.separation:.3f}"]


def _codes(engine: Engine) -> Iterator[str]:
    yield "## Exact identifiers"
    shares, missed = [], []
    for seed in range(SEEDS):
        share, wrong = identifiers.hit_at_1(engine, identifiers.codes(seed=seed))
        shares.append(f"{share:.3f}")
        missed += wrong
    yield (
        f"hit@1 over {identifiers.N_CODES} seeded codes, {SEEDS} seeds: **{' '.join(shares)}**."
        + (f" Missed: {', '.join(missed[:5])}." if missed else "")
    )


_HEAD = """# Quality

Written by `make quality-report` (tests/quality/quality_report.py); do not edit. Sourcebook
{version}, {model}, Python {python}, {machine}; sets: {sets}. Defaults of the product throughout,
the same for every set. The built-in ranker and the scores' curve were fitted on questions of these
sets ([0018](decisions/0018-ranking.md) and [0023](decisions/0023-scores-and-guards.md), with
figures for sets left out of the fit), of NFCorpus on its dev questions for the ranker; here its test
questions are asked. Figures are means over all questions with something relevant, ten hits asked for,
whole documents as text files, a document counting with its best chunk."""
_RANKING_NOTE = """`bm25` and `dense` are the product's two legs by themselves, `rrf` their
reciprocal ranks at equal weights, `none` their scores blended, `auto` the default. Interval and p
compare `auto` with the better leg, question by question (paired t; randomisation test)."""
_HTTP_NOTE = """Through the official client, whole documents as text files, the default request, ten
results, a document counting with its best chunk. Published for NFCorpus by a harness of this kind:
OpenAI's hosted search .316, OGX hybrid .335 (see above)."""
_CHUNK_NOTE = """*Of the chunk*: every chunk that holds a whole passage is relevant. *Of passages*:
each passage is one item, found where the first hit holds it whole."""
_RERANK_NOTE = """Behind the same protocol as a cross-encoder: one that scores at random, one that
turns the order round, and an oracle that knows the judgements; in brackets what each changes."""
_SCORES_NOTE = f"""Error: mean distance of score and share of relevant hits over 15 bins of equally
many hits, the first ten of every question; what is not judged counts as not relevant. *Left out*:
by a curve fitted on the other sets, the passages and the sample corpus alone. *After {N_JUDGED}
judged*: by what `sourcebook calibrate` makes of {N_JUDGED} questions of the set (half of them where
there are not twice as many), on its other questions; the mean of 20 draws. *Luck*: what scores that
are right would show there, since so few hits decide each bin. Raw cosine and min-max within a
question stand beside. The last column counts hits that score above the hit before them."""
_CUT_NOTE = """As published runs are made, the model alone over texts cut where it stops to read, without
windows, names or words: published for XQuAD .944, for NFCorpus .316."""
_FOREIGN_NOTE = f"""With `score_threshold` {CONFIDENT}, the documented "confident": the share of a
set's questions with a relevant first hit that keep it, and of {N_STRANGERS} questions of each other
set, asked of this store, that get anything at all."""


if __name__ == "__main__":
    main()
