"""The process that parses: ``python -m ingest.parser_process``, started by `ingest.sandbox`.

It shuts itself in before it reads anything, sets its limits for every file anew, and answers
whatever happens; what it cannot answer, such as a crash of a library, its parent sees from its end.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from ingest.confine import Confinement
from ingest.frames import DIED, MEBI, most_bytes, receive, send
from ingest.parse import parse_parts
from ingest.parse.letters import PageSpan
from ingest.parse.packing import pack
from ingest.parse.page_begins import page_begins
from retrieval.errors import FileFailed, OverBudget, UnsupportedFile
from retrieval.types import Document

try:
    import resource
except ImportError:  # Windows: the time limit holds there, the memory limit does not
    resource = None  # type: ignore[assignment]


def _serve() -> None:
    """Answer requests until the parent closes its end."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not fall between the frames
    confinement = Confinement()
    while (frame := receive(sys.stdin.buffer, at_most=MEBI)) is not None:
        request = json.loads(frame)
        confinement.allow(request["path"])
        page_begins.set(partial(_begin_page, request, replies))
        for reply in _answer(request):
            send(replies, reply)


def _begin_page(request: dict[str, Any], replies: IO[bytes]) -> None:
    """Tell that a page is recognised now: that may take as long as another file in whole."""
    _limit_time(request["seconds"])
    send(replies, b'{"page": true}')


def _answer(request: dict[str, Any]) -> Iterator[bytes]:
    """What the child says: the parts of a document and "end", the boxes, or why there are none."""
    try:
        _limit(seconds=request["seconds"], memory_bytes=request["memory_bytes"])
        path = Path(request["path"])
        if "spans" in request:
            yield json.dumps({"boxes": _found_boxes(path, request["spans"])}).encode()
        else:
            parts = parse_parts(path, filename=request["filename"])
            yield from _packed(parts, request["text_chars"])
            yield b'{"end": true}'
    except FileFailed as error:
        yield json.dumps(_described(error)).encode()
    except MemoryError:
        megabytes = request["memory_bytes"] / 1e6
        failure = {"failure": "OverBudget", "what": "megabytes of memory", "limit": megabytes}
        yield json.dumps(failure).encode()
    except RecursionError:
        limit = sys.getrecursionlimit()
        failure = {"failure": "OverBudget", "what": "levels of nesting", "limit": limit}
        yield json.dumps(failure).encode()
    except Exception as error:  # noqa: BLE001 - whatever a parser raises, this file has failed
        failure = {"failure": "Unreadable", "message": DIED, "crash": _where(error)}
        yield json.dumps(failure).encode()


def _found_boxes(path: Path, spans: list[list[Any]]) -> list[dict[str, Any]]:
    from ingest.parse.pdf_boxes import find_boxes  # noqa: PLC0415 - PDFium only where needed

    found = find_boxes(path, [PageSpan(*span) for span in spans])
    return [page.as_dict() for page in found]


def _where(error: Exception) -> str:
    """Class and line of an error; not its message, which may hold text of the file."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _packed(parts: Iterable[Document], most_chars: int) -> Iterator[bytes]:
    left = most_chars
    for part in parts:
        packed = pack(part)
        if len(part.text) > left or len(packed) > most_bytes(left):
            raise OverBudget("characters of text", limit=most_chars)
        left -= len(part.text)
        yield b'{"part": true}'
        yield packed


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
    _limit_time(seconds)
    _set_soft(resource.RLIMIT_AS, _address_space() + memory_bytes)
    _set_soft(resource.RLIMIT_CORE, 0)


def _limit_time(seconds: float) -> None:
    if resource is None:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = usage.ru_utime + usage.ru_stime
    _set_soft(resource.RLIMIT_CPU, int(used_s + seconds) + 1)


def _set_soft(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard < 0 else min(value, hard), hard))


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux: a guess that is too large rather than too small
        return 1024 * MEBI
    return pages * resource.getpagesize()


if __name__ == "__main__":
    _serve()
