"""Events from a thread that makes them to a connection that sends them.

The core is synchronous: a worker thread drains an iterator, this side awaits its items. When
the client leaves, the work is told to stop, wherever it stands.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import closing, suppress
from typing import Any

from api.answer.stop import Stopped

MEDIA_TYPE = "text/event-stream; charset=utf-8"
KEEP_ALIVE_S = 15.0  # proxies close connections that are silent for 30-60 s
KEEP_ALIVE = b": keep-alive\n\n"
MAX_WAITING = 256  # events made ahead of their reader
_END = object()


def encode(event: dict[str, Any]) -> bytes:
    r"""One event in one piece; some clients lose an event that is cut in two.

    >>> encode({"type": "response.completed", "sequence_number": 9})
    b'event: response.completed\ndata: {"type":"response.completed","sequence_number":9}\n\n'
    """
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


async def sent(
    make: Callable[[], Generator[dict[str, Any], None, None]],
    *,
    leave: Callable[[], None],
    keep_alive_s: float | None = KEEP_ALIVE_S,
    encode: Callable[[dict[str, Any]], bytes] = encode,
) -> AsyncIterator[bytes]:
    """The encoded events that `make` gives, with keep-alive comments through silences.

    Args:
        make: starts the work; called, and drained, in a thread of its own.
        leave: stops the work from outside when the reader goes before its end.
        keep_alive_s: longest silence; None if silence does no harm.
        encode: an event as it is sent.

    Raises:
        Exception: whatever the work raised, unless the reader had left.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Any] = asyncio.Queue()
    room = threading.Semaphore(MAX_WAITING)
    gone = threading.Event()

    def put(item: Any) -> None:
        with suppress(RuntimeError):  # the loop was closed under a reader that had left
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def work() -> None:
        try:
            with closing(make()) as events:
                for event in events:
                    room.acquire()  # a slow reader slows the work down
                    if gone.is_set():
                        return
                    put(encode(event))
            put(_END)
        except Stopped:
            put(_END)
        except Exception as exc:  # noqa: BLE001 - it is raised again on the other side
            put(exc)

    # Its own thread: the shared pool is small, and a language model takes minutes.
    threading.Thread(target=work, name="response", daemon=True).start()
    try:
        async for piece in _until_end(queue, keep_alive_s=keep_alive_s):
            yield piece
            room.release()
    finally:
        gone.set()
        room.release()
        leave()


async def _until_end(
    queue: asyncio.Queue[Any], *, keep_alive_s: float | None
) -> AsyncIterator[bytes]:
    while True:
        try:
            item = (
                queue.get_nowait()
                if not queue.empty()
                else await asyncio.wait_for(queue.get(), keep_alive_s)
            )
        except TimeoutError:
            yield KEEP_ALIVE
            continue
        if item is _END:
            return
        if isinstance(item, Exception):
            raise item
        yield item
