"""The table covers the whole tree, and words things as the hosted service does."""

from __future__ import annotations

import inspect

import pytest

from api.errors import TABLE, error_reply
from retrieval import errors
from retrieval.errors import (
    Conflict,
    CorruptStore,
    Encrypted,
    FileSearchError,
    InvalidRequest,
    NotFound,
    StoreBusy,
    TooLarge,
)


def test_every_leaf_of_the_tree_is_in_the_table():
    own = {cls for _, cls in inspect.getmembers(errors, inspect.isclass)}
    leaves = [  # of this tree: a subclass elsewhere makes none of them a branch
        cls
        for cls in own
        if issubclass(cls, FileSearchError) and own.isdisjoint(cls.__subclasses__())
    ]
    assert len(leaves) >= 14
    assert [leaf.__name__ for leaf in leaves if leaf not in TABLE] == []


@pytest.mark.parametrize(
    ("exc", "message", "param"),
    [
        (NotFound("file", "file-x"), "No such File object: file-x", "id"),
        (NotFound("vector_store", "vs_x"), "No vector store found with id 'vs_x'.", None),
        (
            NotFound("vector_store_file", "file-x", within="vs_x"),
            "No file found with id 'file-x' in vector store 'vs_x'.",
            None,
        ),
        (NotFound("batch", "vsfb_x"), "No such FileBatch object: vsfb_x", "id"),
        (NotFound("response", "resp_x"), "Response with id 'resp_x' not found.", None),
        (NotFound("model", "m"), "The model 'm' does not exist", None),
    ],
)
def test_not_found_is_worded_by_kind(exc, message, param):
    reply = error_reply(exc)
    assert reply.status == 404
    assert reply.body() == {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": None,
        }
    }


def test_an_id_with_braces_is_not_a_format_string():
    assert "{0}" in error_reply(NotFound("model", "{0}")).message


def test_invalid_request_keeps_its_field_and_code():
    reply = error_reply(InvalidRequest("No.", param="a.b", code="invalid_value"))
    assert (reply.status, reply.param, reply.code) == (400, "a.b", "invalid_value")


def test_too_large_is_413():
    assert error_reply(TooLarge("File", limit=1, got=2)).status == 413


def test_expired_store_is_worded_as_hosted():
    reply = error_reply(Conflict("vector_store", "vs_x", state="expired"))
    assert (reply.status, reply.message) == (400, "Vector store 'vs_x' has expired.")


def test_conflict_is_never_409_which_sdks_would_retry():
    assert error_reply(Conflict("upload", "upload_x", state="completed")).status == 400


def test_unavailable_says_when_to_come_back():
    reply = error_reply(StoreBusy("busy", retry_after_s=2.5))
    assert reply.status == 503
    assert reply.headers == {"retry-after": "2.5", "retry-after-ms": "2500"}


def test_failed_file_keeps_its_code():
    reply = error_reply(Encrypted("Save a copy without its password."))
    assert (reply.status, reply.code) == (400, "invalid_file")


def test_operator_errors_do_not_show_paths():
    reply = error_reply(CorruptStore("secret/path", expected="a", found="b"))
    assert reply.status == 500
    assert "secret" not in reply.message


def test_foreign_errors_show_nothing():
    reply = error_reply(KeyError("secret"))
    assert (reply.status, reply.type) == (500, "server_error")
    assert "secret" not in str(reply.body())
