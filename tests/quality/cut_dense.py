"""The embedding model by itself, as published runs use it: each text cut at what the model reads.

No windows, no file names, no words: proof that vectors and measures are what others mean by them.
"""

from __future__ import annotations

import numpy as np

from api.evaluate.asking import Found
from api.evaluate.judged import JudgedSet
from api.evaluate.measures import MAIN, measure
from retrieval.embedder import Embedder

# Sets for which others published a figure of this kind, and what it may be: XQuADRetrieval (en)
# .944, NFCorpus .316 and thereabouts.
PUBLISHED = {"xquad": (0.939, 0.949), "nfcorpus": (0.309, 0.321)}
_AT_ONCE = 64  # texts embedded
_DEPTH = 10


def ndcg(embedder: Embedder, judged: JudgedSet) -> float:
    """Mean nDCG@10 by cosine alone."""
    texts = [_cut(embedder, document.open().read().decode()) for document in judged.documents]
    parts = [embedder.embed(texts[i : i + _AT_ONCE]) for i in range(0, len(texts), _AT_ONCE)]
    rows = np.concatenate(parts)
    answers = {}
    for question in judged.questions:
        sims = rows @ embedder.embed_query(question.text)
        best = np.argsort(-sims, kind="stable")[:_DEPTH]
        answers[question.id] = [
            Found(judged.documents[i].filename, "", float(sims[i])) for i in best
        ]
    figures = measure(judged, answers, depth=_DEPTH)[MAIN]
    return sum(figures) / len(figures)


def _cut(embedder: Embedder, text: str) -> str:
    spans = embedder.token_spans(text)
    last = min(len(spans), embedder.max_tokens - 2)  # two tokens open and close a text
    return text[: int(spans[last - 1, 1])] if last else text
