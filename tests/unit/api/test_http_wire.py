"""Request bodies: what is taken, and the words in which the rest is refused."""

from __future__ import annotations

import pytest

from api.wire.search import MAX_QUERIES, SearchRequest
from api.wire.sourcebook import Wanted, hit_extension, wanted
from api.wire.validation import parse
from api.wire.vector_stores import (
    AttachFile,
    CreateBatch,
    CreateVectorStore,
    UpdateAttributes,
    UpdateVectorStore,
)
from retrieval.errors import InvalidRequest
from retrieval.queries import Explanation, Hit, HybridWeights, LegScore
from retrieval.types import UNSET, ChunkingStrategy, Place


def refused(model, body):
    with pytest.raises(InvalidRequest) as caught:
        parse(model, body)
    return caught.value.code, caught.value.param, str(caught.value)


STATIC = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 0}}
SIZES = "chunking_strategy.static"


def with_sizes(size, overlap):
    sizes = {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}
    return {"file_id": "file-a", "chunking_strategy": {"type": "static", "static": sizes}}


REFUSED = [
    (AttachFile, {}, "missing_required_parameter", "file_id", "Missing required parameter: 'file_id'."),
    (AttachFile, {"file_id": "file-a", "x": 1}, "unknown_parameter", "x", "Unknown parameter: 'x'."),
    (
        AttachFile,
        {"file_id": 5},
        "invalid_type",
        "file_id",
        "Invalid type for 'file_id': expected a string, but got an integer instead.",
    ),
    (
        AttachFile,
        {"file_id": None},
        "invalid_type",
        "file_id",
        "Invalid type for 'file_id': expected a string, but got null instead.",
    ),
    (
        AttachFile,
        {"file_id": ""},
        "empty_string",
        "file_id",
        ("Invalid 'file_id': empty string. Expected a string with minimum length 1, "
        "but got an empty string instead."),
    ),
    (
        AttachFile,
        {"file_id": "vs_1"},
        "invalid_value",
        "file_id",
        "Invalid 'file_id': 'vs_1'. Expected an ID that begins with 'file-'.",
    ),
    (
        AttachFile,
        {"file_id": "file-ä"},
        "invalid_value",
        "file_id",
        ("Invalid 'file_id': 'file-ä'. Expected an ID that contains letters, numbers, underscores, "
        "or dashes, but this value contained additional characters."),
    ),
    (
        CreateVectorStore,
        {"file_ids": "file-a"},
        "invalid_type",
        "file_ids",
        "Invalid type for 'file_ids': expected an array of strings, but got a string instead.",
    ),
    (
        CreateVectorStore,
        {"file_ids": ["file-a"] * 501},
        "array_above_max_length",
        "file_ids",
        ("Invalid 'file_ids': array too long. Expected an array with maximum length 500, "
        "but got an array with length 501 instead."),
    ),
    (
        CreateVectorStore,
        {"file_ids": ["file-a", 3]},
        "invalid_type",
        "file_ids[1]",
        "Invalid type for 'file_ids[1]': expected a string, but got an integer instead.",
    ),
    (CreateVectorStore, {"expires_after": {"anchor": "x", "days": 1}}, "invalid_value", "expires_after.anchor", "Invalid value: 'x'. Supported values are: 'last_active_at'."),
    (CreateVectorStore, {"expires_after": {"anchor": "last_active_at", "days": 0}}, "integer_below_min_value", "expires_after.days", "Invalid 'expires_after.days': integer below minimum value. Expected a value >= 1, but got 0 instead."),
    (CreateVectorStore, {"expires_after": {"anchor": "last_active_at", "days": True}}, "invalid_type", "expires_after.days", "Invalid type for 'expires_after.days': expected an integer, but got a boolean instead."),
    (CreateVectorStore, {"expires_after": {"anchor": "last_active_at", "days": 1.0}}, "invalid_type", "expires_after.days", "Invalid type for 'expires_after.days': expected an integer, but got a decimal number instead."),
    (CreateVectorStore, {"expires_after": []}, "invalid_type", "expires_after", "Invalid type for 'expires_after': expected an object, but got an array instead."),
    (CreateVectorStore, {"metadata": {"k": 1}}, "invalid_type", "metadata.k", "Invalid type for 'metadata.k': expected a string, but got an integer instead."),
    (CreateVectorStore, {"metadata": {str(n): "" for n in range(17)}}, "object_above_max_properties", "metadata", "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with 17 properties instead."),
    (CreateVectorStore, {"metadata": {"k": "x" * 513}}, "string_above_max_length", "metadata.k", "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got a string with length 513 instead."),
    (UpdateAttributes, {}, "missing_required_parameter", "attributes", "Missing required parameter: 'attributes'."),
    (UpdateAttributes, {"attributes": {"k": None}}, "invalid_type", "attributes.k", "Invalid type for 'attributes.k': expected a string, a number or a boolean, but got null instead."),
    (UpdateAttributes, {"attributes": {"k": []}}, "invalid_type", "attributes.k", None),
    (UpdateAttributes, {"attributes": {"k": 10**400}}, "invalid_value", "attributes.k", None),
    (UpdateAttributes, {"attributes": {"k" * 65: 1}}, "string_above_max_length", None, None),
    (CreateBatch, {}, "missing_required_parameter", "file_ids", "Missing required parameter: 'file_ids'."),
    (CreateBatch, {"file_ids": ["file-a"], "files": [{"file_id": "file-a"}]}, "invalid_value", "files", None),
    (CreateBatch, {"file_ids": []}, "empty_array", "file_ids", None),
    (CreateBatch, {"file_ids": ["file-a"] * 2001}, "array_above_max_length", "file_ids", None),
    (CreateBatch, {"files": "x"}, "invalid_type", "files", "Invalid type for 'files': expected an array of objects, but got a string instead."),
    (CreateBatch, {"files": [{}]}, "missing_required_parameter", "files[0].file_id", None),
    (CreateBatch, {"files": [{"file_id": "file-a", "attributes": {"k": None}}]}, "invalid_type", "files[0].attributes.k", None),
    (AttachFile, {"file_id": "file-a", "chunking_strategy": {"type": "other"}}, "invalid_value", "chunking_strategy.type", "Invalid value: 'other'. Supported values are: 'auto' and 'static'."),
    (AttachFile, {"file_id": "file-a", "chunking_strategy": {"type": "static"}}, "missing_required_parameter", SIZES, None),
    (AttachFile, {"file_id": "file-a", "chunking_strategy": {"type": "static", "static": {}}}, "missing_required_parameter", f"{SIZES}.max_chunk_size_tokens", None),
    (AttachFile, {"file_id": "file-a", "chunking_strategy": {**STATIC, "type": "auto"}}, "unknown_parameter", SIZES, None),
    (AttachFile, with_sizes(99, 0), "integer_below_min_value", f"{SIZES}.max_chunk_size_tokens", None),
    (AttachFile, with_sizes(4097, 0), "integer_above_max_value", f"{SIZES}.max_chunk_size_tokens", None),
    (AttachFile, with_sizes(101, 51), "integer_above_max_value", f"{SIZES}.chunk_overlap_tokens", None),
    (SearchRequest, {}, "missing_required_parameter", "query", None),
    (SearchRequest, {"query": ""}, "empty_string", "query", None),
    (SearchRequest, {"query": " \n"}, "empty_string", "query", None),
    (SearchRequest, {"query": []}, "empty_array", "query", None),
    (SearchRequest, {"query": ["a", ""]}, "empty_string", "query[1]", None),
    (SearchRequest, {"query": ["a", 1]}, "invalid_type", "query[1]", None),
    (SearchRequest, {"query": None}, "invalid_type", "query", "Invalid type for 'query': expected a string or an array of strings, but got null instead."),
    (SearchRequest, {"query": ["a"] * (MAX_QUERIES + 1)}, "array_above_max_length", "query", None),
    (SearchRequest, {"query": "a", "max_num_results": 60}, "integer_above_max_value", "max_num_results", "Invalid 'max_num_results': integer above maximum value. Expected a value <= 50, but got 60 instead."),
    (SearchRequest, {"query": "a", "max_num_results": 0}, "integer_below_min_value", "max_num_results", None),
    (SearchRequest, {"query": "a", "rewrite_query": 1}, "invalid_type", "rewrite_query", None),
    (SearchRequest, {"query": "a", "ranking_options": {"ranker": "best"}}, "invalid_value", "ranking_options.ranker", None),
    (SearchRequest, {"query": "a", "ranking_options": {"ranker": 1}}, "invalid_type", "ranking_options.ranker", None),
    (SearchRequest, {"query": "a", "ranking_options": {"score_threshold": 1.5}}, "decimal_above_max_value", "ranking_options.score_threshold", "Invalid 'ranking_options.score_threshold': decimal above maximum value. Expected a value <= 1, but got 1.5 instead."),
    (SearchRequest, {"query": "a", "ranking_options": {"score_threshold": -1}}, "decimal_below_min_value", "ranking_options.score_threshold", None),
    (SearchRequest, {"query": "a", "ranking_options": {"score_threshold": True}}, "invalid_type", "ranking_options.score_threshold", None),
    (SearchRequest, {"query": "a", "ranking_options": {"hybrid_search": {"embedding_weight": 0, "text_weight": 0}}}, "invalid_value", "ranking_options.hybrid_search", None),
    (SearchRequest, {"query": "a", "ranking_options": {"hybrid_search": {"embedding_weight": -1, "text_weight": 1}}}, "decimal_below_min_value", "ranking_options.hybrid_search.embedding_weight", None),
    (SearchRequest, {"query": "a", "ranking_options": {"hybrid_search": {"text_weight": 1}}}, "missing_required_parameter", "ranking_options.hybrid_search.embedding_weight", None),
    (SearchRequest, {"query": "a", "filters": {"type": "eq"}, "filter": {"type": "eq"}}, "invalid_value", "filter", None),
    (SearchRequest, {"query": "a", "sourcebook": {"page": True}}, "unknown_parameter", "sourcebook.page", None),
    (SearchRequest, {"query": "a", "sourcebook": {"places": 1}}, "invalid_type", "sourcebook.places", None),
]  # fmt: skip


