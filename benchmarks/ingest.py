"""What indexing costs, stage by stage, and how near it comes to the model alone.

    make bench-ingest                 or    python benchmarks/ingest.py [--model NAME] [--quick]

Texts are made of the sample corpus's sentences, shuffled with a fixed seed. What is compared takes
turns, and the medians of the rounds are given, so that other work on the machine meets both sides.
Processor seconds, of our processes alone, stand beside wall clock: on a busy machine only they tell
what the work costs.
sentence-transformers is compared where it is installed; it needs an environment of its own (see
make_golden.py) with this project in it.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

import embedding as against_torch

from api.engine import Engine
from api.settings import Settings
from ingest.embed import embedded_text
from ingest.pipeline import Tools, ingest
from ingest.sandbox import Limits, Sandbox
from retrieval.embedder import DEFAULT_MODEL, Embedder, load_embedder
from retrieval.sentences import sentence_spans
from retrieval.store.progress import COMMITTING, CUTTING, EMBEDDING, PARSING
from retrieval.types import Document, PageRequest, Vectors, Window

ROOT = Path(__file__).parents[1]
_SEED = 11
_MB = 1e6
Cost = tuple[float, float]  # wall-clock seconds, processor seconds with child processes
_STAGES = (PARSING, CUTTING, EMBEDDING, COMMITTING)


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--quick", action="store_true", help="less text, fewer rounds")
    options = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), options.model, n_rounds=2 if options.quick else 5)
        bench.without_model(n_files=4 if options.quick else 20)
        bench.with_model(n_files=4 if options.quick else 10)
        bench.again(n_files=4 if options.quick else 10)
        against_torch.compare(bench.model, n_rounds=bench.n_rounds)


@dataclass(slots=True)
class Free:
    """The model's tokenizer and lengths, with vectors that cost nothing: what is left is ours."""

    inner: Embedder
    rows: Vectors = field(init=False)

    def __post_init__(self) -> None:
        rows = np.random.default_rng(_SEED).standard_normal((4096, self.inner.dim))
        self.rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    @property
    def id(self) -> str:
        """See `Embedder.id`."""
        return "free@0"

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        return self.inner.dim

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self.inner.max_tokens

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """See `Embedder.token_spans`."""
        return self.inner.token_spans(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        return self.rows[np.arange(len(texts)) % len(self.rows)]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        row: NDArray[np.float32] = self.embed([text])[0]
        return row


@dataclass(slots=True)
class Bench:
    """Data folders and texts in one scratch folder."""

    scratch: Path
    model_name: str
    n_rounds: int
    model: Embedder = field(init=False)

    def __post_init__(self) -> None:
        self.model = load_embedder(self.model_name, cache=Settings().cache)
        print(f"model {self.model.id}, windows of at most {self.model.max_tokens} tokens")

    # --- parse, cut and commit ----------------------------------------------------------------

    def without_model(self, n_files: int) -> None:
        """MB/s of text of each stage on one thread, and of the whole with the worker's threads."""
        folder = self._files(n_files, n_bytes=500_000)
        n_mb = _n_bytes(folder) / _MB
        rounds: list[dict[str, float]] = []
        costs = [
            _cost(lambda: rounds.append(self._staged(folder, Free(self.model))))
            for _ in range(self.n_rounds)
        ]
        for stage in _STAGES:
            seconds = statistics.median(each[stage] for each in rounds)
            print(f"{stage}, no model: {n_mb / seconds:.1f} MB/s of text")
        total = statistics.median(sum(each.values()) for each in rounds)
        print(
            f"all stages, no model, one thread: {n_mb / total:.1f} MB/s of text,"
            f" {n_mb / _medians(costs)[1]:.1f} MB a processor second"
        )
        phases: list[Mapping[str, float]] = []
        whole = [self._whole(folder, Free(self.model), phases) for _ in range(self.n_rounds)]
        queued = statistics.median(each["queueing"] + each["indexing"] for each in phases)
        print(
            f"read, parse, cut and commit, no model, as `sourcebook index` does it:"
            f" {n_mb / queued:.1f} MB/s of text"
        )
        wall, processor = _medians(whole)
        print(
            f"whole with the index, no model: {n_mb / wall:.1f} MB/s of text,"
            f" {n_mb / processor:.1f} MB a processor second ({n_files} files, {n_mb:.1f} MB)",
            flush=True,
        )

    def _staged(self, folder: Path, embedder: Embedder) -> dict[str, float]:
        """Seconds of each stage over all files, one after the other."""
        seconds = dict.fromkeys(_STAGES, 0.0)
        with self._engine(embedder) as engine, Sandbox() as sandbox:
            store = engine.create_vector_store(name="s")
            for path in sorted(folder.iterdir()):
                with path.open("rb") as file:
                    engine.attach(store.id, engine.upload(file, filename=path.name).id)
            settings = engine.settings
            limits = Limits(settings.parse_timeout_s, settings.parse_memory_bytes)
            tools = Tools(engine.store, sandbox, embedder, limits, settings.max_file_tokens)
            while True:
                with engine.store.write() as tables:
                    job = tables.jobs.claim("bench")
                if job is None:
                    return seconds
                clock = _Clock(seconds)
                ingest(job, tools, clock)
                clock("", 0, 0)

    # --- the model and what is around it ------------------------------------------------------

    def with_model(self, n_files: int) -> None:
        """Windows a second beside the model alone on the same windows; what overlap costs."""
        folder = self._files(n_files, n_bytes=14_000)
        texts, ratios = self._windows(folder)
        _print_overlap(ratios)
        alone, whole = [], []
        for _ in range(self.n_rounds):
            alone.append(_cost(lambda: self.model.embed(texts)))
            whole.append(self._whole(folder, self.model))
        for name, costs in (("model alone", alone), ("whole", whole)):
            wall, processor = _medians(costs)
            print(
                f"{name}: {len(texts) / wall:.1f} windows/s,"
                f" {len(texts) / processor:.1f} a processor second"
            )
        for i, what in enumerate(("wall clock", "processor time")):
            shares = [a[i] / b[i] for a, b in zip(alone, whole, strict=True)]
            print(
                f"whole over model alone, {what}: {statistics.median(shares):.3f}"
                f" (rounds {', '.join(f'{share:.2f}' for share in shares)})",
                flush=True,
            )

    def _windows(self, folder: Path) -> tuple[list[str], tuple[int, int, int]]:
        """What the model reads; tokens of the text, of the windows, and with all around them."""
        texts: list[str] = []
        n_text = n_windows = n_all = 0
        with self._engine(Free(self.model)) as engine:
            engine.add(folder, store="s")
            store_id = engine.resolve_store("s").id
            for file in engine.attachments(store_id, PageRequest(limit=100)).items:
                text = engine.content(store_id, file.file_id)
                n_text += len(self.model.token_spans(text))
                for window in self._cut(text, file.filename):
                    read = embedded_text(Document("text/plain", text, ()), window)
                    texts.append(read)
                    n_windows += len(
                        self.model.token_spans(text[window.start_char : window.end_char])
                    )
                    n_all += len(self.model.token_spans(read)) + 2
        return texts, (n_text, n_windows, n_all)

    def _cut(self, text: str, filename: str) -> list[Window]:
        from ingest.chunk import cut  # noqa: PLC0415
        from ingest.parse import parse  # noqa: PLC0415
        from retrieval.types import ChunkingStrategy  # noqa: PLC0415

        path = self.scratch / "again.txt"
        path.write_text(text, "utf-8")
        windows, _ = cut(
            parse(path, filename=filename), ChunkingStrategy(800, 400), filename=filename,
            token_spans=self.model.token_spans, max_tokens=self.model.max_tokens,
        )  # fmt: skip
        return list(windows)

    def again(self, n_files: int) -> None:
        """What the same tree costs a second time, and with one file changed."""
        folder = self._files(n_files, n_bytes=14_000)
        with self._engine(self.model) as engine:
            first = _seconds(lambda: engine.add(folder, store="s"))
            second = _seconds(lambda: engine.add(folder, store="s"))
            path = next(folder.iterdir())
            path.write_text(path.read_text("utf-8") + "\n\nOne more sentence stands here.\n")
            changed = _seconds(lambda: engine.add(folder, store="s"))
        print(
            f"the same tree again: {100 * second / first:.2f} % of the first time;"
            f" one of {n_files} files changed: {100 * changed / first:.1f} %",
            flush=True,
        )

    # --- helpers ------------------------------------------------------------------------------

    def _whole(
        self, folder: Path, embedder: Embedder, phases: list[Mapping[str, float]] | None = None
    ) -> Cost:
        """What indexing a tree costs in a fresh data folder, done as the command line does it."""

        def run() -> None:
            with engine:
                report = engine.add(folder, store="s")
            if phases is not None:
                phases.append(report.phases)

        engine = self._engine(embedder)
        return _cost(run)

    def _engine(self, embedder: Embedder) -> Engine:
        data = Path(tempfile.mkdtemp(dir=self.scratch))
        engine = Engine.open(settings=Settings(data=data, embedder=self.model_name))
        engine.embedders.add(self.model_name, embedder)
        return engine

    def _files(self, n_files: int, *, n_bytes: int) -> Path:
        """A folder of Markdown files, none like the other."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        rng = random.Random(_SEED)  # noqa: S311 - texts
        sentences = _sentences()
        for number in range(n_files):
            path = folder / f"report-{number}.md"
            path.write_text(_text(rng, sentences, n_bytes), encoding="utf-8")
        return folder


class _Clock:
    """A `pipeline.Progress` that adds up how long each stage took."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._stage = ""
        self._began = time.perf_counter()

    def __call__(self, stage: str, _done: int, _total: int) -> None:
        now = time.perf_counter()
        if self._stage:
            self._seconds[self._stage] += now - self._began
        self._stage, self._began = stage, now


def _print_overlap(n_tokens: tuple[int, int, int]) -> None:
    n_text, n_windows, n_all = n_tokens
    print(
        f"chunks of 800/400: tokens embedded over tokens of the text {n_windows / n_text:.3f},"
        f" with prefixes and special tokens {n_all / n_text:.3f}"
    )


def _sentences() -> list[str]:
    found: list[str] = []
    for path in sorted((ROOT / "sample_corpus").rglob("*")):
        if path.suffix in {".md", ".txt"}:
            text = path.read_text("utf-8", "replace")
            found += [text[start:end] for start, end in sentence_spans(text)]
    return [" ".join(each.split()) for each in found if each[0].isalnum()]


def _text(rng: random.Random, sentences: Sequence[str], n_bytes: int) -> str:
    parts: list[str] = []
    size = 0
    while size < n_bytes:
        if len(parts) % 12 == 0:
            parts.append("## " + " ".join(rng.choice(sentences).split()[:5]))
        parts.append(" ".join(rng.choices(sentences, k=rng.randint(2, 6))))
        size += len(parts[-1].encode()) + 2
    return "\n\n".join(parts)


def _n_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _cost(run: Callable[[], object]) -> Cost:
    before, began = os.times(), time.perf_counter()
    run()
    after = os.times()
    return time.perf_counter() - began, sum(after[:4]) - sum(before[:4])


def _seconds(run: Callable[[], object]) -> float:
    return _cost(run)[0]


def _medians(costs: Sequence[Cost]) -> Cost:
    walls, processors = zip(*costs, strict=True)
    return statistics.median(walls), statistics.median(processors)


if __name__ == "__main__":
    main()
