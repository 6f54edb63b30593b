"""Fit the verifier's weights: `python -m tests.quality.fit_verifier`.

Logistic regression with a penalty, on sentences whose truth is known. Prints the weights for
``retrieval/verify/verifier.py``, and how well weights fitted without a document do on it.
"""

import random
import tempfile
from pathlib import Path

import numpy as np

from api.engine import Engine
from api.settings import Settings
from retrieval.verify.verifier import WEIGHTS
from tests.quality.conftest import CORPUS, STORE
from tests.quality.verify_cases import KINDS, corpus_texts, corrupted, paraphrases, verbatim

PENALTY = 0.5
N_FOLDS = 5
NAMES = [name for name in WEIGHTS if name != "bias"]


def fit(x, y):
    """Weights, the bias first, by Newton's method."""
    z = np.hstack([np.ones((len(x), 1)), x])
    weights, penalty = np.zeros(z.shape[1]), np.eye(z.shape[1]) * PENALTY
    penalty[0, 0] = 1e-6
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ weights))
        hessian = (z * (p * (1 - p))[:, None]).T @ z + penalty
        weights -= np.linalg.solve(hessian, z.T @ (p - y) + penalty @ weights)
    return weights


def scores(weights, x):
    return 1 / (1 + np.exp(-(weights[0] + x @ weights[1:])))


def held_out(x, y, documents):
    """Each case's score by weights that were fitted without its document."""
    names = sorted(set(documents))
    random.Random(0).shuffle(names)
    found = np.zeros(len(y))
    for n in range(N_FOLDS):
        outside = np.isin(documents, names[n::N_FOLDS])
        found[outside] = scores(fit(x[~outside], y[~outside]), x[outside])
    return found


def table(score, kinds, bar=0.5):
    """F1 of finding what is false, false alarms, and the recall of each kind."""
    kinds = np.array(kinds)
    true = np.isin(kinds, ["verbatim", "paraphrase"])
    flagged = score < bar
    hits = (flagged & ~true).sum()
    f1 = 2 * hits / (2 * hits + (flagged & true).sum() + (~flagged & ~true).sum())
    recall = {
        kind: float(flagged[kinds == kind].mean()) for kind in KINDS if (kinds == kind).any()
    }
    return float(f1), float(flagged[true].mean()), recall


def all_cases(texts, *, n_each=72, seed=7):
    given = paraphrases(texts)
    plain = verbatim(texts, 250, random.Random(1))
    return given + plain + corrupted(plain + given, n_each, seed)


def main():
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine.open(settings=Settings(data=Path(folder))) as engine,
    ):
        engine.add(CORPUS / "files", store=STORE)
        cases = all_cases(corpus_texts(engine))
        signs = [engine.verifier.signs(case.claim, case.passage).values for case in cases]
    x = np.array([[sign[name] for name in NAMES] for sign in signs], float)
    kinds = [case.kind for case in cases]
    y = np.isin(kinds, ["verbatim", "paraphrase"]).astype(float)
    print("held out:", table(held_out(x, y, [case.document for case in cases]), kinds))
    for name, weight in zip(["bias", *NAMES], fit(x, y), strict=True):
        print(f'    "{name}": {weight:.1f},')


if __name__ == "__main__":
    main()
