"""Rerankers that no one would install: they show what the protocol lets one do, good and bad."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from api.evaluate.judged import JudgedSet
from retrieval.rerank import Reranker


class Noise:
    """Scores at random, the same text always alike."""

    def rerank(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Reranker.rerank`."""
        return np.array([zlib.crc32(f"{question}\0{text}".encode()) / 2**32 for text in texts])


class Inverted:
    """Likes best what stands last."""

    def rerank(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:  # noqa: ARG002
        """See `Reranker.rerank`; the texts come best first."""
        return np.linspace(0.0, 1.0, len(texts))


class Oracle:
    """Knows the judgements of a set of documents."""

    def __init__(self, judged: JudgedSet) -> None:
        contents = {each.id: str(each.content) for each in judged.documents}
        self._relevant = {
            question.text: [
                (grade, contents[id])
                for id, grade in question.grades.items()
                if grade > 0 and id in contents
            ]
            for question in judged.questions
        }

    def rerank(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Reranker.rerank`."""
        right = self._relevant.get(question, [])
        top = max((grade for grade, _ in right), default=1)
        found = [max((g for g, content in right if text in content), default=0) for text in texts]
        return np.array(found, dtype=np.float64) / top


KINDS: dict[str, Callable[[JudgedSet], Reranker]] = {
    "random": lambda _judged: Noise(),
    "inverted": lambda _judged: Inverted(),
    "oracle": Oracle,
}
