"""Measures everything about speed and memory and writes docs/PERFORMANCE.md.

    make bench-performance            or    python benchmarks/performance.py --sets FOLDER

Parts can be measured one by one (--parts); the page is written from the newest result of each,
which the folder --keep holds together with data, stores and what other engines built.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

import growth
import http_search
import machine
import store_data
import vector_data
import vectors
from engines import ENGINES

PARTS = ("machine", "vectors", "keywords", "http", "growth")
_SIZES = (10_000, 100_000, 1_000_000)
_MAX_KEYWORD_WINDOWS = 100_000
PAGE = Path(__file__).parents[1] / "docs" / "PERFORMANCE.md"


def main() -> None:
    """Measure what was asked for, then write the page."""
    given = _arguments()
    if "machine" in given.parts:
        machine.measure(given.keep)
    sets = vector_data.all_sets(given.keep, given.sizes, sets=given.sets)
    if "vectors" in given.parts:
        for data in sets:
            vectors.measure(data, given)
    if "keywords" in given.parts:
        _keywords(given)
    if {"http", "growth"} & set(given.parts):
        _stores(given, sets[1:])
    given.page.write_text("\n".join(_page(given.keep)), "utf-8")
    print(given.page)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    vectors.add_arguments(parser)
    parser.set_defaults(sizes=list(_SIZES))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.set_defaults(build_only=False)
    return parser.parse_args()


def _stores(given: argparse.Namespace, sets: list[vector_data.VectorSet]) -> None:
    """What goes through data folders, size by size."""
    folders = [
        (len(data.vectors), store_data.filled(given.keep, data, sets=given.sets)) for data in sets
    ]
    if "http" in given.parts:
        for n, at in folders:
            http_search.measure(at, n, given)
    if "growth" in given.parts and len(folders) > 1:
        _, questions = store_data.texts_and_questions(given.keep, given.sets)
        growth.measure(folders, questions, keep=given.keep)


def _keywords(given: argparse.Namespace) -> None:
    """The keyword leg beside others, by a command of its own: it holds whole corpora in memory."""
    sizes = [str(n) for n in given.sizes if n <= _MAX_KEYWORD_WINDOWS]
    (given.keep / "results").mkdir(parents=True, exist_ok=True)
    subprocess.run(  # noqa: S603 - ours
        [sys.executable, str(Path(__file__).with_name("keyword_leg.py")),
         "--sets", str(given.sets), "--keep", str(given.keep),
         "--json", str(given.keep / "results" / "keywords.json"), "--sizes", *sizes],
        check=True,
    )  # fmt: skip


def _keyword_table(path: Path) -> Iterator[str]:
    kept = json.loads(path.read_text("utf-8"))
    shares = list(dict.fromkeys(cell["share"] for cell in kept["cells"]))
    names = [f"{share:.0%} allowed, ms" if share < 1 else "open, ms" for share in shares]
    yield f"| windows | engine | {' | '.join(names)} | first ten as ours | built, s |"
    yield "|---" * (len(shares) + 4) + "|"
    rows = dict.fromkeys((cell["n_windows"], cell["engine"]) for cell in kept["cells"])
    for n, engine in rows:
        own = [c for c in kept["cells"] if (c["n_windows"], c["engine"]) == (n, engine)]
        times = " | ".join(f"{cell['ms']:.2f}" for cell in own)
        same = f"{own[0]['same']:.2f} | {own[0]['build_s']:.1f}"
        yield f"| {n:,} | {engine} | {times} | {same} |"
    versions = ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
    yield f"\n{versions}; load before {kept['machine']['load']:.1f}."
    yield from (f"Absent: {line}." for line in kept["absent"])
    yield ""


def _page(keep: Path) -> Iterator[str]:
    """What is known so far; a part that was not measured is named as such."""
    results = keep / "results"
    yield _HEAD
    yield "## The machine\n"
    path = results / "machine.json"
    yield machine.report(machine.read(path)) if path.exists() else "Not measured.\n"
    yield "## Over HTTP\n"
    yield _HTTP
    made = [http_search.read(path) for path in sorted(results.glob("http-*.json"), key=_size_of)]
    yield http_search.report(made) if made else ""
    yield from _missing("http", (each.n_windows for each in made))
    yield "## Growth\n"
    path = results / "growth.json"
    yield growth.report(growth.read(path)) if path.exists() else "Not measured.\n"
    yield "## The keyword leg beside other engines\n"
    yield _KEYWORDS
    path = results / "keywords.json"
    yield from _keyword_table(path) if path.exists() else ["Not measured.\n"]
    yield "## The vector step beside other engines\n"
    yield _VECTORS
    yield from _data(keep)
    compared = [vectors.read(p) for p in sorted(results.glob("vectors-*.json"), key=_size_of)]
    yield from map(vectors.report, compared)
    yield from _missing("vectors", (each.n for each in compared))


def _missing(part: str, measured: Iterable[int]) -> Iterator[str]:
    """Names what the goals ask for and this page has no figures of."""
    known = set(measured)
    lacking = [f"{n:,}" for n in _SIZES if n not in known]
    if lacking:
        yield f"**Not measured yet: {' and '.join(lacking)} windows** (`--parts {part} --sizes N`).\n"


def _size_of(path: Path) -> int:
    """The number in a result's name; the real set comes first."""
    return int("0" + "".join(filter(str.isdigit, path.stem)))


def _data(keep: Path) -> Iterator[str]:
    """What the made vectors have of the real ones."""
    paths = sorted(keep.glob("*/statistics.json"), key=lambda path: _size_of(path.parent))
    if not paths:
        return
    columns = {path.parent.name: vector_data.statistics(keep, path.parent.name) for path in paths}
    yield "| | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name in next(iter(columns.values())):
        values = (f"{each[name]:,.3f}".removesuffix(".000") for each in columns.values())
        yield f"| {name} | {' | '.join(values)} |"
    yield ""


_HEAD = """# Performance

Made by `make bench-performance`; every figure was measured by it, on the machine below, and goals
that are missed say so. Medians of interleaved runs; where others shared the machine, the load is
printed, and ratios say more than absolutes.
"""

_HTTP = """A server process on a data folder of made vectors and texts (`benchmarks/store_data.py`), its
query cache off, each question asked once, one filter by attribute that leaves a tenth of the files.
The embedding alone is the same model called in the client's process with the same question, in
turns with the search. Of sixteen clients, the processor time that the client itself takes counts as
if another machine had given it. Bytes a window: what the process holds by itself after a thousand mixed queries,
less what a server with an empty store holds, plus the sizes of the index's files but for the
float32 rows; pages of mapped files that the process has touched count twice in that sum.
"""

_KEYWORDS = """The same terms in all engines, six or so a question, the best fifty windows
(`benchmarks/keyword_leg.py`). Others rank single windows; so does our first line, the second chunks
that overlap, as searches do.
"""

_VECTORS = """Ten nearest windows by cosine under a filter by file attribute; the same vectors,
filters and queries for all, each engine in a process of its own, taking turns
(`benchmarks/vectors.py`). Ours is the code that searches run: filter, plan, search, exact scores.
The real set is every window of five public judged sets; `made-N` sets are made of it with a fixed
seed, and the table says how near they come. Queries are the sets' real questions. sqlite-vec,
numpy and FAISS flat scan exactly; the others have graphs, searched with ef 128.
"""


if __name__ == "__main__":
    main()
