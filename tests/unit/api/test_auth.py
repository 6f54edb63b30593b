"""When a key is demanded, as a table."""

import pytest

from api.auth import demands_key, hostname, is_loopback, masked
from api.settings import Settings


@pytest.mark.parametrize(
    ("host", "is_open", "n_valid", "n_revoked", "expected"),
    [
        ("127.0.0.1", False, 0, 0, False),  # as installed
        ("127.0.0.1", False, 1, 0, True),
        ("127.0.0.1", False, 0, 1, True),  # never falls open
        ("127.0.0.1", True, 0, 1, False),  # unless it is meant
        ("127.0.0.1", True, 1, 0, True),
        ("0.0.0.0", False, 0, 0, True),
        ("0.0.0.0", True, 0, 0, False),
        ("0.0.0.0", True, 1, 1, True),
    ],
)
def test_when_a_key_is_demanded(host, is_open, n_valid, n_revoked, expected):
    settings = Settings(host=host, open=is_open)
    assert demands_key(settings, n_valid=n_valid, n_revoked=n_revoked) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)  # fmt: skip
def test_which_addresses_only_this_machine_reaches(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", ""), ("[::1]", "::1"), ("[::1]:80", "::1"), ("a.b:", "a.b"), ("[", ""), (":80", "")],
)
def test_the_name_in_a_host_header(header, expected):
    assert hostname(header) == expected


@pytest.mark.parametrize("key", ["", "a", "sk-sb-", "sk-sb-abc", "ü" * 40])
def test_a_short_or_strange_key_is_not_shown(key):
    assert masked(key) in {"***", "sk-sb-***"}
