"""Chunks of real filings stand on the pages that they name, by another reader's word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.quality import page_places

MIN_RIGHT = 0.99


@pytest.fixture(scope="module")
def filings() -> Path:
    folder = Path(os.environ.get("SOURCEBOOK_JUDGED_SETS", "")) / "financebench"
    if not (folder / "corpus.jsonl").exists() or not (folder / "pdfs").is_dir():
        pytest.skip("no filings here: SOURCEBOOK_JUDGED_SETS names no folder with financebench")
    return folder


def test_each_page_has_its_share_of_every_chunk(filings):
    judged = list(page_places.judge_folder(filings))
    print(page_places.summary(judged))
    wrong = [each for each in judged if not each.is_right]
    assert len(wrong) <= (1 - MIN_RIGHT) * len(judged), wrong[:10]
    assert all(each.is_exact for each in judged)
