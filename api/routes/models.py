"""/v1/models: what may stand in `model` of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.answer.backends import backend_of, backends, model_names
from api.answer.models import EXTRACTIVE
from retrieval.errors import NotFound

if TYPE_CHECKING:
    from api.engine import Engine

CREATED = 1795392000  # 2026-11-23, when `extractive` was written; the contract wants a date


def routes(engine: Engine) -> APIRouter:
    """The models endpoints, on `engine`."""
    backends(engine.settings)  # a file that is wrong is told at start, not with the first answer
    router = APIRouter(prefix="/v1/models")

    @router.get("")
    def list_models() -> JSONResponse:
        names = dict.fromkeys([EXTRACTIVE, *model_names(engine.settings)])
        return JSONResponse({"object": "list", "data": [_model_body(name) for name in names]})

    # `:path` because the names of language models hold slashes, as in `vendor/model`.
    @router.get("/{model:path}")
    def retrieve(model: str) -> JSONResponse:
        if model != EXTRACTIVE and backend_of(engine.settings, model) is None:
            raise NotFound("model", model)
        return JSONResponse(_model_body(model))

    return router


def _model_body(name: str) -> dict[str, Any]:
    owner = "sourcebook" if name == EXTRACTIVE else "operator"
    return {"id": name, "object": "model", "created": CREATED, "owned_by": owner}
