"""Which model writes: `extractive`, or the language model that the server is set up with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.answer.extractive import Extractive
from api.answer.types import Model, ResponseRequest
from retrieval.errors import InvalidRequest

if TYPE_CHECKING:
    from api.engine import Engine

EXTRACTIVE = "extractive"


def find_model(engine: Engine, request: ResponseRequest) -> Model:
    """The model that the request names.

    Raises:
        InvalidRequest: there is none of that name, or it cannot write the format asked for.
    """
    settings = engine.settings
    if request.model == EXTRACTIVE:
        _check_format(request)
        return Extractive(engine)
    if request.model != settings.llm_model or settings.llm_base_url is None:
        raise InvalidRequest(
            f"The requested model '{request.model}' does not exist.",
            param="model",
            code="model_not_found",
        )
    from api.answer.llm import LanguageModel  # noqa: PLC0415 - most servers run without one

    return LanguageModel(
        name=request.model,
        base_url=settings.llm_base_url,
        api_key=settings.llm_api_key,
        timeout_s=settings.llm_timeout_s,
        engine=engine,
    )


def default_model(engine: Engine) -> str:
    """What answers when nobody names a model: the language model if there is one."""
    settings = engine.settings
    configured = settings.llm_model if settings.llm_base_url else None
    return configured or EXTRACTIVE


def _check_format(request: ResponseRequest) -> None:
    if request.text_format["type"] == "json_schema":
        raise InvalidRequest(
            "Model 'extractive' quotes files; it cannot fill a JSON schema. Use 'text' or"
            " 'json_object', or a language model.",
            param="text.format",
            code="invalid_value",
        )
