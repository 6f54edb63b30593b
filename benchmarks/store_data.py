"""Data folders of 10,000 to a million windows, for what is measured through the product's doors.

Files, documents, windows, chunks and vectors are written by the store's own functions, in the
order of a commit, some hundred files a transaction; only parsing, cutting and embedding are left
out: vectors are those of `vector_data`. A window's text is made of halves of two windows of the
judged sets and of a number that no other has, so words are as frequent and as rare as in real
text. Chunks are runs of four windows, two of them shared with the next, as 800/400 tokens give.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

import numpy as np
import vector_data
from vector_data import VectorSet

from api.engine import Engine
from api.settings import Settings
from retrieval.embedder import DEFAULT_MODEL, load_embedder
from retrieval.store import Tables
from retrieval.types import Attributes, Blob, Chunk, ChunkingStrategy, Document, Place, Window
from tests.quality.judged_sets import load as load_judged

STORE_NAME = "bench"
_FILES_A_TRANSACTION = 300
_CHUNK_WINDOWS, _STEP_WINDOWS = 4, 2
_WINDOW_TOKENS = 180


@dataclass(frozen=True, slots=True)
class Filled:
    """A data folder with one vector store."""

    folder: Path
    store_id: str
    fill_s: float
    index_s: float  # building and saving its index, once


def texts_and_questions(keep: Path, sets: Path) -> tuple[list[str], list[str]]:
    """All windows of the judged sets, and questions of theirs; kept after the first time."""
    path = keep / "texts.json"
    if not path.exists():
        embedder = load_embedder(DEFAULT_MODEL, cache=Settings.load().cache)
        judged = [load_judged(sets / name, embedder=embedder) for name in vector_data.SETS]
        texts = [text for each in judged for document in each.windows for text in document]
        questions = [question for each in judged for question in each.queries.values()]
        random.Random(vector_data.SEED).shuffle(questions)  # noqa: S311 - an order
        path.write_text(json.dumps([texts, questions]), "utf-8")
    texts, questions = json.loads(path.read_text("utf-8"))
    return texts, questions


def filled(keep: Path, data: VectorSet, *, sets: Path) -> Filled:
    """The data folder of a set of vectors, filled and indexed unless that was done before."""
    folder = keep / "stores" / data.name
    settings = Settings.load(data=folder)
    note = folder / "filled.json"
    if not note.exists():
        began = time.perf_counter()
        texts, _ = texts_and_questions(keep, sets)
        with Engine.open(settings=settings) as engine:
            store_id = engine.create_vector_store(name=STORE_NAME).id
            for files in _grouped(_files(data, texts)):
                with engine.store.write() as tables:
                    for file in files:
                        put(tables, store_id, file)
        note.write_text(json.dumps([store_id, time.perf_counter() - began]))
    store_id, fill_s = json.loads(note.read_text())
    began = time.perf_counter()
    with Engine.open(settings=settings) as engine:
        engine.refresh_indexes([store_id])
    return Filled(folder, store_id, fill_s, time.perf_counter() - began)


@dataclass(frozen=True, slots=True, eq=False)
class MadeFile:
    """What one commit puts in place."""

    name: str
    attributes: Attributes
    texts: Sequence[str]  # of its windows
    vectors: np.ndarray  # (n_windows, dim)


def put(tables: Tables, store_id: str, file: MadeFile) -> str:
    """Commit one file as the write path does; returns its id."""
    text, windows = _document(file.texts)
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    blob = Blob(digest, len(text.encode("utf-8", "surrogatepass")))
    made = tables.files.add(blob, filename=file.name, purpose="assistants", expires_after_s=None)
    number = tables.attachments.put(
        tables.vector_stores.number(store_id),
        tables.files.number(made.id),
        attributes=file.attributes,
        chunking=ChunkingStrategy(),
    )
    document_n = tables.documents.add(f"bench:{digest}", Document("text/plain", text, ()))
    keys = [sha256(f"{file.name}:{i}".encode()).digest() for i in range(len(windows))]
    tables.chunks.add_vectors(keys, file.vectors)
    chunks = list(_chunks(windows))
    tables.chunks.replace(number, windows=windows, keys=keys, chunks=chunks)
    tables.attachments.complete(
        number, document_n=document_n, usage_bytes=len(text), n_chunks=len(chunks)
    )
    return made.id


def _files(data: VectorSet, texts: Sequence[str]) -> Iterator[MadeFile]:
    rng = random.Random(vector_data.SEED)  # noqa: S311 - texts
    places = np.argsort(np.argsort(data.attributes["random"], kind="stable"))
    start = 0
    for n, size in enumerate(data.file_n_windows.tolist()):
        attributes = {name: float(each[n]) for name, each in data.attributes.items()}
        yield MadeFile(
            f"report-{n}.md",
            {**attributes, "place": int(places[n]), "kind": ("memo", "paper", "letter")[n % 3]},
            [made_text(rng, texts, start + i) for i in range(size)],
            np.asarray(data.vectors[start : start + size]),
        )
        start += size


def made_text(rng: random.Random, texts: Sequence[str], number: int) -> str:
    """The first half of one text, the second of another, and a number of its own."""
    first, second = rng.choice(texts), rng.choice(texts)
    return f"{first[: len(first) // 2]} No. {number:07}. {second[len(second) // 2 :]}"


def _grouped(files: Iterator[MadeFile]) -> Iterator[list[MadeFile]]:
    group: list[MadeFile] = []
    for file in files:
        group.append(file)
        if len(group) == _FILES_A_TRANSACTION:
            yield group
            group = []
    yield group


def _document(texts: Sequence[str]) -> tuple[str, list[Window]]:
    windows, start = [], 0
    for i, text in enumerate(texts):
        windows.append(Window(i, start, start + len(text), _WINDOW_TOKENS))
        start += len(text) + 1
    return "\n".join(texts), windows


def _chunks(windows: Sequence[Window]) -> Iterator[Chunk]:
    for ordinal, first in enumerate(range(0, len(windows), _STEP_WINDOWS)):
        held = windows[first : first + _CHUNK_WINDOWS]
        yield Chunk(
            ordinal, first, len(held), held[0].start_char, held[-1].end_char,
            _WINDOW_TOKENS * len(held), Place(), (),
        )  # fmt: skip
        if first + _CHUNK_WINDOWS >= len(windows):
            return
