"""Searches over HTTP, end to end: hybrid, filtered, the embedding of the question included.

    python benchmarks/http_search.py --sets FOLDER [--sizes 10000 100000 1000000]

A server process of its own serves a data folder of `store_data.py`, its query cache off. Every
question is asked once. What one client waits is set beside the embedding of the same question
alone, in turns; what sixteen clients get, less the processor time that they themselves take, beside
the rate of the same embedder called one question at a time by two threads. First query after a
start, memory and growth are measured on the same folders.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

import numpy as np
import store_data
import vector_data
from store_data import Filled

from api.settings import PREFIX, Settings
from retrieval.embedder import DEFAULT_MODEL, Embedder, load_embedder

N_CLIENTS = 16
_N_THREADS = 2  # of the embedder alone
_ROUNDS = 4  # of sixteen clients and of the embedder alone, in turns
_ROOT = Path(__file__).parents[1]
_MAX_GOAL_WINDOWS = 100_000  # up to which the goals of small stores hold
_SHARES = (0.001, 0.01, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class OneClient:
    """Milliseconds of one client, and of the embedding alone; the same questions, in turns."""

    n_queries: int
    p50_ms: float
    p95_ms: float
    embedding_p50_ms: float
    embedding_p95_ms: float


@dataclass(frozen=True, slots=True)
class ManyClients:
    """Medians of the rounds."""

    rate: float  # searches a second
    rate_less_client: float  # as if the client took no processor time
    embedder_rate: float  # of the embedder alone, two threads
    server_cpu_ms: float  # a search
    embedder_cpu_ms: float  # a question
    p50_ms: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; a window's share follows from them."""

    n_windows: int
    uss_empty: int
    uss: int  # after a thousand mixed queries
    uss_files: int  # the part of it that is pages of mapped files
    codes_and_postings: int  # files, mapped or not

    @property
    def bytes_per_window(self) -> float:
        """As the goal has it."""
        return (self.uss - self.uss_empty + self.codes_and_postings) / self.n_windows


@dataclass(frozen=True, slots=True)
class Measured:
    """All of one data folder."""

    n_windows: int
    fill_s: float
    index_s: float
    first_query_s: float  # from the start of the process
    ready_s: float  # until the port answers
    one: OneClient
    many: ManyClients
    memory: Memory
    load: float


