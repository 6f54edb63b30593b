"""Requests for metadata: how many a second, how long, and whether lists slow down as they grow.

    python benchmarks/metadata.py            32 clients with 10,000 files, then lists up to 100,000
    python benchmarks/metadata.py --quick    the same in a few seconds, with smaller numbers

Each server is a process of its own without a worker; its data folder is filled through the store,
since uploading 100,000 files would measure the disk.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

import uvicorn

from api.app import create_app
from api.engine import Engine
from api.serve import listen
from api.settings import Settings
from retrieval.types import BatchMember, Blob

N_CLIENTS = 32
BATCH = 2000  # the most one file batch takes
PAGE = 100
TARGET_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Filled:
    """A running server and what it holds."""

    port: int
    store_id: str
    file_ids: Sequence[str]  # oldest first


def main() -> None:
    """Print the machine and both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--serve", metavar="FOLDER")
    given = parser.parse_args()
    if given.serve:
        serve(Path(given.serve))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          f"FastAPI {version('fastapi')}, uvicorn {version('uvicorn')}")  # fmt: skip
    print(f"python {' '.join(sys.argv)}")
    sizes = (100, 1000) if given.quick else (100, 1000, 10_000, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder), n_files=1000 if given.quick else 10_000,
                   seconds=0.5 if given.quick else 5.0)  # fmt: skip
        lists(Path(folder), sizes=sizes, n_rounds=20 if given.quick else 300)


