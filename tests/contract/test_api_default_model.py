"""The whole way with the embedding model that users get, on a file with pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_service import Service, serving

from api.engine import Engine
from api.settings import Settings

CORPUS = Path(__file__).parents[2] / "sample_corpus"
# The first judged question: its words are not those of the page that answers it.
JUDGED = json.loads((CORPUS / "judgments.jsonl").read_text(encoding="utf-8").splitlines()[0])


@pytest.fixture(scope="module")
def modelled(tmp_path_factory) -> Iterator[Service]:
    settings = Settings(data=tmp_path_factory.mktemp("data"))
    with Engine.open(settings=settings, work=True) as engine, serving(engine) as found:
        yield found


def test_question_in_other_words_finds_the_page(modelled):
    client = modelled.client
    with (CORPUS / "files" / JUDGED["file"]).open("rb") as content:
        file = client.files.create(file=content, purpose="assistants")
    store = client.vector_stores.create(name="handbook")
    batch = client.vector_stores.file_batches.create_and_poll(
        store.id,
        file_ids=[file.id],
        chunking_strategy={
            "type": "static",
            "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 0},
        },
    )
    assert batch.file_counts.completed == 1
    page = client.vector_stores.search(
        store.id, query=JUDGED["question"], extra_body={"sourcebook": {"places": True}}
    )
    best = page.data[0]
    assert JUDGED["answer"] in " ".join(best.content[0].text.split())
    place = best.to_dict()["sourcebook"]
    assert place["first_page"] <= JUDGED["page"] <= place["last_page"]
    assert 0 < best.score <= 1
