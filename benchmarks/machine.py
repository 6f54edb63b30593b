"""What the machine can do at most, so that figures taken on it can be read."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path

import numpy as np
from http_search import served
from vectors import machine

_MB = 1 << 20
_READ_BYTES = 512 * _MB  # far more than any cache
_GEMM = 1024
_SKINNY = 16  # rows: a question's tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """Best of some tries each."""

    machine: str
    memory_gb: float
    read_gb_s: float  # one thread sums float32
    read_two_gb_s: float  # two threads
    gemm_gflops: float  # float32, 1024³, one thread
    gemm_two_gflops: float
    skinny_gflops: float  # 16 rows by 384 by 1536, one thread: the shape of a question
    http_floor_ms: float  # GET /healthz, one client, p50
    load: float
    python: str
    versions: dict[str, str]
    commit: str


def measure(keep: Path) -> Limits:
    """Takes a quarter of a minute; kept as JSON."""
    rows = np.ones(_READ_BYTES // 4, dtype=np.float32)
    load = os.getloadavg()[0]
    read = _READ_BYTES / _best(lambda: np.sum(rows)) / 1e9
    both = _READ_BYTES / _best(lambda: _in_two(rows)) / 1e9
    gemm, thin = _gemm(1)
    gemm_two, _ = _gemm(2)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    made = Limits(
        machine(), total, read, both, gemm, gemm_two, thin, _http_floor_ms(keep), load,
        platform.python_version(),
        {name: version(name) for name in ("numpy", "faiss-cpu", "onnxruntime", "fastapi", "uvicorn")},
        commit(),
    )  # fmt: skip
    (keep / "results").mkdir(parents=True, exist_ok=True)
    (keep / "results" / "machine.json").write_text(json.dumps(asdict(made), indent=1), "utf-8")
    return made


def read(path: Path) -> Limits:
    """What `measure` kept."""
    return Limits(**json.loads(path.read_text("utf-8")))


def commit() -> str:
    """The source's commit, marked where files differ from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - the user's git
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return found.stdout.strip() or "unknown"


def report(limits: Limits) -> str:
    """A table in Markdown."""
    rows = [
        ("processor", limits.machine),
        ("memory", f"{limits.memory_gb:.0f} GB"),
        (
            "reading memory, one thread / two",
            f"{limits.read_gb_s:.1f} / {limits.read_two_gb_s:.1f} GB/s",
        ),
        (
            "float32 products, 1024³, one thread / two",
            f"{limits.gemm_gflops:.0f} / {limits.gemm_two_gflops:.0f} GFLOP/s",
        ),
        ("of a question's shape, 16 × 384 × 1536", f"{limits.skinny_gflops:.0f} GFLOP/s"),
        ("HTTP floor, `GET /healthz`, one client, p50", f"{limits.http_floor_ms:.2f} ms"),
        ("load before", f"{limits.load:.1f}"),
        ("Python", limits.python),
        *((name, number) for name, number in limits.versions.items()),
        ("commit", limits.commit),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines) + "\n"


def _best(run: Callable[[], object], n: int = 7) -> float:
    """Seconds of the quickest try."""
    spent = []
    for _ in range(n):
        began = time.perf_counter()
        run()
        spent.append(time.perf_counter() - began)
    return min(spent)


def _in_two(rows: np.ndarray) -> None:
    half = len(rows) // 2
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(np.sum, (rows[:half], rows[half:])))


def _gemm(n_threads: int) -> tuple[float, float]:
    """GFLOP/s of a square product and of a question's, by a process with so many threads."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(n_threads))
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, __file__],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **threads},
    )
    square, thin = json.loads(done.stdout)
    return float(square), float(thin)


def _products() -> tuple[float, float]:
    square = np.ones((_GEMM, _GEMM), dtype=np.float32)
    skinny, wide = np.ones((_SKINNY, 384), np.float32), np.ones((384, 1536), np.float32)
    gemm = 2 * _GEMM**3 / _best(lambda: square @ square) / 1e9
    return gemm, 2 * _SKINNY * 384 * 1536 / _best(lambda: skinny @ wide, n=200) / 1e9


def _http_floor_ms(keep: Path) -> float:
    with served(keep / "stores" / "empty") as server:
        connection = HTTPConnection("127.0.0.1", server.port)
        spent = []
        for _ in range(300):
            began = time.perf_counter()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            spent.append(time.perf_counter() - began)
    return 1e3 * statistics.median(spent)


if __name__ == "__main__":
    print(json.dumps(_products()))
