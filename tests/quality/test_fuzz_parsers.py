"""Damaged files end: with text or with a reason, soon, and the next file is read as before."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ingest.sandbox import Sandbox
from tests.quality import fuzz_parsers, parse_files

CORPUS = Path(__file__).parents[2] / "sample_corpus" / "files"
TIMES = 200
MAX_S = 30.0  # twice the limit of the sandbox: a busy machine also starts a child slowly


def test_damaged_files_crash_nothing_and_end():
    folders = [folder for folder in (CORPUS, parse_files.folder()) if folder]
    paths = [path for folder in folders for path in fuzz_parsers.files_of(folder)]
    ended = list(fuzz_parsers.fuzz(paths, times=TIMES, seed=11))
    assert len(ended) == TIMES
    assert max(each.seconds for each in ended) < MAX_S
    assert {each.how for each in ended} <= {
        "completed", "Unreadable", "NoText", "Encrypted", "UnsupportedFile", "OverBudget",
    }  # fmt: skip
    print("fuzz:", Counter(each.how for each in ended))


def test_a_crash_costs_one_file(tmp_path):
    path = tmp_path / "blob"
    with Sandbox() as sandbox:
        for damaged in fuzz_parsers.fuzz(sorted(CORPUS.iterdir())[:4], times=8, seed=3):
            assert damaged.seconds < MAX_S
        path.write_text("still here")
        assert sandbox.parse(path, filename="a.txt").text == "still here"
