"""Settings → the reranker that they name."""

from __future__ import annotations

from api.settings import Settings
from retrieval.rerank import CrossEncoderReranker, Reranker


def load_reranker(settings: Settings) -> Reranker | None:
    """A server with `/rerank`, a cross-encoder in this process, or nothing.

    Raises:
        ModelUnavailable: the model cannot be loaded.
    """
    if settings.rerank_base_url:
        from retrieval.rerank_server import RerankServer, ServerReranker  # noqa: PLC0415

        server = RerankServer(
            settings.rerank_base_url, settings.rerank_model or "", settings.rerank_api_key
        )
        return ServerReranker(server)
    return CrossEncoderReranker(settings.reranker) if settings.reranker else None
