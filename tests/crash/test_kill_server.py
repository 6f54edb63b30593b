"""`kill -9` of a working server, then a new one on the same folder: nothing stuck, none twice."""

import os
import random
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import OpenAI

COMMAND = Path(sys.executable).with_name("sourcebook")
N_FILES = 40


@contextmanager
def server(data):
    """A server process and a client of it; killed at the end, as by a power cut."""
    environment = os.environ | {"SOURCEBOOK_DATA": str(data), "SOURCEBOOK_EMBEDDER": "hash"}
    with subprocess.Popen(
        [COMMAND, "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            address = re.search(r"http://[\d.:]+", process.stdout.readline())[0]
            with OpenAI(base_url=f"{address}/v1", api_key="any", timeout=30) as client:
                yield client
        finally:
            process.kill()


def settled(client, store_id, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while (store := client.vector_stores.retrieve(store_id)).file_counts.in_progress:
        assert time.monotonic() < deadline, f"stuck: {store.file_counts}"
        time.sleep(0.1)
    return store


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_server_goes_on_where_it_was(tmp_path, seed):
    rng = random.Random(seed)
    with server(tmp_path) as client:
        store = client.vector_stores.create(name="s")
        ids = [
            client.files.create(
                file=(f"{number}.txt", f"unique{number} word. ".encode() * 400),
                purpose="assistants",
            ).id
            for number in range(N_FILES)
        ]
        client.vector_stores.file_batches.create(store.id, file_ids=ids)
        time.sleep(rng.uniform(0.05, 0.6))
    for _ in range(2):  # killed again while it catches up
        with server(tmp_path) as client:
            time.sleep(rng.uniform(0.05, 0.6))
    with server(tmp_path) as client:
        counts = settled(client, store.id).file_counts
        assert (counts.completed, counts.total) == (N_FILES, N_FILES)
        for number in (0, 7, N_FILES - 1):
            page = client.vector_stores.search(store.id, query=f"unique{number}")
            texts = [hit.content[0].text for hit in page.data if hit.filename == f"{number}.txt"]
            assert len(texts) == len(set(texts)) > 0
            content = client.vector_stores.files.content(ids[number], vector_store_id=store.id)
            assert (
                "".join(part.text for part in content.data).split()
                == (f"unique{number} word. " * 400).split()
            )
