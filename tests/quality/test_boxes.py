"""Under the boxes of a passage stands the passage, by another reader's word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.sandbox import Sandbox

pytest.importorskip(
    "pdfminer", reason="pdfminer.six, who reads what is under the boxes, is not here"
)

from tests.quality import boxes_check, parse_files

MIN_EQUAL = 0.99


def folders() -> list[Path]:
    filings = Path(os.environ.get("SOURCEBOOK_JUDGED_SETS", "")) / "financebench" / "pdfs"
    collection = parse_files.folder()
    return [folder for folder in (filings, collection) if folder and folder.is_dir()]


@pytest.mark.filterwarnings("ignore")  # of pdfminer, about damage in the collection
def test_text_under_the_boxes_is_the_passage():
    if not (found := folders()):
        pytest.skip("no PDFs here: neither filings nor a collection of parser tests")
    with Sandbox() as sandbox:
        checked = [
            each
            for folder in found
            for path in sorted(folder.rglob("*.pdf"))
            for each in boxes_check.check(path, sandbox, n_pages=3)
            if each.is_witnessed
        ]
    wrong = [each for each in checked if not each.is_equal]
    print(f"boxes: {len(checked) - len(wrong)} of {len(checked)} passages equal")
    assert len(checked) > 500
    assert len(wrong) <= (1 - MIN_EQUAL) * len(checked), wrong[:10]
