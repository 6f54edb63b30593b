"""Which model writes: `extractive`, or the language model that the server is set up with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from api.answer.extractive import Extractive
from api.answer.fill import check_fillable
from api.answer.schema import check_schema
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
    if request.text_format["type"] == "json_schema":
        check_schema(request.text_format["schema"], name=request.text_format["name"])
    if request.model == EXTRACTIVE:
        _check_extractive(request)
        return Extractive(engine)
    if request.model != settings.llm_model or settings.llm_base_url is None:
        raise InvalidRequest(
            f"The requested model '{request.model}' does not exist.",
            param="model",
            code="model_not_found",
        )
    from api.answer.chat import Server  # noqa: PLC0415 - most servers run without one
    from api.answer.llm import LanguageModel  # noqa: PLC0415

    server = Server(
        model=request.model,
        base_url=settings.llm_base_url,
        api_key=settings.llm_api_key,
        timeout_s=settings.llm_timeout_s,
    )
    return LanguageModel(server, engine, settings.llm_retrieval)


def default_model(engine: Engine) -> str:
    """What answers when nobody names a model: the language model if there is one."""
    settings = engine.settings
    configured = settings.llm_model if settings.llm_base_url else None
    return configured or EXTRACTIVE


def _check_extractive(request: ResponseRequest) -> None:
    """Refuse what can only be done by a language model."""
    if request.text_format["type"] == "json_schema":
        check_fillable(request.text_format["schema"])
    if request.choice.function or (request.choice.required and not request.searches):
        _needs_language_model("tool_choice", "calls no functions")
    for n, item in enumerate(request.input_items):
        for i, part in enumerate(item.get("content") or []):
            if part["type"] in {"input_image", "input_file"}:
                _needs_language_model(
                    f"input[{n}].content[{i}].type", f"reads no '{part['type']}'"
                )


def _needs_language_model(param: str, what: str) -> NoReturn:
    raise InvalidRequest(
        f"Model 'extractive' quotes files found by 'file_search'; it {what}. Use a language model.",
        param=param,
        code="invalid_value",
    )
