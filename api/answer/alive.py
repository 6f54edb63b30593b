"""Whether the process that began something still lives, by a lock that dies with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
from pathlib import Path


class Alive:
    """A name for this process, and a locked file of that name for as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._here = f"{socket.gethostname()}-"
        self.name = f"{self._here}{os.getpid()}-{secrets.token_hex(4)}"
        folder.mkdir(exist_ok=True)
        self._handle = (folder / self.name).open("w")
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """From now on the name belongs to the dead."""
        self._handle.close()
        (self._folder / self.name).unlink(missing_ok=True)

    def is_dead(self, name: str) -> bool:
        """Whether nobody of this name lives; of another machine nobody can say, so no."""
        if name == self.name or not name.startswith(self._here):
            return False
        try:
            with (self._folder / name).open("r+") as handle:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    (self._folder / name).unlink(missing_ok=True)
                    return True
                return False
        except FileNotFoundError:
            return True
