"""A reranker behind any server with a `/rerank` endpoint.

Cohere, Jina, vLLM and others take `documents` and answer with `results`; Text Embeddings
Inference takes `texts` and answers with a list. Which of the two a server speaks is found out by
the first request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import ModelUnavailable

_REFUSED = (400, 404, 415, 422)  # what a server says that speaks the other dialect


@dataclass(frozen=True, slots=True)
class RerankServer:
    """Where a reranker is served."""

    base_url: str  # what comes before `/rerank`
    model: str = ""
    api_key: str | None = None
    timeout_s: float = 20.0  # somebody is waiting
    retries: int = 1


class ServerReranker:
    """See `retrieval.rerank.Reranker`. Safe for threads."""

    def __init__(self, server: RerankServer) -> None:
        import openai  # noqa: PLC0415  a second that searches without a reranker need not wait

        self.server = server
        self._speaks_documents = True
        self._client = openai.OpenAI(
            base_url=server.base_url,
            api_key=server.api_key or "none",
            timeout=server.timeout_s,
            max_retries=server.retries,
        )

    def rerank(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Reranker.rerank`.

        Raises:
            ModelUnavailable: the server cannot be reached or answers wrongly.
        """
        import openai  # noqa: PLC0415

        if not texts:
            return np.empty(0)
        try:
            reply = self._ask(question, list(texts))
        except openai.APIError as error:
            raise ModelUnavailable(
                f"The reranker at {self.server.base_url} failed: {error.message}"
            ) from error
        try:
            return _scores(reply, len(texts))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelUnavailable(
                f"The reranker at {self.server.base_url} gave an answer that cannot be read: {error}"
            ) from error

    def _ask(self, question: str, texts: list[str]) -> Any:
        import openai  # noqa: PLC0415

        if self._speaks_documents:
            body = {"query": question, "documents": texts, "top_n": len(texts)}
            try:
                return self._post({**body, "model": self.server.model, "return_documents": False})
            except openai.APIStatusError as error:
                if error.status_code not in _REFUSED:
                    raise
        reply = self._post({"query": question, "texts": texts, "truncate": True})
        self._speaks_documents = False
        return reply

    def _post(self, body: Mapping[str, Any]) -> Any:
        return self._client.post("/rerank", cast_to=object, body=body)


def _scores(reply: Any, n_texts: int) -> NDArray[np.float64]:
    """Each text's score, brought to [0, 1] where a server gives logits."""
    rows = reply["results"] if isinstance(reply, Mapping) else reply
    by_index = {
        int(row["index"]): float(row.get("relevance_score", row.get("score"))) for row in rows
    }
    if set(by_index) != set(range(n_texts)):
        raise ValueError(f"{len(by_index)} scores for {n_texts} texts")
    scores = np.array([by_index[i] for i in range(n_texts)])
    if not np.isfinite(scores).all():
        raise ValueError("a score that is no number")
    if scores.min() < 0 or scores.max() > 1:
        scores = 1 / (1 + np.exp(-scores))
    return scores
