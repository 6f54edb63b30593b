"""Peak memory of ingesting four large files, all of our processes together.

    python benchmarks/memory.py [text] [tokens] [pdf] [csv] [--scale 0.1]

    text    500 MB of plain text, the token limit lifted, the test embedder
    tokens  4.5 million tokens of plain text, the default model
    pdf     a PDF of 2,000 pages of text, the default model
    csv     200 MB of a table, the token limit lifted, the test embedder

With the default model one window in fifty goes through the model, the others are hashed like the test
embedder does, since the figure is memory.

A process that does nothing else ingests the file through the library and waits until it is
searchable, index included. Meanwhile this one adds up the proportional set size (PSS) of it and of
all it starts, from /proc, five times a second. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(
    0, str(Path(__file__).parents[1])
)  # before this folder, whose ingest.py is another

from api.engine import Engine
from api.settings import Settings
from retrieval.embedder import DEFAULT_MODEL, load_embedder
from retrieval.hash_embedder import HashEmbedder
from retrieval.queries import Query
from retrieval.types import Vectors

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

_TEXT_BYTES = 500_000_000
_TOKENS = 4_500_000
_PAGES = 2_000
_CSV_BYTES = 200_000_000
_NAMES = ("text", "tokens", "pdf", "csv")
_SAMPLE = 50  # of so many windows one goes through the model
_EVERY_S = 0.2
_SYLLABLES = (
    "ba", "con", "de", "fer", "gan", "hil", "in", "jor", "ka", "lum",
    "mer", "no", "or", "pel", "qui", "ra", "sten", "tu", "ver", "win",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sampled:
    """An embedder that spares itself most of the work; all else is the default model's."""

    inner: Embedder
    other: HashEmbedder

    @property
    def id(self) -> str:
        """See `Embedder.id`."""
        return self.inner.id

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        return self.inner.dim

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self.inner.max_tokens

    def token_spans(self, text: str) -> Any:
        """See `Embedder.token_spans`."""
        return self.inner.token_spans(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`; every fiftieth row is the model's."""
        rows = np.stack([self.other.embed_query(text) for text in texts])
        rows[::_SAMPLE] = self.inner.embed(texts[::_SAMPLE])
        return rows

    def embed_query(self, text: str) -> Any:
        """See `Embedder.embed_query`."""
        return self.inner.embed_query(text)


# --- files ----------------------------------------------------------------------------------


def paragraphs(seed: int = 1) -> Iterator[str]:
    """Prose without meaning: 40,000 words by Zipf's law, sentences, paragraphs, some headings."""
    rng = random.Random(seed)  # noqa: S311 - the same text every time
    vocabulary = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(40_000)]
    weights = list(accumulate(1 / rank for rank in range(1, len(vocabulary) + 1)))
    number = 0
    while True:
        number += 1
        if number % 200 == 0:
            yield f"{number // 200}. {' '.join(rng.choices(vocabulary, k=4)).title()}"
        words = rng.choices(vocabulary, cum_weights=weights, k=rng.randint(40, 160))
        for start in range(0, len(words), 17):
            words[start] = words[start].capitalize()
            words[start - 1] += "."
        yield " ".join(words) + "."


def write_text(path: Path, *, n_bytes: int) -> None:
    """A text file of about so many bytes."""
    written = 0
    with path.open("w", encoding="ascii") as out:
        for paragraph in paragraphs():
            written += out.write(paragraph + "\n\n")
            if written >= n_bytes:
                return


def write_tokens(path: Path, *, n_tokens: int) -> None:
    """A text file of about so many tokens of the default model."""
    model = load_embedder(DEFAULT_MODEL, cache=Settings.load().cache)
    sample = "\n\n".join(paragraph for _, paragraph in zip(range(500), paragraphs(), strict=False))
    bytes_per_token = len(sample) / len(model.token_spans(sample))
    write_text(path, n_bytes=int(n_tokens * bytes_per_token))


def write_pdf(path: Path, *, n_pages: int) -> None:
    """A PDF of full pages."""
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415 - for this one file

    canvas, text = Canvas(str(path)), paragraphs()
    for page in range(1, n_pages + 1):
        lines = (next(text) for _ in range(6))
        words = " ".join(lines).split()
        block = canvas.beginText(60, 780)
        block.textLine(f"Page {page}")
        for start in range(0, len(words), 12):
            block.textLine(" ".join(words[start : start + 12]))
        canvas.drawText(block)
        canvas.showPage()
    canvas.save()


def write_csv(path: Path, *, n_bytes: int) -> None:
    """A table of about so many bytes, with some text in each row."""
    written = 0
    with path.open("w", encoding="ascii") as out:
        written += out.write("Number,Region,Amount,Remark\n")
        for number, paragraph in enumerate(paragraphs()):
            remark = " ".join(paragraph.split()[:12])
            written += out.write(
                f'{number},"Region {number % 17}",{number * 37 % 9973},"{remark}"\n'
            )
            if written >= n_bytes:
                return


# --- measuring --------------------------------------------------------------------------------


@dataclass(slots=True)
class Peak:
    """The largest sum seen, and what each process had then, in bytes."""

    total: int = 0
    parts: tuple[int, ...] = ()

    def note(self, pid: int) -> None:
        """Look at a process and all of its descendants now."""
        parts = tuple(filter(None, map(pss_bytes, family(pid))))
        if sum(parts) > self.total:
            self.total, self.parts = sum(parts), parts


def family(pid: int) -> Iterator[int]:
    """A process and all that it started, directly or not."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from family(int(child))


def pss_bytes(pid: int) -> int:
    """Its proportional set size; 0 when it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return (
        sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) << 10
    )


def watched(name: str, path: Path, data: Path) -> None:
    """Ingest `path` in a process of its own and print the peak of each stage that it reports."""
    command = [sys.executable, __file__, "--ingest", name, str(path), str(data)]
    started = time.monotonic()
    worker = subprocess.Popen(  # noqa: S603 - this file
        command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    overall, stage, label = Peak(), Peak(), "start"
    out = worker.stdout
    if out is None:
        raise RuntimeError("started without a pipe")
    import select  # noqa: PLC0415 - only where this runs

    while worker.poll() is None:
        overall.note(worker.pid)
        stage.note(worker.pid)
        if select.select([out], [], [], _EVERY_S)[0] and (line := out.readline().strip()):
            _report(name, label, stage, since=started)
            stage, label = Peak(), line
    _report(name, label, stage, since=started)
    parts = " + ".join(f"{each / 1e6:,.0f}" for each in overall.parts)
    print(f"{name:7}peak {overall.total / 1e6:,.0f} MB ({parts}), {path.stat().st_size / 1e6:,.1f} MB in",
          flush=True)  # fmt: skip
    if worker.returncode:
        raise SystemExit(f"{name}: ended with {worker.returncode}")


def _report(name: str, label: str, peak: Peak, *, since: float) -> None:
    print(f"{name:7}{label:24}{peak.total / 1e6:8,.0f} MB  until {time.monotonic() - since:6.0f} s",
          flush=True)  # fmt: skip


def ingest_one(name: str, path: Path, data: Path) -> None:
    """What the watched process does: add the file, wait, search, saying what it is at."""
    embedder = "hash" if name in {"text", "csv"} else DEFAULT_MODEL
    settings = Settings.load(data=data, embedder=embedder, max_file_tokens=10**9)
    with Engine.open(settings=settings, work=True) as engine:
        if embedder == DEFAULT_MODEL:
            inner = load_embedder(DEFAULT_MODEL, cache=settings.cache)
            engine.embedders.add(DEFAULT_MODEL, Sampled(inner, HashEmbedder(dim=inner.dim)))
        store_id = engine.create_vector_store(name="memory").id
        print("upload", flush=True)
        with path.open("rb") as content:
            file_id = engine.upload(content, filename=path.name).id
        engine.attach(store_id, file_id)
        print("ingest", flush=True)
        while (found := engine.attachment(store_id, file_id)).status == "in_progress":
            time.sleep(0.05)
        print(f"index ({found.status}, {found.n_chunks:,} chunks)", flush=True)
        if found.status != "completed":
            raise SystemExit(found.error_message)
        hits = engine.search([store_id], Query(("the words of a heading",), limit=5)).hits
        print(f"close ({len(hits)} hits)", flush=True)


def main() -> None:
    """Measure the files that are named, or all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*_NAMES, []])
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes, to try it out")
    parser.add_argument(
        "--ingest", nargs=3, metavar=("NAME", "PATH", "DATA"), help=argparse.SUPPRESS
    )
    given = parser.parse_args()
    if given.ingest:
        name, path, data = given.ingest
        ingest_one(name, Path(path), Path(data))
        return
    for name in given.names or _NAMES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / {"pdf": "file.pdf", "csv": "file.csv"}.get(name, "file.txt")
            if name == "text":
                write_text(path, n_bytes=int(_TEXT_BYTES * given.scale))
            elif name == "csv":
                write_csv(path, n_bytes=int(_CSV_BYTES * given.scale))
            elif name == "tokens":
                write_tokens(path, n_tokens=int(_TOKENS * given.scale))
            else:
                write_pdf(path, n_pages=int(_PAGES * given.scale))
            watched(name, path, Path(folder) / "data")


if __name__ == "__main__":
    main()
