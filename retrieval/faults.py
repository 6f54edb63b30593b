"""Named points at which a test may end the process as `kill -9` would.

In normal running every point is a comparison with None. `tests/crash` arms one in a child
process, and lists the points in the source so that none is forgotten.
"""

from __future__ import annotations

import os
import signal

_armed: str | None = None
_passes_left = 0


def arm(name: str, *, after: int = 0) -> None:
    """Die at point `name`, the first `after` passes through it spared. For tests only."""
    global _armed, _passes_left
    _armed, _passes_left = name, after


def point(name: str) -> None:
    """Mark a place where a crash is interesting."""
    global _passes_left  # noqa: PLW0603
    if name != _armed:
        return
    if _passes_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _passes_left -= 1