@pytest.mark.parametrize(("model", "body", "code", "param", "message"), REFUSED)
def test_what_is_wrong_is_named_by_code_path_and_words(model, body, code, param, message):
    got_code, got_param, got_message = refused(model, body)
    assert got_code == code
    assert param is None or got_param == param
    assert message is None or got_message == message


def test_nulls_everywhere_are_absences():
    given = dict.fromkeys(CreateVectorStore.model_fields)
    assert parse(CreateVectorStore, given).arguments() == parse(CreateVectorStore, {}).arguments()
    search = {**dict.fromkeys(SearchRequest.model_fields), "query": "a"}
    assert (
        parse(SearchRequest, search).to_query() == parse(SearchRequest, {"query": "a"}).to_query()
    )


def test_update_tells_null_from_absent():
    absent = {"name": UNSET, "expires_after_days": UNSET, "metadata": UNSET}
    assert parse(UpdateVectorStore, {}).arguments() == absent
    nulls = {"name": None, "expires_after": None, "metadata": None}
    cleared = {"name": None, "expires_after_days": None, "metadata": {}}
    assert parse(UpdateVectorStore, nulls).arguments() == cleared


def test_flat_and_nested_static_chunking_are_the_same():
    flat = {"type": "static", "max_chunk_size_tokens": 200, "chunk_overlap_tokens": 0}
    for given in (STATIC, flat, {**flat, "static": None}):
        body = {"file_id": "file-a", "chunking_strategy": given}
        assert parse(AttachFile, body).member().chunking == ChunkingStrategy(200, 0)


