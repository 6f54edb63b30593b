"""/v1/responses over a WebSocket: responses that follow each other on one connection.

Each text frame is a `response.create` with the fields of `POST /v1/responses`; each event comes
back as a text frame. One response at a time. A connection remembers its own `store: false`
responses, so that the next may go on from them.

Source: the public Open Responses specification, 2026-04.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from api import stream
from api.answer.conversation import history
from api.answer.prepare import Prepared, prepare
from api.answer.respond import Run
from api.answer.types import Item, ResponseRequest
from api.answer.view import View
from api.errors import ErrorReply, error_reply
from api.request import parse_object
from api.wire.responses import response_request
from retrieval.errors import FileSearchError, InvalidRequest

if TYPE_CHECKING:
    from api.engine import Engine

MAX_AGE_S = 3600.0  # of a connection
MAX_KEPT: Final = 100  # responses that are not stored, on one connection; the oldest go
GOING_AWAY: Final = 1001  # a close code of RFC 6455
BUSY = InvalidRequest(
    "A response is in progress on this connection; wait for its end.",
    param=None,
    code="response_in_progress",
)
TOO_OLD = ErrorReply(
    400, "This connection has been open for an hour; open another.", code="connection_limit"
)


def routes(engine: Engine) -> APIRouter:
    """The WebSocket endpoint, on `engine`."""
    router = APIRouter()

    @router.websocket("/v1/responses")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await Session(engine, socket).serve()

    return router


class Session:
    """One connection: reads frames, answers one at a time."""

    def __init__(self, engine: Engine, socket: WebSocket) -> None:
        self._engine = engine
        self._socket = socket
        self._sending = asyncio.Lock()
        self._kept: dict[str, list[Item]] = {}  # conversation up to each unstored response

    async def serve(self) -> None:
        """Answer until the client leaves or the connection is too old."""
        turn: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(MAX_AGE_S):
                while True:
                    frame = await self._socket.receive_text()
                    if turn is not None and not turn.done():
                        await self._refuse(error_reply(BUSY))
                        continue
                    turn = asyncio.create_task(self._answer(frame))
        except TimeoutError:
            await self._refuse(TOO_OLD)
            await self._socket.close(GOING_AWAY)
        except (WebSocketDisconnect, KeyError):  # KeyError: a frame without text
            pass
        finally:
            if turn is not None:
                turn.cancel()
                await asyncio.gather(turn, return_exceptions=True)

    async def _answer(self, frame: str) -> None:
        """One turn: its events, or the error that kept it from beginning."""
        previous: str | None = None
        try:
            request = _request(frame, places=self._engine.settings.places)
            previous = request.previous_response_id
            prepared, earlier = await run_in_threadpool(self._prepare, request)
        except FileSearchError as exc:
            self._kept.pop(previous or "", None)
            await self._refuse(error_reply(exc))
            return
        run = Run(self._engine, prepared)
        async for event in _events(run, prepared):
            await self._send(event)
        self._keep(run, prepared, earlier)

    def _prepare(self, request: ResponseRequest) -> tuple[Prepared, list[Item]]:
        previous = request.previous_response_id
        if previous in self._kept:
            earlier = self._kept[previous]
        elif request.conversation_id is None:
            earlier = history(self._engine, previous)
        else:
            return prepare(self._engine, request), []
        return prepare(self._engine, request, earlier=earlier), earlier

    def _keep(self, run: Run, prepared: Prepared, earlier: list[Item]) -> None:
        """Remember an unstored response; one that failed takes what it built on with it."""
        request = prepared.request
        if run.body["status"] == "failed":
            self._kept.pop(request.previous_response_id or "", None)
        elif not request.store:
            self._kept[run.id] = [*earlier, *request.input_items, *run.body["output"]]
            if len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]

    async def _refuse(self, reply: ErrorReply) -> None:
        await self._send(json.dumps({"type": "error", "status": reply.status, **reply.body()}))

    async def _send(self, text: str) -> None:
        async with self._sending:
            await self._socket.send_text(text)


def _request(frame: str, *, places: bool) -> ResponseRequest:
    """The response that a frame asks for.

    Raises:
        InvalidRequest: not a `response.create`, or not a request that can be streamed.
    """
    body = parse_object(frame.encode("utf-8", "surrogatepass"))
    kind = body.pop("type", None)
    if kind != "response.create":
        message = "Invalid 'type': a frame to this server is a 'response.create'."
        raise InvalidRequest(message, param="type", code="invalid_value")
    if body.get("background"):
        message = "Responses in the background are not served over a WebSocket."
        raise InvalidRequest(message, param="background", code="invalid_value")
    return response_request({**body, "stream": True}, places=places)


async def _events(run: Run, prepared: Prepared) -> AsyncIterator[str]:
    request = prepared.request
    view = View(results=request.include_results, places=request.extension.places)

    def events() -> Generator[dict[str, Any], None, None]:
        with closing(run.events()) as made:
            for event in made:
                yield view.of_event(event)

    made = stream.batches(events, leave=run.stop, keep_alive_s=None, encode=stream.frame)
    async for pieces in made:
        for piece in pieces:
            yield piece.decode()
