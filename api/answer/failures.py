"""Why a language model could not answer."""

from __future__ import annotations

from retrieval.errors import ModelUnavailable


class UpstreamFailed(ModelUnavailable):
    """The language model's server refused or broke off; `response_code` is the contract's."""

    def __init__(self, message: str, *, response_code: str = "server_error") -> None:
        super().__init__(message)
        self.response_code = response_code
