"""The pure parts of a response: truncation, compaction, filled schemas, checked schemas."""

from __future__ import annotations

import json

import pytest

from api.answer.chat import Reply
from api.answer.compaction import KEPT_TOKENS, compacted, unpacked
from api.answer.failures import UpstreamFailed
from api.answer.fill import check_fillable, filled
from api.answer.schema import check_answer, check_schema
from api.answer.truncate import within_context
from api.answer.types import (
    Cited,
    Extension,
    FunctionCall,
    FunctionResult,
    Sampling,
    Task,
    Turn,
)
from retrieval.errors import InvalidRequest
from retrieval.queries import Citation
from retrieval.types import Place

RULE = Turn("system", "r r")
OLD = Turn("user", "o o o")
CALL = FunctionCall("c", "f", "a a")
RESULT = FunctionResult("c", "b b")
NOW = Turn("user", "n n")


def words(text):
    return len(text.split())


def cut(room, turns, *, truncate=True):
    return within_context(turns, room=room, count_tokens=words, truncate=truncate)


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (11, (RULE, OLD, CALL, RESULT, NOW)),
        (10, (RULE, CALL, RESULT, NOW)),
        (8, (RULE, CALL, RESULT, NOW)),
        (7, (RULE, NOW)),  # a call goes with its result
        (4, (RULE, NOW)),
    ],
)
def test_the_oldest_go_first_and_calls_go_whole(room, kept):
    assert cut(room, (RULE, OLD, CALL, RESULT, NOW)) == kept


def test_what_cannot_be_dropped_is_refused():
    with pytest.raises(InvalidRequest, match="4 tokens, where 3"):
        cut(3, (RULE, OLD, NOW))
    with pytest.raises(InvalidRequest, match="context window"):
        cut(6, (RULE, OLD, NOW), truncate=False)
    assert cut(6, (OLD, NOW, CALL, RESULT)) == (NOW, CALL, RESULT)  # what follows it stays


def test_compaction_keeps_the_newest_that_fit():
    turns = [RULE, *[Turn("user", "w " * (KEPT_TOKENS // 3)) for _ in range(5)], CALL, RESULT, NOW]
    item, n_tokens = compacted(turns, count_tokens=words)
    kept = unpacked(item)
    assert [turn.role for turn in kept] == ["system", *["user"] * 4]  # NOW and three that just fit
    assert kept[-1] == NOW
    assert n_tokens == sum(words(turn.text) for turn in kept)


@pytest.mark.parametrize("content", ["", "AAAA", "é", "eJyLjlYqLU4tUtJRMjY2VoqNBQAkQgRj"])
def test_foreign_compactions_are_refused(content):
    with pytest.raises(InvalidRequest):
        unpacked({"type": "compaction", "encrypted_content": content})


# --- schemas ------------------------------------------------------------------------------


def quote(text):
    return Citation(
        hit_id="h", file_id="file-1", filename="a.txt", quote=text,
        start_char=0, end_char=len(text), place=Place(), score=1.0,
    )  # fmt: skip


def fill(properties, *quotes):
    schema = {"type": "object", "properties": properties}
    task = Task(
        question="q", turns=(), instructions=None, can_search=True,
        text_format={"type": "json_schema", "name": "n", "schema": schema},
        sampling=Sampling(), extension=Extension(),
    )  # fmt: skip
    check_fillable(schema)
    pieces = list(filled(task, (), select=lambda _question, _hits: tuple(map(quote, quotes))))
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    return json.loads(text), text, [piece for piece in pieces if isinstance(piece, Cited)]


def test_strings_and_arrays_are_quotes_with_citations():
    found, text, cited = fill(
        {"one": {"type": "string"}, "in": {"type": "object", "properties": {
            "all": {"type": "array", "items": {"type": "string"}}}}},
        'He said "no".', "Yes.",
    )  # fmt: skip
    assert found == {"one": 'He said "no".', "in": {"all": ['He said "no".', "Yes."]}}
    assert [text[each.index] for each in cited] == ['"'] * 3


@pytest.mark.parametrize(
    ("kind", "quoted", "number"),
    [
        ("number", "It is 3.5 km.", 3.5),
        ("integer", "It is 3.5 km or 3,500 m.", 3500),
        ("number", "At -007.5 degrees", -7.5),
        ("integer", "In B12 there are 12.", 12),
        (["integer", "null"], "None at all.", None),
    ],
)
def test_numbers_stand_in_the_text(kind, quoted, number):
    assert fill({"a": {"type": kind}}, quoted)[0] == {"a": number}


def test_nothing_found_is_empty_or_null():
    assert fill({"a": {"type": "string"}, "b": {"type": ["string", "null"]}})[0] == {
        "a": "", "b": None,
    }  # fmt: skip
    with pytest.raises(InvalidRequest, match="no number"):
        fill({"a": {"type": "number"}})


def test_answers_are_held_to_strict_schemas_only():
    shape = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    check_schema(shape, name="n")
    strict = {"type": "json_schema", "name": "n", "schema": shape, "strict": True}
    check_answer('{"a": 1}', strict)
    check_answer("anything", {**strict, "strict": False})
    for wrong in ("", "[1]", '{"a": "1"}', "{}"):
        with pytest.raises(UpstreamFailed):
            check_answer(wrong, strict)


def test_calls_come_together_from_their_pieces():
    reply = Reply()
    for piece in (
        {"index": 1, "id": "y", "function": {"name": "g", "arguments": ""}},
        {"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
    ):
        choice = {"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}
        assert list(reply.note({"choices": [choice]})) == []
    assert reply.calls == [FunctionCall("x", "f", '{"a": 1}'), FunctionCall("y", "g", "{}")]
