"""What every request gets: an id, the service's headers, a last net for errors, a read body."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import INTERNAL, ErrorReply
from retrieval.errors import InvalidRequest, TooLarge

log = logging.getLogger(__name__)

API_VERSION = "2020-10-01"  # the hosted service's only value
MAX_JSON_BYTES = 64 * 1024 * 1024  # as the hosted limit of an upload part


class UnsupportedMediaType(Exception):
    """The body is not of the media type that the route reads."""

    def __init__(self, got: str, *, wanted: str) -> None:
        super().__init__(got)
        shown = f"'{got}'" if got else "no Content-Type"
        message = f"Unsupported content type: got {shown}. This endpoint reads '{wanted}'."
        self.reply = ErrorReply(415, message)


class Envelope:
    """The outermost layer: headers on every reply, and a body even for a crash.

    It must lie outside the exception handlers, since a reply made above it would go out
    without a request id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_s = time.perf_counter()
        request_id = f"req_{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        replied = False

        async def stamped(message: Message) -> None:
            nonlocal replied
            if message["type"] == "http.response.start":
                replied = True
                spent_ms = round((time.perf_counter() - started_s) * 1000)
                message["headers"] = [*message["headers"], *_stamp(request_id, spent_ms)]
            await send(message)

        try:
            await self.app(scope, receive, stamped)
        except ClientDisconnect:
            log.info("client_left", extra={"request_id": request_id})
        except Exception:
            log.exception("request_failed", extra={"request_id": request_id})
            if replied:  # the status is out already: cutting the connection is all that is left
                raise
            await as_response(INTERNAL)(scope, receive, stamped)


def _stamp(request_id: str, spent_ms: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", request_id.encode()),
        (b"openai-version", API_VERSION.encode()),
        (b"openai-processing-ms", str(spent_ms).encode()),
    ]


def as_response(reply: ErrorReply) -> JSONResponse:
    """An `ErrorReply` as bytes on the wire."""
    return JSONResponse(reply.body(), status_code=reply.status, headers=dict(reply.headers))


def media_type(request: Request) -> str:
    """The body's declared media type in lower case, without parameters; empty if none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def has_body(request: Request) -> bool:
    """Whether any bytes can follow the headers, which HTTP says before they come."""
    length = request.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in request.headers


async def limited(
    request: Request, *, what: str, limit: int, framing: int = 0
) -> AsyncIterator[bytes]:
    """The body, piece by piece; `TooLarge` before reading if its length is declared, or on the way.

    Args:
        request: whose body has not been read yet.
        what: names the thing in the error.
        limit: bytes of the thing itself.
        framing: bytes that may be around it.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit + framing:
        raise TooLarge(what, limit=limit, got=int(declared))
    got = 0
    async for piece in request.stream():
        got += len(piece)
        if got > limit + framing:
            raise TooLarge(what, limit=limit, got=got)
        yield piece


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body counts as `{}`.

    Raises:
        UnsupportedMediaType: not `application/json` (so that no web page of another origin can
            post here without a preflight).
        InvalidRequest: not JSON, or JSON but no object.
        TooLarge: more than MAX_JSON_BYTES.
    """
    raw = b"".join([p async for p in limited(request, what="Request body", limit=MAX_JSON_BYTES)])
    if not raw.strip():
        return {}
    if media_type(request) != "application/json":
        raise UnsupportedMediaType(media_type(request), wanted="application/json")
    return parse_object(raw)


def parse_object(raw: bytes) -> dict[str, Any]:
    """`raw` as a JSON object, strictly: UTF-8, no NaN, no lone surrogates, a sane depth.

    >>> parse_object(b'{"a": 1}')
    {'a': 1}
    """
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_no_constant)
        if "\\ud" in text.lower():  # an escaped surrogate; only a whole pair can be written out
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as exc:
        _unparsable(f"{exc.msg} at line {exc.lineno} column {exc.colno}")
    except UnicodeEncodeError:
        _unparsable("a string holds half of a surrogate pair")
    except UnicodeDecodeError as exc:
        _unparsable(f"byte {exc.start} is not UTF-8")
    except RecursionError:
        _unparsable("it is nested too deeply")
    except ValueError as exc:  # NaN and its like, and integers of thousands of digits
        many = str(exc).startswith("Exceeds the limit")
        _unparsable("an integer has too many digits" if many else str(exc))
    if not isinstance(value, dict):
        kind = "an array" if isinstance(value, list) else "a single value"
        message = f"Invalid type for the request body: expected an object, but got {kind} instead."
        raise InvalidRequest(message, param=None, code="invalid_type")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _unparsable(reason: str) -> NoReturn:
    message = f"We could not parse the JSON body of your request: {reason}."
    raise InvalidRequest(message, param=None, code=None)
