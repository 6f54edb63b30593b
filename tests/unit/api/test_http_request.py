"""Bodies, query parameters and form headers before any model sees them."""

from __future__ import annotations

import pytest

from api.pages import page_request, status_filter, wants_places
from api.request import parse_object
from api.routes.multipart import plain_filename
from api.routes.page import content_policy
from api.wire.files import check_purpose, expiry_s
from retrieval.errors import InvalidRequest
from retrieval.types import PageRequest


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", None),
        (b'{"a": NaN}', None),
        (b'{"a": -Infinity}', None),
        (b"\xff", None),
        (b'{"a": "\\ud800"}', None),
        (b"[" * 100_000, None),
        (b'{"a": ' + b"9" * 5000 + b"}", None),
        (b"[]", "invalid_type"),
        (b"1", "invalid_type"),
    ],
)
def test_what_is_not_a_json_object_is_refused(raw, code):
    with pytest.raises(InvalidRequest) as caught:
        parse_object(raw)
    assert (caught.value.code, caught.value.param) == (code, None)


def test_syntax_errors_say_where():
    with pytest.raises(InvalidRequest, match="line 2 column 3"):
        parse_object(b'{"a": 1,\n  x}')


def test_whole_surrogate_pairs_and_byte_order_marks_are_fine():
    assert parse_object(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_page_defaults():
    assert page_request({}) == PageRequest(limit=20, order="desc", after=None, before=None)
    assert page_request({"limit": "", "after": ""}) == page_request({})


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({"limit": "0"}, "integer_below_min_value", "limit"),
        ({"limit": "101"}, "integer_above_max_value", "limit"),
        ({"limit": "ten"}, "invalid_type", "limit"),
        ({"limit": "1.5"}, "invalid_type", "limit"),
        ({"limit": "1_0"}, "invalid_type", "limit"),
        ({"order": "up"}, "invalid_value", "order"),
        ({"after": "a b"}, "invalid_value", "after"),
        ({"before": "ä"}, "invalid_value", "before"),
    ],
)
def test_bad_list_parameters_are_refused(query, code, param):
    with pytest.raises(InvalidRequest) as caught:
        page_request(query)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_files_take_larger_pages_and_no_before():
    page = page_request({"before": "x"}, default_limit=10_000, max_limit=10_000, has_before=False)
    assert page == PageRequest(limit=10_000)


def test_status_filter():
    assert status_filter({}) is None
    assert status_filter({"filter": "failed"}) == "failed"
    with pytest.raises(InvalidRequest, match="'in_progress', 'completed', 'failed', and"):
        status_filter({"filter": "done"})


def test_places_by_query_parameter():
    assert wants_places({"sourcebook": "places"})
    assert not wants_places({})
    with pytest.raises(InvalidRequest):
        wants_places({"sourcebook": "all"})


def test_bad_purpose_is_worded_as_the_files_service_words_it():
    with pytest.raises(InvalidRequest) as caught:
        check_purpose("x")
    assert str(caught.value) == (
        "'x' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] "
        "- 'purpose'"
    )
    assert (caught.value.param, caught.value.code) == ("purpose", None)


def test_expiry_needs_both_fields():
    assert expiry_s(None, None) is None
    assert expiry_s("created_at", "3600") == 3600


@pytest.mark.parametrize(
    ("anchor", "seconds", "code", "param"),
    [
        (None, "3600", "missing_required_parameter", "expires_after.anchor"),
        ("created_at", None, "missing_required_parameter", "expires_after.seconds"),
        ("now", "3600", "invalid_value", "expires_after.anchor"),
        ("created_at", "3599", "integer_below_min_value", "expires_after.seconds"),
        ("created_at", "2592001", "integer_above_max_value", "expires_after.seconds"),
        ("created_at", "1h", "invalid_type", "expires_after.seconds"),
    ],
)
def test_bad_expiry_is_refused(anchor, seconds, code, param):
    with pytest.raises(InvalidRequest) as caught:
        expiry_s(anchor, seconds)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_large_bounds_are_written_out():
    with pytest.raises(InvalidRequest, match="Expected a value <= 2592000, but got 2592001"):
        expiry_s("created_at", "2592001")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (b'form-data; name="file"; filename="a.txt"', b'form-data; name="file"; filename="a.txt"'),
        (
            b'form-data; name="file"; filename="?.txt"; filename*=utf-8\'\'%E4%BD%A0.txt',
            'form-data; name="file"; filename="你.txt"'.encode(),
        ),
        (
            b"form-data; filename*=UTF-8'en'%22a%22.txt; name=file",
            b'form-data; name=file; filename="%22a%22.txt"',
        ),
        (
            b"form-data; name=file; filename=x; filename*=no-such-charset''a",
            b"form-data; name=file; filename=x; filename*=no-such-charset''a",
        ),
    ],
)
def test_extended_filenames_override_plain_ones(given, wanted):
    assert plain_filename(given) == wanted


def test_page_policy_names_the_script_by_its_hash():
    policy = content_policy("<style>a</style><script>b</script>")
    # printf b | openssl dgst -sha256 -binary | base64
    assert "script-src 'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='" in policy
    assert "unsafe" not in policy
