"""/v1/models: what may stand in `model` of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.answer.models import EXTRACTIVE
from retrieval.errors import NotFound

if TYPE_CHECKING:
    from api.engine import Engine

CREATED = 1795392000  # 2026-11-23, when `extractive` was written; the contract wants a date


def routes(engine: Engine) -> APIRouter:
    """The models endpoints, on `engine`."""
    router = APIRouter(prefix="/v1/models")

    @router.get("")
    def list_models() -> JSONResponse:
        data = [_model_body(name, owner) for name, owner in _models(engine).items()]
        return JSONResponse({"object": "list", "data": data})

    # `:path` because the names of language models hold slashes, as in `vendor/model`.
    @router.get("/{model:path}")
    def retrieve(model: str) -> JSONResponse:
        owner = _models(engine).get(model)
        if owner is None:
            raise NotFound("model", model)
        return JSONResponse(_model_body(model, owner))

    return router


def _models(engine: Engine) -> dict[str, str]:
    """Names with their owners: ours, and the language model the server is set up with."""
    settings = engine.settings
    configured = settings.llm_model if settings.llm_base_url else None
    return {EXTRACTIVE: "sourcebook"} | ({configured: "operator"} if configured else {})


def _model_body(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": owner}
