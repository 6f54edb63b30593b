"""Parsing in a child process, so that no file can take the service down with it.

A file may crash its parser, keep it busy for ever or make it eat all memory. The child has hard
limits for each of these; when it ends early, the file has failed and the next one gets a new
child. A healthy child is used again, for starting one costs about a tenth of a second.

In the child nothing but the file at hand can be opened, see `ingest.confine`.

The child is ``python -m ingest.sandbox``: no fork, hence safe from any thread, and no import of
the caller's main module, hence usable from a plain script. The two sides talk over pipes in
frames: eight bytes of length, then that many bytes of JSON.
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
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ingest.confine import Confinement
from ingest.parse import parse
from ingest.parse.letters import PageSpan
from ingest.parse.packing import pack, unpack
from retrieval.boxes import PageBoxes
from retrieval.errors import Encrypted, FileFailed, NoText, OverBudget, Unreadable, UnsupportedFile
from retrieval.types import Document

try:
    import resource
except ImportError:  # Windows: the time limit holds there, the memory limit does not
    resource = None  # type: ignore[assignment]

logger = logging.getLogger("sourcebook.sandbox")

_MEBI = 1 << 20
_FILES_PER_CHILD = 200  # libraries leak; a new child now and then keeps that small
_LENGTH_BYTES = 8
_BYTES_PER_CHAR = 12  # of a packed document: text in UTF-8, escapes, and the blocks' numbers
_GRACE_S = 2.0  # the child's own limit on processor time comes before the parent's on real time
_FAILURES: dict[str, type[FileFailed]] = {
    kind.__name__: kind for kind in (Encrypted, NoText, OverBudget, Unreadable, UnsupportedFile)
}
_DIED = (
    "The file made its parser crash. It is probably damaged: open it in the program it was made "
    "with, save it anew, and add that."
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What parsing one file may cost.

    The default time is over ten times what our largest file takes: a filing of 252 pages, 4 s.
    """

    seconds: float = 120.0  # of real time
    memory_bytes: int = 2048 * _MEBI  # on top of what an idle child needs
    text_chars: int = 200_000_000  # of the document's text


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
        return _document(self._run(path, {"filename": filename}, limits or Limits()))

    def boxes(
        self, path: Path, spans: Sequence[PageSpan], *, limits: Limits | None = None
    ) -> list[PageBoxes]:
        """Find where runs of letters of a PDF stand, see `ingest.parse.pdf_boxes`.

        Raises:
            FileFailed, FileNotFoundError: as `parse`.
        """
        reply = self._run(path, {"spans": list(spans)}, limits or Limits())
        return _boxes(reply)

    def _run(
        self, path: Path, task: dict[str, Any], limits: Limits
    ) -> dict[str, Any] | bytes | None:
        request = {"path": str(path.resolve(strict=True)), **task, **asdict(limits)}
        with self._lock:
            child = self._ready_child()
            reply = _exchange(child, request, limits.seconds)
            worn = self._n_files >= _FILES_PER_CHILD or child.poll() is not None
            if worn or reply is None or _recycle(reply):
                self._stop()
        return reply

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
        [sys.executable, "-P", "-m", "ingest.sandbox"],  # -P: no modules from where it is called
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _exchange(
    child: subprocess.Popen[bytes], request: dict[str, Any], seconds: float
) -> dict[str, Any] | bytes | None:
    """Send `request` and return the child's reply: a failure, a packed document, or None.

    None means that the child died. A timer kills it when time is up, which ends the read.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(seconds + _GRACE_S, end)
    timer.daemon = True
    timer.start()
    try:
        reply = _ask(child, request)
    finally:
        timer.cancel()
    if reply is None and (late.is_set() or _out_of_processor_time(child)):
        return {"failure": "OverBudget", "what": "seconds", "limit": seconds}
    return reply


def _ask(child: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any] | bytes | None:
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child was started without pipes")
    try:
        _send(child.stdin, json.dumps(request).encode())
        most = _BYTES_PER_CHAR * request["text_chars"] + _MEBI
        head = _receive(child.stdout, at_most=_MEBI)
        if head is None:
            return None
        reply: dict[str, Any] = json.loads(head)
        return _receive(child.stdout, at_most=most) if "document" in reply else reply
    except (OSError, ValueError):
        return None


def _out_of_processor_time(child: subprocess.Popen[bytes]) -> bool:
    child.kill()  # without effect on one that is dead, as it usually is here
    return child.wait() == -getattr(signal, "SIGXCPU", 0)


def _recycle(reply: dict[str, Any] | bytes) -> bool:
    return isinstance(reply, dict) and reply.get("failure") == "OverBudget"


def _document(reply: dict[str, Any] | bytes | None) -> Document:
    if isinstance(reply, bytes):
        try:
            return unpack(reply)
        except ValueError:
            reply = None
    if reply is None:
        raise Unreadable(_DIED)
    raise _failure(reply)


def _boxes(reply: dict[str, Any] | bytes | None) -> list[PageBoxes]:
    if not isinstance(reply, dict):
        raise Unreadable(_DIED)
    if "boxes" not in reply:
        raise _failure(reply)
    try:
        return [PageBoxes.from_dict(plain) for plain in reply["boxes"]]
    except (KeyError, TypeError, ValueError):
        raise Unreadable(_DIED) from None


def _failure(reply: dict[str, Any]) -> FileFailed:
    """The child's error, rebuilt: same class, message and fields."""
    if "crash" in reply:
        logger.warning("parser_crashed", extra={"crash": reply["crash"]})
    kind = _FAILURES.get(str(reply.get("failure")))
    if kind is OverBudget:
        return OverBudget(str(reply["what"]), limit=float(reply["limit"]))
    if kind is UnsupportedFile:
        return UnsupportedFile(str(reply["media_type"]), advice=str(reply["advice"]))
    return kind(str(reply["message"])) if kind else Unreadable(_DIED)


