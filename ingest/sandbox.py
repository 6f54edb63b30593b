"""Parsing in a child process, so that no file can take the service down with it.

A file may crash its parser, keep it busy for ever or make it eat all memory. The child has hard
limits for each of these; when it ends early, the file has failed and the next one gets a new
child. A healthy child is used again, for starting one costs about a tenth of a second.

In the child nothing but the file at hand can be opened, see `ingest.confine`.

The child is ``python -m ingest.parser_process``: no fork, hence safe from any thread, and no import of
the caller's main module, hence usable from a plain script. What the two say is in
`ingest.frames`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ingest.frames import DIED, MEBI, most_bytes, receive, send
from ingest.parse.letters import PageSpan
from ingest.parse.packing import unpack
from ingest.parse.parts import joined
from retrieval.boxes import PageBoxes
from retrieval.errors import Encrypted, FileFailed, NoText, OverBudget, Unreadable, UnsupportedFile
from retrieval.types import Document

logger = logging.getLogger("sourcebook.sandbox")

_FILES_PER_CHILD = 200  # libraries leak; a new child now and then keeps that small
_BYTES_PER_S = 1e6  # what parsing must do of a long file
_MAX_SCANNED_PAGES = 5_000  # that get time of their own
_GRACE_S = 2.0  # the child's own limit on processor time comes before the parent's on real time
_FAILURES: dict[str, type[FileFailed]] = {
    kind.__name__: kind for kind in (Encrypted, NoText, OverBudget, Unreadable, UnsupportedFile)
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What parsing one file may cost.

    The default time is over ten times what our largest file takes: a filing of 252 pages, 4 s.
    """

    seconds: float = 120.0  # of real time, and one more for every megabyte of the file
    memory_bytes: int = 2048 * MEBI  # on top of what an idle child needs
    text_chars: int = 600_000_000  # of the document's text; most formats reach the memory first


class Sandbox:
    """A child that parses; safe to use from several threads, one file at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._n_files = 0

    def parse(self, path: Path, *, filename: str, limits: Limits | None = None) -> Document:
        """Parse the file at `path` in the child, starting one if there is none.

        Raises:
            FileFailed: a subclass, as `ingest.parse.parse` raises it; `OverBudget` at a limit,
                `Unreadable` when the parser crashed.
            FileNotFoundError: there is no such file, which is not the file's fault.
        """
        return joined(self.parse_parts(path, filename=filename, limits=limits))

    def parse_parts(
        self, path: Path, *, filename: str, limits: Limits | None = None
    ) -> Generator[Document, None, None]:
        """The same in parts as the child gives them, see `ingest.parse.parts`.

        A failure may come after some parts. The child is this iterator's until it ends; one that
        is left before its end costs the child.
        """
        request = _request(path, {"filename": filename}, limits or Limits())
        with self._lock:
            child, last, is_well = self._ready_child(), None, False
            try:
                with _Deadline(child, request["seconds"]) as deadline:
                    for reply in _replies(child, request):
                        if isinstance(reply, Document):
                            yield reply
                        elif "page" in reply:
                            deadline.renew()
                        else:
                            last = reply
                last = deadline.judged(last)
                is_well = not (last is None or _recycle(last))
            finally:
                if not is_well or self._is_worn(child):
                    self._stop()
        if last is None or "end" not in last:
            raise _failure(last or {})

    def boxes(
        self, path: Path, spans: Sequence[PageSpan], *, limits: Limits | None = None
    ) -> list[PageBoxes]:
        """Find where runs of letters of a PDF stand, see `ingest.parse.pdf_boxes`.

        Raises:
            FileFailed, FileNotFoundError: as `parse`.
        """
        reply = self._run(path, {"spans": list(spans)}, limits or Limits())
        return _boxes(reply)

    def _run(self, path: Path, task: dict[str, Any], limits: Limits) -> dict[str, Any] | None:
        request = _request(path, task, limits)
        with self._lock:
            child = self._ready_child()
            with _Deadline(child, request["seconds"]) as deadline:
                reply = _ask(child, request)
            reply = deadline.judged(reply)
            if reply is None or _recycle(reply) or self._is_worn(child):
                self._stop()
        return reply

    def _is_worn(self, child: subprocess.Popen[bytes]) -> bool:
        return self._n_files >= _FILES_PER_CHILD or child.poll() is not None

    def close(self) -> None:
        """End the child; a later `parse` starts a new one."""
        with self._lock:
            self._stop()

    def interrupt(self) -> None:
        """Kill the child, from another thread: a `parse` under way ends at once, `Unreadable`."""
        if (child := self._child) is not None:
            child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ready_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._stop()
            self._child = _start()
            self._n_files = 0
        self._n_files += 1
        return self._child

    def _stop(self) -> None:
        if self._child is None:
            return
        child, self._child = self._child, None
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def parse_in_child(path: Path, *, filename: str, limits: Limits | None = None) -> Document:
    """Parse a file in a child process shared by the whole program; see `Sandbox.parse`."""
    return _shared().parse(path, filename=filename, limits=limits)


def boxes_in_child(
    path: Path, spans: Sequence[PageSpan], *, limits: Limits | None = None
) -> list[PageBoxes]:
    """Find letters of a PDF in a child process shared by the whole program; `Sandbox.boxes`."""
    return _shared().boxes(path, spans, limits=limits)


@cache
def _shared() -> Sandbox:
    sandbox = Sandbox()
    atexit.register(sandbox.close)
    return sandbox


# --- the parent's side --------------------------------------------------------------------


def _start() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root]),
        "OPENBLAS_NUM_THREADS": "1",  # each of its threads reserves address space
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            "ingest.parser_process",
        ],  # -P: no modules from where it is called
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _request(path: Path, task: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """What is asked of the child; a long file gets more time.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = path.resolve(strict=True)
    seconds = limits.seconds + path.stat().st_size / _BYTES_PER_S
    return {"path": str(path), **task, **asdict(limits), "seconds": seconds}