def test_auto_chunking_is_the_default():
    body = {"file_id": "file-a", "chunking_strategy": {"type": "auto"}}
    assert parse(AttachFile, body).member().chunking == ChunkingStrategy()


def test_attributes_keep_their_json_types():
    given = {"a": True, "b": 1, "c": 1.0, "d": "1"}
    kept = parse(UpdateAttributes, {"attributes": given}).attributes
    assert [type(value) for value in kept.values()] == [bool, int, float, str]


def test_batch_members_share_the_top_level_options_only_under_file_ids():
    shared = {"attributes": {"k": 1}, "chunking_strategy": STATIC}
    by_ids = parse(CreateBatch, {"file_ids": ["file-a", "file-b"], **shared}).members()
    assert [(m.file_id, m.attributes, m.chunking) for m in by_ids] == [
        ("file-a", {"k": 1}, ChunkingStrategy(200, 0)),
        ("file-b", {"k": 1}, ChunkingStrategy(200, 0)),
    ]
    by_files = parse(CreateBatch, {"files": [{"file_id": "file-a"}], **shared}).members()
    assert [(m.attributes, m.chunking) for m in by_files] == [({}, ChunkingStrategy())]


def test_search_defaults():
    query = parse(SearchRequest, {"query": "a"}).to_query()
    assert (query.texts, query.limit, query.min_score) == (("a",), 10, 0.0)
    assert (query.ranker, query.weights, query.rewrite, query.filter) == (
        "auto",
        None,
        False,
        None,
    )


