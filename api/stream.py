"""Events from a thread that makes them to a connection that sends them.

The core is synchronous: a worker thread drains an iterator, this side awaits its items. When
the client leaves, the work is told to stop, wherever it stands.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import closing, suppress
from typing import Any

from api.answer.stop import Stopped

MEDIA_TYPE = "text/event-stream; charset=utf-8"
KEEP_ALIVE_S = 15.0  # proxies close connections that are silent for 30-60 s
KEEP_ALIVE = b": keep-alive\n\n"
BEGIN_S = 1.0  # what the first event may take to be sent, before the work goes on all the same
MAX_WAITING = 256  # events made ahead of their reader
_END = object()
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # `dumps` makes one for each


def encode(event: dict[str, Any]) -> bytes:
    r"""One event in one piece; some clients lose an event that is cut in two.

    >>> encode({"type": "response.completed", "sequence_number": 9})
    b'event: response.completed\ndata: {"type":"response.completed","sequence_number":9}\n\n'
    """
    return f"event: {event['type']}\ndata: {_JSON.encode(event)}\n\n".encode()


def frame(event: dict[str, Any]) -> bytes:
    """One event as JSON alone, as a WebSocket frame holds it."""
    return _JSON.encode(event).encode()


async def sent(
    make: Callable[[], Generator[dict[str, Any], None, None]],
    *,
    leave: Callable[[], None],
    keep_alive_s: float = KEEP_ALIVE_S,
) -> AsyncIterator[bytes]:
    """The events of `batches` as server-sent events; what is ready together goes together."""
    async for pieces in batches(make, leave=leave, keep_alive_s=keep_alive_s):
        yield b"".join(pieces) if pieces else KEEP_ALIVE


async def batches(
    make: Callable[[], Generator[dict[str, Any], None, None]],
    *,
    leave: Callable[[], None],
    keep_alive_s: float | None = KEEP_ALIVE_S,
    encode: Callable[[dict[str, Any]], bytes] = encode,
) -> AsyncIterator[list[bytes]]:
    """The encoded events that `make` gives, those together that are ready together.

    Args:
        make: starts the work; called, and drained, in a thread of its own.
        leave: stops the work from outside when the reader goes before its end.
        keep_alive_s: longest silence, after which an empty list comes; None if silence does no
            harm.
        encode: an event as it is sent.

    Raises:
        Exception: whatever the work raised, unless the reader had left.
    """
    pipe = _Pipe(asyncio.get_running_loop())

    def work() -> None:
        try:
            with closing(make()) as events:
                for event in events:
                    if not pipe.put(encode(event)):
                        return
                    pipe.let_begin()
            pipe.end(_END)
        except Stopped:
            pipe.end(_END)
        except Exception as exc:  # noqa: BLE001 - it is raised again on the other side
            pipe.end(exc)

    # Its own thread: the shared pool is small, and a language model takes minutes.
    threading.Thread(target=work, name="response", daemon=True).start()
    try:
        while (pieces := await pipe.take(keep_alive_s)) is not None:
            yield pieces
            pipe.release(len(pieces))
            pipe.begun.set()
    finally:
        pipe.close()
        leave()


class _Pipe:
    """From one thread to one task. The task is woken only when it sleeps: that costs most."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Any] = deque()
        self._room = threading.Semaphore(MAX_WAITING)
        self._ready = asyncio.Event()
        self._asleep = False
        self._gone = False
        self.begun = threading.Event()  # the first events were sent

    # --- the thread ---------------------------------------------------------------------------

    def put(self, piece: bytes) -> bool:
        """Hand one over, waiting for room; False when nobody reads any more."""
        self._room.acquire()  # a slow reader slows the work down
        if not self._gone:
            self.end(piece)
        return not self._gone

    def let_begin(self) -> None:
        """Wait until the first event is sent: what comes next would keep the interpreter busy."""
        if not self.begun.is_set():
            self.begun.wait(BEGIN_S)
            self.begun.set()

    def end(self, item: Any) -> None:
        """Hand over whatever there is room or no room for, such as the end."""
        self._waiting.append(item)
        if self._asleep:
            self._asleep = False
            with suppress(RuntimeError):  # the loop was closed under a reader that had left
                self._loop.call_soon_threadsafe(self._ready.set)

    # --- the task -----------------------------------------------------------------------------

    async def take(self, timeout_s: float | None) -> list[bytes] | None:
        """All that waits; nothing after so many seconds of silence; None at the end."""
        while not self._waiting:
            self._ready.clear()
            self._asleep = True
            if self._waiting:  # it came between the two
                break
            try:
                await asyncio.wait_for(self._ready.wait(), timeout_s)
            except TimeoutError:
                return []
        return self._taken()

    def _taken(self) -> list[bytes] | None:
        self._asleep = False
        pieces: list[bytes] = []
        while self._waiting and isinstance(self._waiting[0], bytes):
            pieces.append(self._waiting.popleft())
        if pieces:
            return pieces
        if isinstance(self._waiting[0], Exception):
            raise self._waiting[0]
        return None

    def release(self, n_pieces: int) -> None:
        """So many were sent."""
        if n_pieces:
            self._room.release(n_pieces)

    def close(self) -> None:
        """Nobody reads any more."""
        self._gone = True
        self.begun.set()
        self._room.release()
