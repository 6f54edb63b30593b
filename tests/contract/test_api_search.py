"""Search over HTTP: hits, filters, options, the extension, and what changes at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import openai
import pytest
from http_service import Service, serving
from test_api_files import refused, upload

from api.engine import Engine
from api.settings import Settings

# Each file's text and attributes, by name.
DOCUMENTS = {
    "granite.txt": (
        "Granite is a hard igneous rock.",
        {"year": 2020, "kind": "rock", "new": False},
    ),
    "basalt.txt": ("Basalt is a dark igneous rock.", {"year": 2022, "kind": "rock", "new": True}),
    "oak.txt": ("The oak is a broad tree with hard wood.", {"year": 2022, "kind": "tree"}),
    "pine.txt": (
        "The pine is a tall tree with soft wood.",
        {"year": 2024, "kind": "tree", "new": 1},
    ),
    "river.txt": ("A river carries sand and water to the sea.", {}),
}


@dataclass(frozen=True, slots=True)
class Corpus:
    service: Service
    store_id: str
    ids: dict[str, str]  # file name to file id

    def search(self, query="hard igneous rock", **options):
        return self.service.client.vector_stores.search(self.store_id, query=query, **options)

    def names(self, query="hard igneous rock", **options):
        return [hit.filename for hit in self.search(query, **options)]

    def post(self, **body):
        path = f"/v1/vector_stores/{self.store_id}/search"
        return self.service.raw.post(path, json={"query": "hard igneous rock", **body})


def fill(service: Service, documents) -> Corpus:
    store = service.client.vector_stores.create()
    ids = {
        name: upload(service, name=name, content=text.encode()).id
        for name, (text, _) in documents.items()
    }
    files = [
        {"file_id": ids[name], "attributes": attributes}
        for name, (_, attributes) in documents.items()
    ]
    batch = service.client.vector_stores.file_batches.create_and_poll(store.id, files=files)
    assert batch.file_counts.completed == len(documents)
    return Corpus(service, store.id, ids)


@pytest.fixture(scope="module")
def corpus(service) -> Corpus:
    """Read only: tests that change anything make their own."""
    return fill(service, DOCUMENTS)


def test_best_hit_comes_first_with_all_keys(corpus):
    reply = corpus.post().json()
    assert reply["object"] == "vector_store.search_results.page"
    assert reply["search_query"] == ["hard igneous rock"]
    assert (reply["has_more"], reply["next_page"]) == (False, None)
    best = reply["data"][0]
    assert best == {
        "file_id": corpus.ids["granite.txt"],
        "filename": "granite.txt",
        "score": best["score"],
        "attributes": {"year": 2020, "kind": "rock", "new": False},
        "content": [{"type": "text", "text": "Granite is a hard igneous rock."}],
    }
    scores = [hit["score"] for hit in reply["data"]]
    assert scores == sorted(scores, reverse=True)


def test_several_queries_give_one_list(corpus):
    page = corpus.search(["hard igneous rock", "tall tree soft wood"])
    assert set(page.search_query) == {"hard igneous rock", "tall tree soft wood"}
    assert {hit.filename for hit in page.data[:2]} == {"granite.txt", "pine.txt"}
    assert len({hit.file_id for hit in page}) == len(page.data)


def test_rewriting_is_reported(corpus):
    page = corpus.search("What is the hard igneous rock?", rewrite_query=True)
    assert len(page.search_query) == 1
    assert page.data[0].filename == "granite.txt"


def compare(op, key, value):
    return {"type": op, "key": key, "value": value}


FILTERS = [
    (compare("eq", "kind", "rock"), {"granite", "basalt"}),
    (compare("ne", "kind", "rock"), {"oak", "pine", "river"}),
    (compare("gt", "year", 2020), {"basalt", "oak", "pine"}),
    (compare("lte", "year", 2022), {"granite", "basalt", "oak"}),
    (compare("in", "year", [2020, 2024]), {"granite", "pine"}),
    (compare("nin", "year", [2020, 2024]), {"basalt", "oak", "river"}),
    (compare("in", "year", []), set()),
    (compare("eq", "new", True), {"basalt"}),  # 1 is no boolean
    (compare("eq", "new", 1), {"pine"}),  # and true no number
    (compare("eq", "year", "2022"), set()),
    (compare("eq", "nothing", 1), set()),
    ({"type": "in", "property": "filename", "value": ["oak.txt", "pine.txt"]}, {"oak", "pine"}),
    (
        {
            "type": "or",
            "filters": [
                {
                    "type": "and",
                    "filters": [compare("eq", "kind", "tree"), compare("gte", "year", 2024)],
                },
                {
                    "type": "and",
                    "filters": [compare("eq", "kind", "rock"), compare("eq", "new", False)],
                },
            ],
        },
        {"pine", "granite"},
    ),
    ({}, {"granite", "basalt", "oak", "pine", "river"}),
]


@pytest.mark.parametrize(("condition", "names"), FILTERS)
def test_filters_decide_which_files_are_searched(corpus, condition, names):
    found = corpus.post(filters=condition, max_num_results=50).json()["data"]
    assert {hit["filename"].removesuffix(".txt") for hit in found} == names


@pytest.mark.parametrize("alias", ["filter", "attribute_filter"])
def test_filter_aliases(corpus, alias):
    found = corpus.post(**{alias: compare("eq", "kind", "tree")}).json()["data"]
    assert {hit["filename"] for hit in found} == {"oak.txt", "pine.txt"}


BAD_FILTERS = [
    ("a", "filters"),
    ({"type": "like", "key": "a", "value": 1}, "filters.type"),
    ({"key": "a", "value": 1}, "filters.type"),
    ({"type": "eq", "value": 1}, "filters.key"),
    ({"type": "eq", "key": "a"}, "filters.value"),
    ({"type": "eq", "key": "a", "value": [1]}, "filters.value"),
    ({"type": "in", "key": "a", "value": 1}, "filters.value"),
    ({"type": "in", "key": "a", "value": [True]}, "filters.value[0]"),
    ({"type": "and", "filters": []}, "filters.filters"),
    ({"type": "and"}, "filters.filters"),
    ({"type": "or", "filters": [{"type": "eq", "key": "a"}]}, "filters.filters[0].value"),
]


@pytest.mark.parametrize(("condition", "path"), BAD_FILTERS)
def test_bad_filters_are_named_by_path(corpus, condition, path):
    error = refused(corpus.post(filters=condition), 400)
    assert error["param"] == path
    assert error["code"]


def test_filter_of_any_depth_up_to_the_limit(corpus):
    condition = compare("eq", "kind", "tree")
    for _ in range(60):
        condition = {"type": "and", "filters": [condition]}
    assert len(corpus.post(filters=condition).json()["data"]) == 2
    for _ in range(10):
        condition = {"type": "and", "filters": [condition]}
    refused(corpus.post(filters=condition), 400)


def test_nulls_are_defaults(corpus):
    nulls = dict.fromkeys(["filters", "max_num_results", "ranking_options", "rewrite_query"])
    assert corpus.post(**nulls).json() == corpus.post().json()
    options = dict.fromkeys(["ranker", "score_threshold", "hybrid_search"])
    assert corpus.post(ranking_options=options).json() == corpus.post().json()


def test_threshold_keeps_what_reaches_it(corpus):
    page = corpus.search(max_num_results=50)
    scores = [hit.score for hit in page]
    cut = scores[1]
    kept = corpus.search(ranking_options={"score_threshold": cut - 0.0001})
    assert [hit.score for hit in kept] == [score for score in scores if score >= cut - 0.0001]
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    "options",
    [
        {"ranker": "none"},
        {"ranker": "auto"},
        {"ranker": "default-2024-11-15"},
        {"ranker": "default-2024-08-21"},
        {"ranker": "default_2024_08_21"},
        {"hybrid_search": {"embedding_weight": 1, "text_weight": 0}},
        {"hybrid_search": {"embedding_weight": 0, "text_weight": 0.5}},
        {"hybrid_search": {"rrf_embedding_weight": 1, "rrf_text_weight": 1}},
    ],
)
def test_every_ranking_option_finds_the_obvious(corpus, options):
    found = corpus.post(ranking_options=options).json()["data"]
    assert found[0]["filename"] == "granite.txt"
    assert all(0 <= hit["score"] <= 1 for hit in found)


def test_extension_is_there_only_when_asked_for(corpus):
    assert "sourcebook" not in corpus.post().text
    assert "sourcebook" not in corpus.post(sourcebook={"places": False}).text
    best = corpus.post(sourcebook={"places": True, "explain": True}).json()["data"][0]
    found = best["sourcebook"]
    text = "Granite is a hard igneous rock."
    assert found["id"] == f"{corpus.ids['granite.txt']}:0"
    assert (found["start_char"], found["end_char"]) == (0, len(text))
    assert found["heading_path"] == []
    assert found["first_line"] == found["last_line"] == 1
    assert found["explanation"]["dense"]["rank"] == 1
    legs = {"plan", "dense", "keyword", "fused", "query"}
    assert set(found["explanation"]) == legs | {"features", "weights", "reranker"}
    assert set(found["explanation"]["features"]) == set(found["explanation"]["weights"])


def test_span_points_into_the_stored_text(corpus):
    stored = corpus.service.client.vector_stores.files.content(
        corpus.ids["oak.txt"], vector_store_id=corpus.store_id
    )
    hit = corpus.post(query="broad oak", sourcebook={"places": True}).json()["data"][0]
    place = hit["sourcebook"]
    span = stored.data[0].text[place["start_char"] : place["end_char"]]
    assert span == hit["content"][0]["text"]


def test_the_stage_of_what_is_not_found_is_told_when_asked(corpus):
    ids = corpus.ids
    names = [ids["granite.txt"], f"{ids['oak.txt']}:0", ids["river.txt"], "file-unknown"]
    condition = {"type": "eq", "key": "kind", "value": "rock"}
    asked = {"filters": condition, "max_num_results": 1, "sourcebook": {"why_not": names}}
    page = corpus.post(**asked).json()
    assert "sourcebook" not in page["data"][0]
    stages = [each["stage"] for each in page["sourcebook"]["why_not"]]
    assert stages == ["returned", "filter", "filter", "not_indexed"]
    below = corpus.post(max_num_results=1, sourcebook={"why_not": [ids["basalt.txt"]]}).json()
    (basalt,) = below["sourcebook"]["why_not"]
    assert (basalt["stage"], basalt["rank"], basalt["chunk_ordinal"]) == ("limit", 2, 0)
    assert 0 < basalt["score"] <= basalt["last_score"]
    assert basalt["explanation"]["keyword"]["rank"] == 2
    error = refused(corpus.post(sourcebook={"why_not": ["file-a:b"]}), 400)
    assert error["param"] == "sourcebook.why_not"


def test_hits_are_widened_and_held_to_a_budget_when_asked(service):
    text = "\n\n".join(f"{name} " * 120 for name in ("Granite", "Basalt", "Gneiss", "Slate"))
    store = service.client.vector_stores.create()
    file_id = upload(service, name="rocks.txt", content=text.encode()).id
    static = {"max_chunk_size_tokens": 130, "chunk_overlap_tokens": 0}
    chunking = {"type": "static", "static": static}
    service.client.vector_stores.files.create_and_poll(
        file_id, vector_store_id=store.id, chunking_strategy=chunking
    )

    def texts(**sourcebook):
        path = f"/v1/vector_stores/{store.id}/search"
        body = {"query": "gneiss", "max_num_results": 1, "sourcebook": sourcebook}
        return [
            hit["content"][0]["text"] for hit in service.raw.post(path, json=body).json()["data"]
        ]

    (plain,), (wide,), (short,) = texts(), texts(neighbours=1), texts(max_tokens=10)
    assert "Basalt" not in plain
    assert "Basalt" in wide
    assert "Slate" in wide
    assert plain.startswith(short)
    assert 0 < len(short.split()) <= 10
    for wrong in ({"neighbours": 11}, {"neighbours": -1}, {"max_tokens": 0}):
        path = f"/v1/vector_stores/{store.id}/search"
        error = refused(service.raw.post(path, json={"query": "a", "sourcebook": wrong}), 400)
        assert error["param"] == f"sourcebook.{next(iter(wrong))}"


def test_unknown_extension_key_is_refused(corpus):
    error = refused(corpus.post(sourcebook={"drawn": True}), 400)
    assert (error["code"], error["param"]) == ("unknown_parameter", "sourcebook.drawn")


def test_setting_adds_the_extension_to_every_reply(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", places=True)
    with (
        Engine.open(settings=settings, work=True) as engine,
        serving(engine) as service,
    ):
        some = fill(service, {"granite.txt": DOCUMENTS["granite.txt"]})
        path = f"/v1/vector_stores/{some.store_id}/search"
        body = {"query": "rock", "sourcebook": {}}
        assert "sourcebook" in service.raw.post(path, json=body).json()["data"][0]


def test_empty_store_has_no_hits(service):
    store = service.client.vector_stores.create()
    assert service.client.vector_stores.search(store.id, query="anything").data == []


def test_unknown_store_is_404(service):
    with pytest.raises(openai.NotFoundError, match="No vector store found with id 'vs_none'"):
        service.client.vector_stores.search("vs_none", query="anything")


def test_at_most_fifty_chunks(service):
    sentences = [f"Stone number {n} is grey and old and lies near the river." for n in range(900)]
    sizes = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}
    store = service.client.vector_stores.create()
    file = upload(service, name="stones.txt", content=" ".join(sentences).encode())
    service.client.vector_stores.files.create_and_poll(
        file.id, vector_store_id=store.id, chunking_strategy={"type": "static", "static": sizes}
    )
    found = service.client.vector_stores.search(store.id, query="stone", max_num_results=50)
    assert len(found.data) == 50
    assert len(service.client.vector_stores.search(store.id, query="stone").data) == 10
    with pytest.raises(openai.BadRequestError) as caught:
        service.client.vector_stores.search(store.id, query="stone", max_num_results=51)
    assert caught.value.code == "integer_above_max_value"


@pytest.fixture
def own(service) -> Iterator[Corpus]:
    """A small corpus that a test may change."""
    some = ("granite.txt", "basalt.txt", "oak.txt")
    return fill(service, {name: DOCUMENTS[name] for name in some})


def test_changed_attributes_filter_the_next_search(own):
    wanted = compare("eq", "kind", "metal")
    assert own.names(filters=wanted) == []
    files = own.service.client.vector_stores.files
    files.update(own.ids["oak.txt"], vector_store_id=own.store_id, attributes={"kind": "metal"})
    assert own.names(filters=wanted) == ["oak.txt"]
    assert "oak.txt" not in own.names(filters=compare("eq", "kind", "tree"))


def test_detached_file_is_not_found_by_the_next_search(own):
    assert own.names()[0] == "granite.txt"
    own.service.client.vector_stores.files.delete(
        own.ids["granite.txt"], vector_store_id=own.store_id
    )
    assert "granite.txt" not in own.names(max_num_results=50)


def test_deleted_file_is_not_found_by_the_next_search(own):
    own.service.client.files.delete(own.ids["basalt.txt"])
    assert "basalt.txt" not in own.names(max_num_results=50)


def test_attached_file_is_found_once_it_is_completed(own):
    file = upload(own.service, name="marble.txt", content=b"Marble is a polished white stone.")
    own.service.client.vector_stores.files.create_and_poll(file.id, vector_store_id=own.store_id)
    assert own.names("polished white marble")[0] == "marble.txt"


def test_searching_renews_activity(own):
    before = own.service.client.vector_stores.retrieve(own.store_id).last_active_at
    own.search()
    assert own.service.client.vector_stores.retrieve(own.store_id).last_active_at >= before
