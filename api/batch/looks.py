"""Whether a file is still the one that was indexed: by its looks first, by its bytes behind that.

A file whose size and mtime are as noted is not read. That is safe only if a later change must
change the mtime: when a file was read within the tick of the clock in which it was written, a
second write in that tick leaves no trace. Such an mtime is not noted, and the file is read again
the next time. Git does the same with its index and calls these entries racily clean.

Source: git, Documentation/technical/racy-git.txt.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from api.batch.types import FoundFile
from retrieval.store.sources import Source

# The coarsest clocks of file systems in use tick every two seconds (FAT); those of network file
# systems may be that far from ours.
_TICK_NS = 2_000_000_000


def looks_unchanged(file: FoundFile, source: Source) -> bool:
    """Whether size and mtime say that this is what was indexed."""
    return (source.mtime_ns, source.n_bytes) == (file.mtime_ns, file.n_bytes)


def noted_mtime(before: os.stat_result, after: os.stat_result, *, read_at_ns: int) -> int | None:
    """The mtime to remember of a file that was read; None if one cannot go by it.

    Args:
        before: of the open file before it was read.
        after: the same, after; if they differ, somebody wrote meanwhile.
        read_at_ns: Unix time before reading, in ns.
    """
    same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    return before.st_mtime_ns if same and read_at_ns - before.st_mtime_ns > _TICK_NS else None


def is_final(source: Source) -> bool:
    """Whether indexing failed for a reason that lies in the file, which is as it was."""
    return source.status == "failed" and source.error_code in {"unsupported_file", "invalid_file"}


def newest(sources: Sequence[Source]) -> Source | None:
    """What counts of several at one path: it will replace the others, or has failed to."""
    return sources[-1] if sources else None
