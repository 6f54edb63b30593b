"""Boxes of hits and citations over HTTP, in the library and on the command line."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner
from reportlab.pdfgen.canvas import Canvas
from test_api_files import upload

from api.cli import main
from api.engine import Engine
from api.settings import Settings

HEIGHT = 842
LINE = "Paris is the capital of France."
TOP = 100.0


def pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, HEIGHT))
    canvas.showPage()
    canvas.drawString(60, HEIGHT - TOP, LINE)
    canvas.save()
    return buffer.getvalue()


@pytest.fixture(scope="module")
def store_id(service) -> str:
    store = service.client.vector_stores.create()
    for name, content in (("paris.pdf", pdf()), ("rome.txt", b"Rome is the capital of Italy.")):
        file_id = upload(service, name=name, content=content).id
        done = service.client.vector_stores.files.create_and_poll(
            file_id, vector_store_id=store.id
        )
        assert done.status == "completed"
    return store.id


def is_drawn(pages) -> bool:
    (page,) = pages
    (box,) = page["boxes"]
    left, top, right, bottom = box
    sizes = (page["page"], page["width"], page["height"])
    return sizes == (2, 595, HEIGHT) and 55 < left < 65 < right and 85 < top < bottom < TOP + 5


def search(service, store_id, **sourcebook):
    body = {"query": "capital of France", "sourcebook": sourcebook}
    reply = service.raw.post(f"/v1/vector_stores/{store_id}/search", json=body).json()
    return {hit["filename"]: hit["sourcebook"] for hit in reply["data"]}


def test_hits_have_boxes_when_they_are_asked_for(service, store_id):
    found = search(service, store_id, boxes=True)
    assert is_drawn(found["paris.pdf"]["boxes"])
    assert found["paris.pdf"]["first_page"] == 2
    assert found["rome.txt"]["boxes"] == []
    assert "boxes" not in search(service, store_id, places=True)["paris.pdf"]


def test_annotations_and_results_have_boxes(service, store_id):
    tool = {"type": "file_search", "vector_store_ids": [store_id]}
    response = service.client.responses.create(
        model="extractive",
        input="What is the capital of France?",
        tools=[tool],
        include=["file_search_call.results"],
        extra_body={"sourcebook": {"boxes": True}},
    )
    call, message = response.to_dict()["output"]
    assert is_drawn(call["results"][0]["sourcebook"]["boxes"])
    (annotation,) = message["content"][0]["annotations"]
    assert annotation["sourcebook"]["quote"] == LINE
    assert is_drawn(annotation["sourcebook"]["boxes"])
    again = service.raw.get(f"/v1/responses/{response.id}?sourcebook=places").json()
    assert again["output"][1]["content"][0]["annotations"] == [annotation]


def test_library_and_command_line_show_boxes(tmp_path):
    (tmp_path / "paris.pdf").write_bytes(pdf())
    data = tmp_path / "data"
    with Engine.open(settings=Settings(data=data, embedder="hash")) as engine:
        engine.add(tmp_path / "paris.pdf", store="s")
        (hit,) = engine.find("capital", store="s").hits
        assert hit.boxes is None
        assert engine.find("capital", store="s", boxes=True).hits == (engine.with_boxes(hit),)
        (citation,) = engine.ask("What is the capital of France?", store="s", boxes=True).citations
        assert is_drawn([page.as_dict() for page in citation.boxes])
    run = CliRunner(env={"SOURCEBOOK_EMBEDDER": "hash"})
    arguments = ["--data", str(data), "search", "capital", "--store", "s", "--json"]
    (shown,) = json.loads(run.invoke(main, [*arguments, "--boxes"]).stdout)["hits"]
    assert is_drawn(shown["boxes"])
    (plain,) = json.loads(run.invoke(main, arguments).stdout)["hits"]
    assert "boxes" not in plain
