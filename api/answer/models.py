"""Which model writes: `extractive`, or a language model that the server is set up with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from api.answer.backends import backend_of, backends
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
    if request.text_format["type"] == "json_schema":
        check_schema(request.text_format["schema"], name=request.text_format["name"])
    if request.model == EXTRACTIVE:
        _check_extractive(request)
        return Extractive(engine)
    backend = backend_of(engine.settings, request.model)
    if backend is None:
        raise InvalidRequest(
            f"The requested model '{request.model}' does not exist.",
            param="model",
            code="model_not_found",
        )
    from api.answer.llm import LanguageModel  # noqa: PLC0415 - most servers run without one

    return LanguageModel(backend.server(request.model), engine, backend.retrieval)


def default_model(engine: Engine) -> str:
    """What answers when nobody names a model: the first language model if there is one."""
    named = (name for backend in backends(engine.settings) for name in backend.names)
    return next(named, EXTRACTIVE)


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