def main() -> None:
    """Measure each size and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000])
    parser.add_argument("--queries", type=int, default=200, help="of one client")
    parser.add_argument("--fill-only", action="store_true")
    given = parser.parse_args()
    real = vector_data.make_real(given.keep, sets=given.sets)
    for n in given.sizes:
        data = vector_data.make(given.keep, n, real=real)
        at = store_data.filled(given.keep, data, sets=given.sets)
        print(f"{data.name}: filled in {at.fill_s:.0f} s, index in {at.index_s:.1f} s", flush=True)
        if not given.fill_only:
            made = measure(at, n, given)
            print(report([made]), flush=True)


def measure(at: Filled, n: int, given: argparse.Namespace) -> Measured:
    """Everything over HTTP on one data folder; kept as JSON."""
    _, questions = store_data.texts_and_questions(given.keep, given.sets)
    asked = Questions(questions)
    embedder = load_embedder(DEFAULT_MODEL, cache=Settings.load().cache)
    load = os.getloadavg()[0]
    empty = _uss_of_empty(given.keep / "stores" / "empty", asked)
    with served(at.folder) as server:
        server.ask(at.store_id, asked.next())
        first_s = time.perf_counter() - server.started
        ready_s = server.ready_s
        for _ in range(30):
            server.ask(at.store_id, asked.next())
        one = _one_client(server, at.store_id, asked, embedder, n=given.queries)
        many = _many_clients(server, at.store_id, asked, embedder)
        for i in range(1000):
            server.ask(at.store_id, asked.next(), share=(None, *_SHARES)[i % 5])
        uss, uss_files = uss_of(server.pid)
    memory = Memory(n, empty, uss, uss_files, _codes_and_postings(at))
    made = Measured(n, at.fill_s, at.index_s, first_s, ready_s, one, many, memory, load)
    folder = given.keep / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"http-{n}.json").write_text(json.dumps(asdict(made), indent=1), "utf-8")
    return made


class Questions:
    """Questions of the judged sets; once through, two are put together, so that none comes twice."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = list(dict.fromkeys(texts))
        self._n = 0
        self._lock = threading.Lock()

    def next(self) -> str:
        """One that was not asked before."""
        with self._lock:
            number, self._n = self._n, self._n + 1
        at, turn = number % len(self._texts), number // len(self._texts)
        if not turn:
            return self._texts[at]
        words = self._texts[at].split()
        other = self._texts[(at + turn) % len(self._texts)].split()
        return " ".join([*words[: max(1, len(words) // 2)], *other[len(other) // 2 :], str(turn)])


# --- the server -------------------------------------------------------------------------------


class Server:
    """A server process."""

    def __init__(self, process: subprocess.Popen[str], started: float) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        line = process.stdout.readline()
        self.pid, self.started = process.pid, started
        self.port = int(line.rpartition(":")[2])
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        self._connection.request("GET", "/healthz")
        self._connection.getresponse().read()
        self.ready_s = time.perf_counter() - started

    def ask(
        self,
        store_id: str,
        question: str,
        *,
        share: float | None = 0.1,
        connection: HTTPConnection | None = None,
    ) -> dict[str, Any]:
        """One search, filtered to a share of the files."""
        given: dict[str, Any] = {"query": question}
        if share is not None:
            given["filters"] = {"type": "lt", "key": "random", "value": share}
        connection = connection or self._connection
        headers = {"Content-Type": "application/json"}
        path = f"/v1/vector_stores/{store_id}/search"
        try:
            connection.request("POST", path, json.dumps(given), headers)
            reply = connection.getresponse()
        except ConnectionError:  # it was idle for longer than the server keeps it
            connection.close()
            connection.request("POST", path, json.dumps(given), headers)
            reply = connection.getresponse()
        body = reply.read()
        if reply.status != 200:  # noqa: PLR2004
            raise SystemExit(f"search: {reply.status} {body[:300]!r}")
        found: dict[str, Any] = json.loads(body)
        return found


@contextlib.contextmanager
def served(folder: Path, **environment: str) -> Iterator[Server]:
    """A server on a data folder, until the block ends; its query cache is off."""
    program = "from api.cli import main; main()"
    command = [sys.executable, "-c", program, "--data", str(folder), "serve", "--port", "0"]
    told = {f"{PREFIX}QUERY_CACHE": "0", **environment}
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - ourselves
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_ROOT,
        env={**os.environ, **told},
    ) as process:
        try:
            yield Server(process, started)
        finally:
            process.terminate()


# --- one client -------------------------------------------------------------------------------


def _one_client(
    server: Server, store_id: str, asked: Questions, embedder: Embedder, *, n: int
) -> OneClient:
    """A question alone through the embedder, then as a search; questions are warm in neither."""
    whole, alone = np.empty(n), np.empty(n)
    for i in range(n):
        question = asked.next()
        began = time.perf_counter()
        embedder.embed_query(question)
        alone[i] = time.perf_counter() - began
        began = time.perf_counter()
        server.ask(store_id, question)
        whole[i] = time.perf_counter() - began
    return OneClient(
        n,
        *(float(each) * 1e3 for each in np.percentile(whole, [50, 95])),
        *(float(each) * 1e3 for each in np.percentile(alone, [50, 95])),
    )


# --- sixteen clients --------------------------------------------------------------------------


def _many_clients(
    server: Server, store_id: str, asked: Questions, embedder: Embedder, *, seconds: float = 4.0
) -> ManyClients:
    rounds = []
    for _ in range(_ROUNDS):
        alone = _embedder_rate(embedder, asked, seconds=seconds)
        rounds.append((*_client_rate(server, store_id, asked, seconds=seconds), *alone))
    rate, less, server_ms, p50, alone_rate, alone_ms = np.median(np.array(rounds), axis=0).tolist()
    return ManyClients(rate, less, alone_rate, server_ms, alone_ms, p50)


def _client_rate(
    server: Server, store_id: str, asked: Questions, *, seconds: float
) -> tuple[float, float, float, float]:
    """Searches a second, the same less our processor time, the server's ms a search, p50 ms."""
    spent: list[float] = []

    def client(until: float) -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
        while time.perf_counter() < until:
            began = time.perf_counter()
            server.ask(store_id, asked.next(), connection=connection)
            spent.append(time.perf_counter() - began)

    server_before, our_before = _cpu_s(server.pid), time.process_time()
    began = time.perf_counter()
    _in_threads(N_CLIENTS, client, began + seconds)
    wall = time.perf_counter() - began
    ours = time.process_time() - our_before
    server_ms = 1e3 * (_cpu_s(server.pid) - server_before) / len(spent)
    left = wall - ours / len(os.sched_getaffinity(0))  # the cores that we took from the server
    return len(spent) / wall, len(spent) / left, server_ms, float(np.median(spent)) * 1e3


def _embedder_rate(embedder: Embedder, asked: Questions, *, seconds: float) -> tuple[float, float]:
    """Questions a second of two threads with one question at a time each, and ms of processor."""
    n_done: list[int] = []

    def caller(until: float) -> None:
        n = 0
        while time.perf_counter() < until:
            embedder.embed_query(asked.next())
            n += 1
        n_done.append(n)

    before, began = time.process_time(), time.perf_counter()
    _in_threads(_N_THREADS, caller, began + seconds)
    wall = time.perf_counter() - began
    return sum(n_done) / wall, 1e3 * (time.process_time() - before) / sum(n_done)


def _in_threads(n: int, run: Any, until: float) -> None:
    threads = [threading.Thread(target=run, args=(until,)) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- memory -----------------------------------------------------------------------------------


def uss_of(pid: int) -> tuple[int, int]:
    """Bytes that the process alone holds, and how many of them are pages of mapped files."""
    total = files = 0
    is_file = False
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8").splitlines():
        head = line.split()
        if "-" in head[0] and not head[0].endswith(":"):
            is_file = len(head) > 5 and head[5].startswith("/")  # noqa: PLR2004 - the sixth field is its path
        elif head[0] in {"Private_Clean:", "Private_Dirty:"}:
            total += int(head[1]) << 10
            files += (int(head[1]) << 10) * is_file
    return total, files


def _uss_of_empty(folder: Path, asked: Questions) -> int:
    """Of a server with an empty vector store, after it embedded some questions."""
    with served(folder) as server:
        connection = HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/v1/vector_stores", "{}", {"Content-Type": "application/json"})
        store_id = json.loads(connection.getresponse().read())["id"]
        for _ in range(20):
            server.ask(store_id, asked.next())
        return uss_of(server.pid)[0]


def _codes_and_postings(at: Filled) -> int:
    """Bytes of the index's files but for the float32 rows in them."""
    from retrieval import packed  # noqa: PLC0415

    total = 0
    for path in (at.folder / "index" / at.store_id).iterdir():
        total += path.stat().st_size
        if path.suffix == ".segment":
            arrays, _ = packed.read(path)
            total -= arrays["vectors"].nbytes if "vectors" in arrays else 0
    return total


# --- what the figures say ---------------------------------------------------------------------


def report(made: Sequence[Measured]) -> str:
    """A table in Markdown, a column a size."""
    rows = [
        ("one client, p50 ms", [_at_most(m, m.one.p50_ms, 15) for m in made]),
        ("query embedding alone, p50 ms", [f"{m.one.embedding_p50_ms:.1f}" for m in made]),
        ("the search beyond it, p50 ms", [_goal_p50(m) for m in made]),
        ("one client, p95 ms", [_at_most(m, m.one.p95_ms, 40) for m in made]),
        ("16 clients, searches/s", [f"{m.many.rate:.0f}" for m in made]),
        ("less the client's processor time", [f"{m.many.rate_less_client:.0f}" for m in made]),
        ("embedder alone, two threads, questions/s", [f"{m.many.embedder_rate:.0f}" for m in made]),
        ("share of it (goal ≥ 0.8)", [_goal_rate(m) for m in made]),
        ("server, processor ms a search", [f"{m.many.server_cpu_ms:.1f}" for m in made]),
        ("embedder alone, processor ms", [f"{m.many.embedder_cpu_ms:.1f}" for m in made]),
        ("first query after start, s (goal ≤ 3)", [f"{m.first_query_s:.2f}" for m in made]),
        ("bytes a window (goal ≤ 700)", [f"{m.memory.bytes_per_window:.0f}" for m in made]),
        ("  codes and postings, bytes a window", [f"{m.memory.codes_and_postings / m.n_windows:.0f}" for m in made]),
        ("  process beyond the empty server's, MB", [f"{(m.memory.uss - m.memory.uss_empty) / 1e6:.0f}" for m in made]),
        ("  pages of mapped files in the process, MB", [f"{m.memory.uss_files / 1e6:.0f}" for m in made]),
        ("load of the machine before", [f"{m.load:.1f}" for m in made]),
    ]  # fmt: skip
    lines = ["| | " + " | ".join(f"{m.n_windows:,} windows" for m in made) + " |"]
    lines.append("|---" * (len(made) + 1) + "|")
    lines += [f"| {name} | " + " | ".join(values) + " |" for name, values in rows]
    return "\n".join(lines) + "\n"


def _goal_p50(m: Measured) -> str:
    beyond = m.one.p50_ms - m.one.embedding_p50_ms
    limit = 20 if m.n_windows > _MAX_GOAL_WINDOWS else 6
    return f"{beyond:.1f} (goal ≤ {limit}: {'met' if beyond <= limit else 'missed'})"


def _at_most(m: Measured, value: float, limit: float) -> str:
    """A goal that holds up to 100,000 windows; above there is none."""
    if m.n_windows > _MAX_GOAL_WINDOWS:
        return f"{value:.1f}"
    return f"{value:.1f} (goal ≤ {limit:g}: {'met' if value <= limit else 'missed'})"


def _goal_rate(m: Measured) -> str:
    share = m.many.rate_less_client / m.many.embedder_rate
    return f"{share:.2f} ({'met' if share >= 0.8 else 'missed'})"  # noqa: PLR2004


def read(path: Path) -> Measured:
    """What `measure` kept."""
    kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
    kept["one"] = OneClient(**kept["one"])
    kept["many"] = ManyClients(**kept["many"])
    kept["memory"] = Memory(**kept["memory"])
    return Measured(**kept)


if __name__ == "__main__":
    main()
