"""What `sourcebook tune` keeps, and what follows from its timings."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval import tuning
from retrieval.crossover import Timing, crossing
from retrieval.plan import DEFAULT, Tuning, plan


def test_saved_tuning_is_read_back(tmp_path: Path) -> None:
    kept = Tuning(gather_windows=123, coded_windows=4567)
    tuning.save(kept, tmp_path)
    assert tuning.load(tmp_path) == kept
    assert [path.name for path in tmp_path.iterdir()] == [tuning.FILE_NAME]


@pytest.mark.parametrize(
    "raw",
    ["", "{", "[]", "{}", '{"gather_windows": -1, "coded_windows": 2}', '{"gather_windows": 1}'],
)
def test_missing_or_spoilt_tuning_means_the_defaults(raw: str, tmp_path: Path) -> None:
    assert tuning.load(tmp_path) == DEFAULT
    (tmp_path / tuning.FILE_NAME).write_text(raw, encoding="utf-8")
    assert tuning.load(tmp_path) == DEFAULT


def test_plan_follows_the_tuning() -> None:
    few, many = Tuning(gather_windows=10), Tuning(gather_windows=1000)
    assert plan(n_allowed=100, n_total=5000, tuning=few).kind == "scan"
    assert plan(n_allowed=100, n_total=5000, tuning=many).kind == "gather"


@pytest.mark.parametrize(
    ("rows", "codes", "expected"),
    [
        ([1, 2, 4], [2, 2, 2], 200),  # equal at 200
        ([1, 1, 4], [2, 2, 2], 267),  # one gained, two lost: a third of the way from 200 to 400
        ([3, 1, 4], [2, 2, 2], 267),  # what lies below the last faster one does not count
        ([3, 3, 4], [2, 2, 2], 50),
        ([1, 1, 1], [2, 2, 2], 400),
    ],
)
def test_crossing_is_where_the_lines_meet(
    rows: list[float], codes: list[float], expected: int
) -> None:
    sizes = (100, 200, 400)
    timings = [Timing(*each) for each in zip(sizes, rows, codes, strict=True)]
    assert crossing(timings) == expected
