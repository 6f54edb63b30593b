"""The paired test: real drops are flagged, luck is not.

Scores are those of 200 questions each, saved from `sourcebook eval` on two public sets.
"""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from api.evaluate.compare import compare, paired
from api.evaluate.runs import Run, load, save
from retrieval.errors import InvalidRequest

SCORES = json.loads((Path(__file__).parent / "ndcg_of_questions.json").read_text("utf-8"))
N_SEEDS = 100
DROP = 0.05


def run_of(scores, *, set="s", ranking="auto", ids=None):
    ids = ids or tuple(f"q{n}" for n in range(len(scores)))
    return Run(set, ranking, "here", 10, tuple(ids), {"nDCG@10": list(scores)}, (1.0,) * len(ids))


def without_the_relevant(scores, rng, *, drop):
    """Scores with that of a sample of questions gone, so that their mean falls by `drop`."""
    worse = list(scores)
    order = [n for n in rng.sample(range(len(worse)), len(worse)) if worse[n] > 0]
    for n in order:
        if sum(scores) - sum(worse) >= drop * len(scores):
            break
        worse[n] = 0.0
    return worse


@pytest.mark.parametrize("name", SCORES)
def test_removing_relevant_documents_is_flagged(name):
    scores = SCORES[name]
    assert len(scores) == 200
    flagged = 0
    for seed in range(N_SEEDS):
        worse = without_the_relevant(scores, random.Random(seed), drop=DROP)
        assert np.mean(scores) - np.mean(worse) == pytest.approx(DROP, abs=0.006)
        flagged += paired(scores, worse, name="nDCG@10").is_drop
    assert flagged >= 90


@pytest.mark.parametrize("name", SCORES)
def test_swapping_runs_at_random_is_not_flagged(name):
    scores = SCORES[name]
    flagged = 0
    for seed in range(N_SEEDS):
        rng = random.Random(seed)
        worse = without_the_relevant(scores, rng, drop=DROP)
        pairs = [rng.sample(pair, 2) for pair in zip(scores, worse, strict=True)]
        first, second = zip(*pairs, strict=True)
        flagged += paired(first, second, name="nDCG@10").is_real
    assert flagged <= 10


def test_p_of_few_questions_is_exact():
    # Of 2^5 ways to sign five equal gains, two are as extreme: all plus, all minus.
    found = paired([0.0] * 5, [0.1, 0.2, 0.3, 0.4, 0.5], name="m")
    assert found.p == pytest.approx(2 / 32)
    assert found.difference == pytest.approx(0.3)
    # t interval: 0.3 ± 2.776 · 0.1581 / √5
    assert (found.low, found.high) == (
        pytest.approx(0.1037, abs=1e-3),
        pytest.approx(0.4963, abs=1e-3),
    )
    assert not found.is_real


def test_equal_runs_do_not_differ():
    found = paired([0.5, 0.7], [0.5, 0.7], name="m")
    assert (found.p, found.low, found.high) == (1, 0, 0)
    assert found.verdict() == "no real difference"


def test_a_constant_difference_needs_no_interval():
    found = paired([0.0] * 20, [0.5] * 20, name="m")
    assert found.low == found.high == 0.5
    assert found.is_real
    assert found.verdict() == "better"


def test_runs_are_paired_by_question_not_by_place():
    first = run_of([1.0, 0.0, 0.5], ids=("a", "b", "c"))
    second = run_of([0.5, 1.0, 0.0], ids=("c", "a", "b"))
    assert compare(first, second).difference == 0
    assert compare(first, second).p == 1


def test_different_questions_or_measures_are_refused():
    first = run_of([1.0, 0.0])
    with pytest.raises(InvalidRequest, match="different questions"):
        compare(first, run_of([1.0, 0.0], ids=("x", "y")))
    with pytest.raises(InvalidRequest, match="no measure"):
        compare(first, first, measure="MAP")


def test_saved_runs_come_back_as_they_were(tmp_path):
    runs = [run_of([0.25, 1.0]), run_of([0.5, 0.5], ranking="none")]
    save(runs, tmp_path / "eval.json")
    assert load(tmp_path / "eval.json") == runs


@pytest.mark.parametrize("content", ["", "[]", '{"format": 0, "runs": []}', '{"format": 1}'])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "eval.json").write_text(content)
    with pytest.raises(InvalidRequest, match="no runs saved"):
        load(tmp_path / "eval.json")
