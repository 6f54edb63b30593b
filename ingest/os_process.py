"""What a worker asks of the operating system: locks that show who lives, and low priority."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import threading
from pathlib import Path
from typing import IO

_LOWEST_PRIORITY = 19


def hold_lock(folder: Path, name: str) -> IO[str]:
    """A lock file that is held until it is closed, or until this process ends, however it does."""
    folder.mkdir(exist_ok=True)
    handle = (folder / name).open("w")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock; its file goes with its owner."""
    try:
        with path.open("r+") as handle, contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            return True
    except FileNotFoundError:
        return True
    return False


def lower_priority(by: int) -> None:
    """Of this thread and of all that it starts, by so many steps below the process.

    Without effect where only whole processes have a priority.
    """
    if sys.platform == "linux" and by:
        steps = os.getpriority(os.PRIO_PROCESS, os.getpid()) + by
        with contextlib.suppress(OSError):
            os.setpriority(
                os.PRIO_PROCESS, threading.get_native_id(), min(steps, _LOWEST_PRIORITY)
            )