@pytest.mark.parametrize("name", ["auto", "default-2024-08-21", "default_2024_08_21"])
def test_old_rankers_are_auto(name):
    body = {"query": "a", "ranking_options": {"ranker": name}}
    assert parse(SearchRequest, body).to_query().ranker == "auto"


@pytest.mark.parametrize("prefix", ["", "rrf_"])
def test_hybrid_weights_under_both_names(prefix):
    weights = {f"{prefix}embedding_weight": 2, f"{prefix}text_weight": 0.5}
    body = {"query": "a", "ranking_options": {"hybrid_search": weights}}
    assert parse(SearchRequest, body).to_query().weights == HybridWeights(2.0, 0.5)


@pytest.mark.parametrize("name", ["filters", "filter", "attribute_filter"])
def test_filters_under_all_names(name):
    condition = {"type": "eq", "key": "year", "value": 2024}
    query = parse(SearchRequest, {"query": "a", name: condition}).to_query()
    assert query.filter is not None
    assert query == parse(SearchRequest, {"query": "a", "filters": condition}).to_query()


HIT = Hit(
    vector_store_id="vs_1",
    file_id="file-1",
    filename="a.pdf",
    attributes={},
    chunk_ordinal=2,
    text="text",
    score=0.5,
    start_char=10,
    end_char=14,
    place=Place(first_page=3, last_page=4),
    heading_path=("One", "Two"),
    explanation=Explanation(
        "open",
        LegScore(1, 0.7),
        LegScore(None, 0.0),
        0.4,
        "query",
        features={"phrase": 1.0},
        weights={"phrase": 0.25},
    ),
)


def test_extension_is_absent_unless_asked_for():
    assert hit_extension(HIT, wanted(None, always=False)) is None


def test_extension_holds_place_span_and_headings():
    assert hit_extension(HIT, wanted(Wanted(places=True), always=False)) == {
        "id": "file-1:2",
        "first_page": 3,
        "last_page": 4,
        "start_char": 10,
        "end_char": 14,
        "heading_path": ["One", "Two"],
    }


def test_extension_explains_both_legs():
    found = hit_extension(HIT, wanted(Wanted(explain=True), always=False))
    assert found == {
        "id": "file-1:2",
        "explanation": {
            "plan": "open",
            "dense": {"rank": 1, "score": 0.7},
            "keyword": {"rank": None, "score": 0.0},
            "fused": 0.4,
            "query": "query",
            "features": {"phrase": 1.0},
            "weights": {"phrase": 0.25},
            "reranker": None,
        },
    }


def test_setting_turns_the_extension_on_and_a_request_off_again():
    assert wanted(None, always=True) == Wanted(places=True, boxes=False, explain=True)
    off = wanted(Wanted(places=False), always=True)
    assert off == Wanted(places=False, boxes=False, explain=True)
