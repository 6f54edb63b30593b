"""Every file of a parser test collection ends as the committed snapshot says.

Runs where the collection is, see `tests.quality.parse_files`. What the collection marks as needing
a password or broken has to fail; what is whole has to give its texts.
"""

from __future__ import annotations

import pytest

from ingest.parse import ocr
from tests.quality import parse_files

MIN_SHARE_FOUND = 0.98  # of the texts expected in files that are whole


@pytest.fixture(scope="module")
def found() -> list[parse_files.Outcome]:
    collection = parse_files.folder()
    if ocr.is_installed():
        pytest.skip("the snapshot is of an installation without the extra 'ocr'")
    if collection is None:
        pytest.skip("no collection of parser tests here: SOURCEBOOK_PARSE_FILES names none")
    return list(parse_files.outcomes(collection))


def test_outcomes_are_those_of_the_snapshot(found: list[parse_files.Outcome]) -> None:
    assert parse_files.changes(parse_files.snapshot(), found) == []


def test_snapshot_holds_what_was_asked_for() -> None:
    kept = parse_files.snapshot()
    assert len(kept) == 309
    scope = [outcome for outcome in kept if parse_files.in_scope(outcome)]
    texts = sum(outcome["found"] for outcome in scope)
    assert texts >= MIN_SHARE_FOUND * sum(outcome["expected"] for outcome in scope)
    for outcome in kept:
        if outcome.get("needs_password") or outcome.get("broken"):
            assert outcome.get("may_fail") or outcome["status"] == "failed", outcome["file"]
        if outcome["status"] == "failed":
            assert outcome["message"]