# --- both sides ---------------------------------------------------------------------------


def _send(pipe: IO[bytes], frame: bytes) -> None:
    pipe.write(len(frame).to_bytes(_LENGTH_BYTES, "big"))
    pipe.write(frame)
    pipe.flush()


def _receive(pipe: IO[bytes], *, at_most: int) -> bytes | None:
    """One frame, or None at the end of the stream.

    Raises:
        ValueError: the frame is longer than `at_most` bytes.
    """
    length = pipe.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        return None
    n_bytes = int.from_bytes(length, "big")
    if n_bytes > at_most:
        raise ValueError(f"a frame of {n_bytes} bytes, where at most {at_most} are taken")
    frame = pipe.read(n_bytes)
    return frame if len(frame) == n_bytes else None


# --- the child's side ---------------------------------------------------------------------


def _serve() -> None:
    """Answer requests until the parent closes its end."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not fall between the frames
    confinement = Confinement()
    while (frame := _receive(sys.stdin.buffer, at_most=_MEBI)) is not None:
        request = json.loads(frame)
        confinement.allow(request["path"])
        for reply in _answer(request):
            _send(replies, reply)


def _answer(request: dict[str, Any]) -> list[bytes]:
    try:
        _limit(seconds=request["seconds"], memory_bytes=request["memory_bytes"])
        path = Path(request["path"])
        if "spans" in request:
            return [json.dumps({"boxes": _found_boxes(path, request["spans"])}).encode()]
        document = parse(path, filename=request["filename"])
        return _packed(document, request["text_chars"])
    except FileFailed as error:
        return [json.dumps(_described(error)).encode()]
    except MemoryError:
        megabytes = request["memory_bytes"] / 1e6
        failure = {"failure": "OverBudget", "what": "megabytes of memory", "limit": megabytes}
        return [json.dumps(failure).encode()]
    except RecursionError:
        limit = sys.getrecursionlimit()
        failure = {"failure": "OverBudget", "what": "levels of nesting", "limit": limit}
        return [json.dumps(failure).encode()]
    except Exception as error:  # noqa: BLE001 - whatever a parser raises, this file has failed
        failure = {"failure": "Unreadable", "message": _DIED, "crash": _where(error)}
        return [json.dumps(failure).encode()]


def _found_boxes(path: Path, spans: list[list[Any]]) -> list[dict[str, Any]]:
    from ingest.parse.pdf_boxes import find_boxes  # noqa: PLC0415 - PDFium only where needed

    found = find_boxes(path, [PageSpan(*span) for span in spans])
    return [page.as_dict() for page in found]


def _where(error: Exception) -> str:
    """Class and line of an error; not its message, which may hold text of the file."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _packed(document: Document, most_chars: int) -> list[bytes]:
    packed = pack(document)
    if len(document.text) > most_chars or len(packed) > _BYTES_PER_CHAR * most_chars + _MEBI:
        raise OverBudget("characters of text", limit=most_chars)
    return [b'{"document": true}', packed]


def _described(error: FileFailed) -> dict[str, Any]:
    described: dict[str, Any] = {"failure": type(error).__name__, "message": str(error)}
    if isinstance(error, UnsupportedFile):
        described |= {"media_type": error.media_type, "advice": str(error).split(". ", 1)[-1]}
    if isinstance(error, OverBudget):
        described |= {"what": error.what, "limit": error.limit}
    return described


def _limit(*, seconds: float, memory_bytes: int) -> None:
    """Set the soft limits for the next file, counted from what is in use now."""
    if resource is None:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = usage.ru_utime + usage.ru_stime
    _set_soft(resource.RLIMIT_CPU, int(used_s + seconds) + 1)
    _set_soft(resource.RLIMIT_AS, _address_space() + memory_bytes)
    _set_soft(resource.RLIMIT_CORE, 0)


def _set_soft(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard < 0 else min(value, hard), hard))


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux: a guess that is too large rather than too small
        return 1024 * _MEBI
    return pages * resource.getpagesize()


if __name__ == "__main__":
    _serve()