class _Deadline:
    """Kills the child when time is up, which ends every read from it."""

    def __init__(self, child: subprocess.Popen[bytes], seconds: float) -> None:
        self._child = child
        self._seconds = seconds
        self._late = threading.Event()
        self._n_renewals = 0
        self._timer = self._new_timer()

    def _new_timer(self) -> threading.Timer:
        timer = threading.Timer(self._seconds + _GRACE_S, self._end)
        timer.daemon = True
        return timer

    def renew(self) -> None:
        """Count anew: the child begins a page whose text it has to recognise."""
        self._n_renewals += 1
        if self._n_renewals <= _MAX_SCANNED_PAGES:
            self._timer.cancel()
            self._timer = self._new_timer()
            self._timer.start()

    def _end(self) -> None:
        self._late.set()
        self._child.kill()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def judged(self, reply: dict[str, Any] | None) -> dict[str, Any] | None:
        """The child's last word; None, when it died without one, unless it ran out of time."""
        if reply is None and (self._late.is_set() or _out_of_processor_time(self._child)):
            return {"failure": "OverBudget", "what": "seconds", "limit": self._seconds}
        return reply


def _ask(child: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any] | None:
    """Send `request` and return the one reply; None means that the child died."""
    try:
        send(_pipe(child.stdin), json.dumps(request).encode())
        frame = receive(_pipe(child.stdout), at_most=most_bytes(request["text_chars"]))
        reply: dict[str, Any] | None = None if frame is None else json.loads(frame)
    except (OSError, ValueError):
        return None
    return reply


def _replies(
    child: subprocess.Popen[bytes], request: dict[str, Any]
) -> Iterator[Document | dict[str, Any]]:
    """Send `request`; yield the parts of the document and the last word, if the child has one."""
    left = request["text_chars"]
    reply = _ask(child, request)
    while reply is not None and ("part" in reply or "page" in reply):
        if "page" in reply:
            yield reply
            reply = _last_word(child)
            continue
        part = _part(child, at_most=most_bytes(left))
        if part is None or len(part.text) > left:
            return
        left -= len(part.text)
        yield part
        reply = _last_word(child)
    if reply is not None:
        yield reply


def _part(child: subprocess.Popen[bytes], *, at_most: int) -> Document | None:
    try:
        packed = receive(_pipe(child.stdout), at_most=at_most)
        return None if packed is None else unpack(packed)
    except (OSError, ValueError):
        return None


def _last_word(child: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    try:
        frame = receive(_pipe(child.stdout), at_most=MEBI)
        reply: dict[str, Any] | None = None if frame is None else json.loads(frame)
    except (OSError, ValueError):
        return None
    return reply


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the child was started without pipes")
    return pipe


def _out_of_processor_time(child: subprocess.Popen[bytes]) -> bool:
    child.kill()  # without effect on one that is dead, as it usually is here
    return child.wait() == -getattr(signal, "SIGXCPU", 0)


def _recycle(reply: dict[str, Any]) -> bool:
    return reply.get("failure") == "OverBudget"


def _boxes(reply: dict[str, Any] | None) -> list[PageBoxes]:
    if reply is None or "boxes" not in reply:
        raise _failure(reply or {})
    try:
        return [PageBoxes.from_dict(plain) for plain in reply["boxes"]]
    except (KeyError, TypeError, ValueError):
        raise Unreadable(DIED) from None


def _failure(reply: dict[str, Any]) -> FileFailed:
    """The child's error, rebuilt: same class, message and fields."""
    if "crash" in reply:
        logger.warning("parser_crashed", extra={"crash": reply["crash"]})
    kind = _FAILURES.get(str(reply.get("failure")))
    if kind is OverBudget:
        return OverBudget(str(reply["what"]), limit=float(reply["limit"]))
    if kind is UnsupportedFile:
        return UnsupportedFile(str(reply["media_type"]), advice=str(reply["advice"]))
    return kind(str(reply["message"])) if kind else Unreadable(DIED)
