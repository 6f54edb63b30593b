"""The verifier on sentences whose truth is known: corrupted by a seed, verbatim, paraphrased.

A failure prints the sentences that were judged wrongly. `fit_verifier.py` fits the weights.
"""

import statistics
import time

import numpy as np
import pytest

from retrieval.verify import MIN_SUPPORT
from tests.quality.fit_verifier import NAMES, all_cases, held_out, table
from tests.quality.verify_cases import MIN_CHANGED, changed_share, corpus_texts, paraphrases

F1, RECALL, FALSE_ALARMS = 0.90, 0.80, 0.05


@pytest.fixture(scope="module")
def texts(engine):
    return corpus_texts(engine)


@pytest.fixture(scope="module")
def judged(engine, texts):
    """Cases with their verdicts, signs and seconds."""
    verifier = engine.verifier
    found = []
    for case in all_cases(texts, seed=11):
        start = time.perf_counter()
        verdict = verifier.verify(case.claim, case.passage)
        took_s = time.perf_counter() - start
        found.append((case, verdict, verifier.signs(case.claim, case.passage).values, took_s))
    return found


def test_paraphrases_change_enough_words(texts):
    given = paraphrases(texts)
    assert len(given) >= 250
    near = [c.claim for c in given if changed_share(c.claim, c.origin) < MIN_CHANGED]
    assert near == []


def test_what_is_false_is_found_and_what_is_true_is_let_through(judged):
    score = np.array([verdict.score for _, verdict, _, _ in judged])
    f1, alarms, recall = table(score, [case.kind for case, *_ in judged], MIN_SUPPORT)
    took_ms = sorted(1000 * took_s for *_, took_s in judged)
    print(f"F1 {f1:.3f}  false alarms {alarms:.3f}  {recall}")
    print(
        f"ms a sentence: p50 {statistics.median(took_ms):.1f}"
        f"  p95 {took_ms[int(0.95 * len(took_ms))]:.1f}"
    )
    wrong = [
        f"{verdict.score:.2f} {case.kind}: {case.claim}"
        for case, verdict, *_ in judged
        if verdict.supported != (case.kind in {"verbatim", "paraphrase"})
    ]
    assert f1 >= F1, "\n".join(wrong)
    assert alarms <= FALSE_ALARMS, "\n".join(wrong)
    assert min(recall.values()) >= RECALL, "\n".join(wrong)


def test_weights_fitted_without_a_document_do_as_well_on_it(judged):
    signs = np.array([[s[name] for name in NAMES] for _, _, s, _ in judged], float)
    kinds = [case.kind for case, *_ in judged]
    true = np.isin(kinds, ["verbatim", "paraphrase"]).astype(float)
    documents = [case.document for case, *_ in judged]
    f1, alarms, recall = table(held_out(signs, true, documents), kinds, MIN_SUPPORT)
    print(f"held out: F1 {f1:.3f}  false alarms {alarms:.3f}  {recall}")
    assert f1 >= F1
    assert alarms <= FALSE_ALARMS
    assert min(recall.values()) >= RECALL
