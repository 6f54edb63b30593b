"""Upload to searchable, and query latency, on an idle server and while it indexes in bulk.

    python benchmarks/interactive.py [--seconds 30] [--uploads 12]

Starts a server on a fresh folder with the default model, and calls it over HTTP from this
process. Idle and busy are measured by turns, since machines have other things to do as well.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from reportlab.pdfgen.canvas import Canvas

WORDS_PER_LINE, LINES_PER_PAGE, PAGES = 10, 42, 10
COMMAND = Path(sys.executable).with_name("sourcebook")


def words(rng: random.Random, count: int) -> list[str]:
    """A stretch of English text, begun at random: of the sample corpus, word by word."""
    start = rng.randrange(len(ENGLISH) - count)
    return ENGLISH[start : start + count]


def _english() -> list[str]:
    corpus = Path(__file__).parents[1] / "sample_corpus" / "files"
    texts = [path.read_text("utf-8") for path in sorted(corpus.rglob("*.md"))]
    found = re.findall(r"[\w'-]+[.,;]?", " ".join(texts))
    return found * (20_000 // len(found) + 1)


ENGLISH = _english()


def pdf(rng: random.Random, marker: str) -> bytes:
    """Ten pages of text, about 420 words each; the marker is on the last."""
    target = io.BytesIO()
    canvas = Canvas(target)
    for page in range(PAGES):
        text = canvas.beginText(60, 780)
        for line in range(LINES_PER_PAGE):
            is_last = page == PAGES - 1 and line == LINES_PER_PAGE - 1
            text.textLine(marker if is_last else " ".join(words(rng, WORDS_PER_LINE)))
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


@contextmanager
def server(data: Path) -> Iterator[httpx2.Client]:
    """A client of a fresh server."""
    environment = os.environ | {"SOURCEBOOK_DATA": str(data)}
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, "serve", "--port", "0"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            address = re.search(r"http://[\d.:]+", process.stdout.readline())[0]
            with httpx2.Client(base_url=f"{address}/v1", timeout=120) as client:
                yield client
        finally:
            process.terminate()


def upload(client: httpx2.Client, name: str, content: bytes) -> str:
    """The id of the uploaded file."""
    reply = client.post("/files", data={"purpose": "assistants"}, files={"file": (name, content)})
    return reply.raise_for_status().json()["id"]


def upload_to_searchable(client: httpx2.Client, store_id: str, rng: random.Random) -> float:
    """Seconds from the begin of the upload until a search finds the file's last line."""
    marker = f"zq{rng.randrange(10**9)}xv"
    content = pdf(rng, marker)
    began = time.perf_counter()
    file_id = upload(client, f"{marker}.pdf", content)
    client.post(f"/vector_stores/{store_id}/files", json={"file_id": file_id}).raise_for_status()
    while True:
        hits = client.post(
            f"/vector_stores/{store_id}/search", json={"query": marker, "max_num_results": 3}
        ).raise_for_status().json()["data"]  # fmt: skip
        if any(marker in hit["content"][0]["text"] for hit in hits):
            return time.perf_counter() - began
        time.sleep(0.02)


def queries(
    client: httpx2.Client, store_id: str, rng: random.Random, seconds: float
) -> list[float]:
    """Seconds that each of some searches took, a few a second."""
    taken, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        query = " ".join(words(rng, 6))
        began = time.perf_counter()
        client.post(f"/vector_stores/{store_id}/search", json={"query": query}).raise_for_status()
        taken.append(time.perf_counter() - began)
        time.sleep(0.03)
    return taken


def begin_bulk(client: httpx2.Client, store_id: str, rng: random.Random, n_files: int) -> str:
    """A batch that takes minutes; its id."""
    ids = [
        upload(client, f"bulk-{n}.txt", " ".join([str(n), *shuffled(rng, 6000)]).encode())
        for n in rng.sample(range(10**9), n_files)
    ]
    reply = client.post(f"/vector_stores/{store_id}/file_batches", json={"file_ids": ids})
    return reply.raise_for_status().json()["id"]


def shuffled(rng: random.Random, count: int) -> list[str]:
    """English words in an order that was never embedded before."""
    return rng.choices(ENGLISH, k=count)


def p(values: list[float], share: float) -> float:
    """A percentile in milliseconds."""
    return 1e3 * sorted(values)[min(int(share * len(values)), len(values) - 1)]


def told(name: str, values: list[float]) -> str:
    """A line of the report."""
    return (
        f"{name:34} p50 {p(values, 0.5):7.0f} ms   p95 {p(values, 0.95):7.0f} ms   n {len(values)}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20, help="of queries in each round")
    parser.add_argument("--uploads", type=int, default=5, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    rng = random.Random(1)  # noqa: S311 - the same text every time
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as client:
        store_id = client.post("/vector_stores", json={"name": "s"}).json()["id"]
        bulk_id = client.post("/vector_stores", json={"name": "bulk"}).json()["id"]
        for _ in range(2):  # the model and the parser are loaded
            upload_to_searchable(client, store_id, rng)
        for _ in range(chosen.rounds):
            for state in ("idle", "bulk into the same store", "bulk into another store"):
                target = bulk_id if "another" in state else store_id
                batch = begin_bulk(client, target, rng, 40) if state != "idle" else None
                time.sleep(2)
                found.setdefault(f"query, {state}", []).extend(
                    queries(client, store_id, rng, chosen.seconds)
                )
                found.setdefault(f"upload to searchable, {state}", []).extend(
                    upload_to_searchable(client, store_id, rng) for _ in range(chosen.uploads)
                )
                if batch:
                    status = client.post(
                        f"/vector_stores/{target}/file_batches/{batch}/cancel"
                    ).json()
                    print("  files of the batch that were done:", status["file_counts"])
                    time.sleep(2)
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    for name, values in sorted(found.items()):
        print(told(name, values))
    for state in ("bulk into the same store", "bulk into another store"):
        for what in ("query", "upload to searchable"):
            ratio = p(found[f"{what}, {state}"], 0.95) / p(found[f"{what}, idle"], 0.95)
            print(f"{what}, {state}: p95 is {ratio:.2f} times idle")
    medians = {name: statistics.median(values) for name, values in found.items()}
    print("pages a second, idle:", round(PAGES / medians["upload to searchable, idle"], 1))


if __name__ == "__main__":
    main()
