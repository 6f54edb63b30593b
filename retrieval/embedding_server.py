"""One model of a server that speaks OpenAI's `/v1/embeddings`: texts in, unit rows out.

The `openai` package tries again after 429, 5xx, timeouts and broken connections, as late as
`Retry-After` asks or else later each time. What comes back is checked before it is believed: a
vector for every text, under its own index, of numbers that point somewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ModelUnavailable
from retrieval.token_spans import readable

if TYPE_CHECKING:
    import openai
    from openai.types import CreateEmbeddingResponse

    from retrieval.types import Vectors

_FULL_SHARE = 0.95  # of the stated reach, in words that are one token to every tokenizer
_COMMON_WORDS = ("the", "and", "of", "to", "in", "for", "that", "with", "on", "as")
_SAME_DIRECTION = 0.999999


@dataclass(frozen=True, slots=True)
class EmbeddingServer:
    """Where a model is served, and what is known of it."""

    base_url: str
    model: str
    api_key: str | None = None
    max_tokens: int = 512  # longest text it reads, in its own tokens
    tokenizer_file: str | None = None  # tokenizer.json of the model; else the default model's
    document_prefix: str = ""  # what the model wants before texts, such as "passage: "
    query_prefix: str = ""
    batch_texts: int = 32  # of one request
    batch_tokens: int = 8192
    timeout_s: float = 60.0
    retries: int = 6  # with their pauses about 25 seconds; then the worker's own begin


class Connection:
    """Texts to unit rows, over HTTP. Safe for threads."""

    def __init__(self, server: EmbeddingServer) -> None:
        import openai  # noqa: PLC0415  a second that no other model needs

        self.server = server
        self._takes_base64 = True
        self._client = openai.OpenAI(
            base_url=server.base_url,
            api_key=server.api_key or "none",
            timeout=server.timeout_s,
        )

    def __str__(self) -> str:
        return f"The embedding model '{self.server.model}' at {self.server.base_url}"

    def vectors(self, texts: Sequence[str], *, max_retries: int | None = None) -> Vectors:
        """(n_texts, dim) float32 unit rows, whatever order they came in.

        Raises:
            ModelUnavailable: no answer after so many more tries, or a wrong one.
        """
        import openai  # noqa: PLC0415

        n_retries = self.server.retries if max_retries is None else max_retries
        client = self._client.with_options(max_retries=n_retries)
        # Servers refuse empty texts; a space says no more than nothing.
        asked = [readable(text) or " " for text in texts]
        try:
            reply = self._ask(client, asked)
        except openai.APIError as exc:
            raise self._translated(exc) from exc
        except (ValueError, TypeError, AttributeError) as exc:  # what is no reply of its kind
            raise ModelUnavailable(f"{self} gave an answer that cannot be read: {exc}") from exc
        return self._checked(reply, len(asked))

    def _ask(self, client: openai.OpenAI, texts: list[str]) -> CreateEmbeddingResponse:
        import openai  # noqa: PLC0415

        fields: dict[str, Any] = {"model": self.server.model, "input": texts}
        if self._takes_base64:  # the package's default, a third of the bytes
            try:
                return client.embeddings.create(**fields)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as exc:
                if "encoding_format" not in str(exc):
                    raise
                self._takes_base64 = False
        return client.embeddings.create(**fields, encoding_format="float")

    def _checked(self, reply: CreateEmbeddingResponse, n_texts: int) -> Vectors:
        indexes = sorted(each.index for each in reply.data)
        if indexes != list(range(n_texts)):
            raise ModelUnavailable(
                f"{self} gave {len(indexes)} vectors for {n_texts} texts, or not one for each."
            )
        in_order = sorted(reply.data, key=lambda each: each.index)
        try:
            rows = np.array([each.embedding for each in in_order], dtype=np.float32)
        except ValueError as exc:  # rows of several lengths
            raise ModelUnavailable(f"{self} gave vectors of several lengths.") from exc
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True) if rows.ndim == 2 else np.zeros(1)  # noqa: PLR2004 - rows and columns
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise ModelUnavailable(f"{self} gave vectors that point nowhere.")
        unit: Vectors = rows / lengths
        return unit

    def _translated(self, exc: openai.APIError) -> ModelUnavailable:
        import openai  # noqa: PLC0415

        if isinstance(exc, openai.APITimeoutError):
            told = f"did not answer within {self.server.timeout_s:g} seconds"
        elif isinstance(exc, openai.APIConnectionError):
            told = "could not be reached"
        elif isinstance(exc, openai.AuthenticationError | openai.PermissionDeniedError):
            told = f"refused the API key: {exc.message}. Set SOURCEBOOK_EMBEDDINGS_API_KEY"
        elif isinstance(exc, openai.APIStatusError) and exc.status_code < 500:  # noqa: PLR2004
            told = f"refused the request: {exc.message}"
        else:
            told = f"failed: {exc.message}"
        return ModelUnavailable(f"{self} {told}.", retry_after_s=_retry_after_s(exc))


def _retry_after_s(exc: openai.APIError) -> float | None:
    response = getattr(exc, "response", None)
    told = "" if response is None else response.headers.get("retry-after", "")
    return float(told) if told.isdigit() else None


def check_reach(connection: Connection) -> None:
    """Refuse a server that cuts texts of its stated length: they differ only at their end."""
    server = connection.server
    n_words = int(server.max_tokens * _FULL_SHARE)
    words = [_COMMON_WORDS[i % len(_COMMON_WORDS)] for i in range(n_words)]
    advice = "Set SOURCEBOOK_EMBEDDINGS_MAX_TOKENS to what it reads"
    try:
        one, other = connection.vectors(
            [" ".join([*words[:-5], *[last] * 5]) for last in ("ship", "green")]
        )
    except ModelUnavailable as exc:
        raise ModelUnavailable(
            f"{exc} This was a text of {n_words} words, to see that it reads "
            f"{server.max_tokens} tokens. If that is too long: {advice}.",
            retry_after_s=exc.retry_after_s,
        ) from exc
    if float(one @ other) > _SAME_DIRECTION:
        raise ModelUnavailable(
            f"{connection} reads less than {server.max_tokens} tokens and silently drops the "
            f"rest of a text. {advice}."
        )
