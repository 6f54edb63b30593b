"""Shuts a process in: no network, no other program, no file but its own code and one input.

A document may name files and addresses, and some library may follow them. The parsers are set
not to; this is the second lock, for what runs through Python. Libraries in C open files without
asking it, so for each of these (lxml, PDFium, calamine) it is the parser's options that count, and
``tests/unit/ingest/test_confine.py`` holds all of them to it.
"""

from __future__ import annotations

import mimetypes
import os
import sys
from typing import Any

_REFUSED = frozenset({
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn",
    "os.spawn", "os.fork", "os.forkpty", "os.startfile", "pty.spawn", "urllib.Request",
    "webbrowser.open",
})  # fmt: skip
_HARMLESS = frozenset({os.devnull, "/dev/urandom", "/proc/self/statm", *mimetypes.knownfiles})
_BYTECODE = "__pycache__"  # what Python itself writes beside the code that it reads


class Confinement:
    """The lock of this process; it cannot be taken off again, only be given another input."""

    def __init__(self) -> None:
        paths = [sys.prefix, sys.base_prefix, sys.exec_prefix, *filter(None, sys.path)]
        self._roots = tuple({os.path.join(os.path.realpath(path), "") for path in paths})  # noqa: PTH118
        self._input = ""
        sys.addaudithook(self._audit)

    def allow(self, path: str) -> None:
        """Let `path` be read, and no longer the file that was allowed before."""
        self._input = os.path.realpath(path)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge what Python is about to do.

        Raises:
            PermissionError: it is not to be done here.
        """
        if event in _REFUSED:
            raise PermissionError(f"{event} is not allowed where files are parsed")
        if event == "open" and isinstance(arguments[0], str | bytes):
            self._judge(os.fsdecode(arguments[0]), arguments[1], arguments[2])

    def _judge(self, path: str, mode: str | None, flags: int) -> None:
        if path in _HARMLESS:
            return
        real = os.path.realpath(path)
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) or bool(set(mode or "") & set("wax+"))
        inside = real.startswith(self._roots)
        reads = inside or real == self._input
        allowed = (inside and _BYTECODE in real) if writes else reads
        if not allowed:
            raise PermissionError("a file other than the one that is parsed")
