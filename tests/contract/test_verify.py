"""`POST /v1/sourcebook/verify`, `Engine.verify` and `sourcebook verify`."""

import json

import pytest
from click.testing import CliRunner
from http_service import serving

from api.cli import main
from api.engine import Engine
from api.settings import Settings
from retrieval.types import PageRequest

SOURCE = (
    "The museum of Keswold was founded in 1884. It is open from nine to five."
    " Photography is not allowed in the chapel."
)
OTHER = "The mill was built in 1731 by Ann Tamm. It burnt down twice."


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """With the default model, by whose vectors meaning is compared."""
    with (
        Engine.open(settings=Settings(data=tmp_path_factory.mktemp("data"))) as engine,
        serving(engine) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def http(service):
    return service.raw


@pytest.fixture(scope="module")
def stored(service, tmp_path_factory):
    """Ids of a vector store and of a file in it that holds SOURCE."""
    path = tmp_path_factory.mktemp("files") / "museum.txt"
    path.write_text(SOURCE, "utf-8")
    service.engine.add(path, store="museums")
    store_id = service.engine.resolve_store("museums").id
    attached = service.engine.attachments(store_id, PageRequest()).items
    return store_id, attached[0].file_id


def verified(client, **body):
    reply = client.post("/v1/sourcebook/verify", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_each_sentence_is_checked_by_itself(http):
    text = "The museum was founded in 1884. The museum was founded in 1894."
    body = verified(http, text=text, sources=[{"text": SOURCE}])
    true, false = body["sentences"]
    assert true["supported"]
    assert true["evidence"]["quote"].endswith("founded in 1884.")
    assert not false["supported"]
    assert false["findings"] == [{"kind": "date", "text": "1894"}]
    assert not body["supported"]
    assert body["score"] == false["score"]


def test_a_right_sentence_cited_to_the_wrong_source_is_not_supported(http):
    text = "The mill burnt down twice [1]. The mill burnt down twice [2]."
    first, second = verified(http, text=text, sources=[{"text": SOURCE}, {"text": OTHER}])[
        "sentences"
    ]
    assert (first["cited"], first["supported"]) == ([0], False)
    assert (second["cited"], second["supported"]) == ([1], True)


def test_markers_leave_the_text_and_unknown_ones_are_told(http):
    body = verified(http, text="The mill was built in 1731 [7].", sources=[{"text": OTHER}])
    assert body["text"] == "The mill was built in 1731."
    assert body["sentences"][0]["findings"] == [{"kind": "source", "text": "7"}]


def test_what_states_nothing_is_not_judged(http):
    body = verified(http, text="Here is what I found:", sources=[{"text": OTHER}])
    assert body["sentences"][0]["supported"] is None
    assert body["supported"]
    assert body["score"] is None


def test_the_bar_is_the_callers(http):
    body = {"text": "The mill burned down again.", "sources": [{"text": OTHER}]}
    low = verified(http, **body, min_support=0.0)
    high = verified(http, **body, min_support=1.0)
    assert low["sentences"][0]["supported"]
    assert not high["sentences"][0]["supported"]


def test_files_and_hits_are_sources(http, stored):
    store_id, file_id = stored
    sentence = "Photography is not allowed in the chapel."
    hits = http.post(
        f"/v1/vector_stores/{store_id}/search",
        json={"query": sentence, "sourcebook": {"places": True}},
    ).json()["data"]
    hit_id = hits[0]["sourcebook"]["id"]
    for source in ({"file_id": file_id}, {"hit_id": hit_id}):
        given = [{"vector_store_id": store_id, **source}]
        body = verified(http, text=sentence, sources=given)
        evidence = body["sentences"][0]["evidence"]
        assert body["supported"]
        assert evidence["file_id"] == file_id
        assert evidence["quote"] == sentence


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"sources": [{"text": "x"}]}, "text"),
        ({"text": " ", "sources": [{"text": "x"}]}, "text"),
        ({"text": "x", "sources": []}, "sources"),
        ({"text": "x", "sources": [{}]}, "sources[0]"),
        ({"text": "x", "sources": [{"text": "y", "file_id": "file-1"}]}, "sources[0]"),
        ({"text": "x", "sources": [{"file_id": "file-1"}]}, "sources[0]"),
        ({"text": "x", "sources": [{"text": "y"}], "min_support": 2.0}, "min_support"),
        ({"text": "x", "sources": [{"text": "y"}], "bar": 1}, "bar"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(http, body, param):
    reply = http.post("/v1/sourcebook/verify", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


def test_an_unknown_file_is_not_found(http, stored):
    store_id, file_id = stored
    for source in ({"file_id": "file-none"}, {"hit_id": f"{file_id}:999"}):
        given = [{"vector_store_id": store_id, **source}]
        reply = http.post("/v1/sourcebook/verify", json={"text": "A claim.", "sources": given})
        assert reply.status_code == 404, reply.text


def test_the_command_prints_scores_and_fails_on_what_is_not_borne_out(tmp_path):
    source = tmp_path / "museum.txt"
    source.write_text(SOURCE, "utf-8")
    given = ["--data", str(tmp_path / "data"), "verify", "--source", str(source)]
    good = CliRunner().invoke(main, [*given, "The museum was founded in 1884."])
    assert good.exit_code == 0, good.output
    assert "museum.txt" in good.output
    bad = CliRunner().invoke(main, [*given, "--json", "The museum was founded in 1894."])
    assert bad.exit_code == 1
    assert json.loads(bad.output)["sentences"][0]["findings"][0]["kind"] == "date"