def serve(folder: Path) -> None:
    """Serve `folder` on a free port, which is printed, until the process is ended."""
    listener = listen("127.0.0.1", 0)
    with Engine.open(settings=Settings(data=folder, embedder="hash")) as engine:
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(create_app(engine), log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


def fill(folder: Path, *, n_files: int) -> tuple[str, list[str]]:
    """Files of one content, all in one vector store; gives its id and theirs."""
    with Engine.open(settings=Settings(data=folder, embedder="hash")) as engine:
        first = engine.upload(io.BytesIO(b"some text"), filename="0.txt")
        blob = Blob(first.sha256, first.n_bytes)
        with engine.store.write() as tables:
            ids = [
                tables.files.add(
                    blob, filename=f"{n}.txt", purpose="assistants", expires_after_s=None
                ).id
                for n in range(1, n_files)
            ]
        ids.insert(0, first.id)
        store = engine.create_vector_store(name="all")
        for start in range(0, n_files, BATCH):
            members = [BatchMember(id, {"n": start}) for id in ids[start : start + BATCH]]
            engine.create_batch(store.id, members)
    return store.id, ids


@contextmanager
def filled(folder: Path, *, n_files: int) -> Iterator[Filled]:
    """A server with `n_files` files."""
    store_id, ids = fill(folder, n_files=n_files)
    command = [sys.executable, __file__, "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            yield Filled(int(process.stdout.readline()), store_id, ids)
        finally:
            process.terminate()


# --- requests a second --------------------------------------------------------------------

Call = tuple[str, str, dict[str, object] | None]  # method, path, body


def calls(at: Filled) -> dict[str, Callable[[], Call]]:
    """The endpoints to measure; each makes one request of them, of another file each time."""
    store = f"/v1/vector_stores/{at.store_id}"

    def one() -> str:
        return random.choice(at.file_ids)  # noqa: S311 - no secret

    return {
        "get file": lambda: ("GET", f"/v1/files/{one()}", None),
        "get vector store": lambda: ("GET", store, None),
        "get file of vector store": lambda: ("GET", f"{store}/files/{one()}", None),
        "list 20 files": lambda: ("GET", f"/v1/files?limit=20&after={one()}", None),
        "list 100 files": lambda: ("GET", f"/v1/files?limit=100&after={one()}", None),
        "list 100 of vector store": lambda: (
            "GET", f"{store}/files?limit=100&after={one()}", None,
        ),
        "update attributes": lambda: (
            "POST", f"{store}/files/{one()}", {"attributes": {"n": random.random()}},  # noqa: S311
        ),
        "create vector store": lambda: ("POST", "/v1/vector_stores", {"name": "another"}),
    }  # fmt: skip


def throughput(folder: Path, *, n_files: int, seconds: float) -> None:
    """Print what 32 clients get of each endpoint."""
    print(f"\n{N_CLIENTS} clients, {n_files:,} files, {seconds:g} s each\n")
    print(f"{'':26} {'requests/s':>10} {'p50 ms':>8} {'p95 ms':>8}")
    with filled(folder / "throughput", n_files=n_files) as at:
        for name, make in calls(at).items():
            spent_s = loaded(at.port, make, seconds=seconds)
            rate = len(spent_s) / seconds
            print(f"{name:26} {rate:10.0f} {percentile(spent_s, 50) * 1e3:8.1f} "
                  f"{percentile(spent_s, 95) * 1e3:8.1f}")  # fmt: skip


def loaded(port: int, make: Callable[[], Call], *, seconds: float) -> list[float]:
    """The seconds that each request took, of all clients together."""
    spent_s: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < end:
            spent_s.append(timed(connection, *make()))
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spent_s


def timed(
    connection: HTTPConnection, method: str, path: str, body: dict[str, object] | None = None
) -> float:
    """Seconds of one request on a connection that stays open."""
    headers = {"content-type": "application/json"} if body is not None else {}
    start = time.perf_counter()
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    reply = connection.getresponse()
    text = reply.read()
    spent_s = time.perf_counter() - start
    if reply.status != 200:  # noqa: PLR2004
        raise SystemExit(f"{method} {path}: {reply.status} {text[:200]!r}")
    return spent_s


def percentile(values: Sequence[float], which: int) -> float:
    """The percentile `which`, from 1 to 99."""
    return statistics.quantiles(values, n=100)[which - 1]


# --- lists of growing length --------------------------------------------------------------


def lists(folder: Path, *, sizes: Sequence[int], n_rounds: int) -> None:
    """Print p50 and p95 of pages of 100; all sizes take turns, so noise meets them alike."""
    print(f"\none client, limit={PAGE}, {n_rounds} pages each\n")
    print(f"{'':10} {'':28} {'p50 ms':>8} {'p95 ms':>8}")
    with ExitStack() as stack:
        servers = {n: stack.enter_context(filled(folder / f"lists-{n}", n_files=n)) for n in sizes}
        spent_s = turns(servers, n_rounds=n_rounds)
    for (n, name), values in spent_s.items():
        p50, p95 = (percentile(values, which) * 1e3 for which in (50, 95))
        print(f"{n:10,} {name:28} {p50:8.2f} {p95:8.2f}")
    for name in ("files", "files of vector store"):
        base = percentile(spent_s[sizes[0], f"{name}, first"], 95)
        own = [v for (_, each), v in spent_s.items() if each.startswith(f"{name},")]
        most = max(percentile(values, 95) for values in own)
        print(f"{name}: slowest p95 / p95 of the first page of {sizes[0]} files = "
              f"{most / base:.2f} (target <= {TARGET_RATIO})")  # fmt: skip


def turns(servers: dict[int, Filled], *, n_rounds: int) -> dict[tuple[int, str], list[float]]:
    """Seconds by size and page, each round asking every server for every page."""
    spent_s: dict[tuple[int, str], list[float]] = {}
    connections = {n: HTTPConnection("127.0.0.1", at.port) for n, at in servers.items()}
    for _ in range(n_rounds):
        for n, at in servers.items():
            for name, path in pages(at).items():
                spent_s.setdefault((n, name), []).append(timed(connections[n], "GET", path))
    return spent_s


def pages(at: Filled) -> dict[str, str]:
    """A first page, and one from the middle to the end; lists are newest first."""
    # A cursor among the older half; a list of one page has nothing so deep that fills a page.
    older = at.file_ids[PAGE : len(at.file_ids) // 2]
    deep = f"&after={random.choice(older)}" if older else ""  # noqa: S311
    store = f"/v1/vector_stores/{at.store_id}/files"
    found = {}
    for name, path in (("files", "/v1/files"), ("files of vector store", store)):
        found[f"{name}, first"] = f"{path}?limit={PAGE}"
        if deep:
            found[f"{name}, deep"] = f"{path}?limit={PAGE}{deep}"
    return found


if __name__ == "__main__":
    main()
