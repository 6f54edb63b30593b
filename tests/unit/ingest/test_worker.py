"""Retry is a pure decision."""

import pytest

from ingest.failures import MAX_FAILURES, GiveUp, Retry, decide
from retrieval.errors import (
    Encrypted,
    IncompatibleStore,
    ModelUnavailable,
    StoreBusy,
    UnsupportedFile,
)


@pytest.mark.parametrize(
    ("failures", "delay_s"),
    [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0)],  # 1 · 2^(failures - 1)
)
def test_an_unknown_error_is_tried_again_ever_later(failures, delay_s):
    assert decide(RuntimeError("x"), failures=failures) == Retry(delay_s)


def test_after_the_last_failure_the_file_fails_with_the_reason():
    decision = decide(RuntimeError("disk on fire"), failures=MAX_FAILURES)
    assert isinstance(decision, GiveUp)
    assert decision.code == "server_error"
    assert "disk on fire" in decision.message


def test_a_failure_that_knows_its_delay_is_obeyed():
    assert decide(ModelUnavailable("busy", retry_after_s=7.5), failures=1) == Retry(7.5)
    assert decide(StoreBusy("busy"), failures=1) == Retry(1.0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Encrypted("Save it without a password."), "invalid_file"),
        (UnsupportedFile("image/png", advice="Run OCR."), "unsupported_file"),
        (IncompatibleStore("the model", found="a", supported="b"), "server_error"),
    ],
)
def test_what_cannot_pass_is_not_tried_again(error, code):
    assert decide(error, failures=1) == GiveUp(code, str(error))
