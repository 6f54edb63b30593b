"""Where the files of an index live, what becomes of them, and which segments may be joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.codes import Codes, codes_path
from retrieval.segment import Segment
from retrieval.view import LiveSegment

Homes = tuple[tuple[Segment, int], ...]  # where the stretches of a file are; of most files one
# Of one segment: each costs every search the same again, and a merge of so many the memory of
# their postings, 100 MB or so; rows are merged from file to file (`packed.gathered`).
FOLD_MAX_WINDOWS = 262_144
# A segment is merged again only with others that together are no smaller than a quarter of it, so
# a window is merged a few times, however large the vector store grows.
_GROWTH = 4


def content_seq(homes: Homes) -> int:
    """The commit that put a file's content in place."""
    segment, i = homes[0]
    return int(segment.content_seq[i])


def groups(segments: Sequence[LiveSegment]) -> list[list[LiveSegment]]:
    """Segments that may become one, those of a group together no larger than one may grow.

    A much larger one stays out of a group. Alone in its group is only who has dead windows to lose.
    """
    found: list[list[LiveSegment]] = []
    n_windows = 0
    for live in sorted(segments, key=lambda live: live.live.n_windows):
        n = live.live.n_windows
        if not found or n_windows + n > FOLD_MAX_WINDOWS or n > _GROWTH * n_windows:
            found.append([])
            n_windows = 0
        found[-1].append(live)
        n_windows += n
    return [group for group in found if len(group) > 1 or not group[0].is_whole]


class Pointers:
    """New rows for files of old segments; the old ones, which views hold, stay as they are."""

    def __init__(self, segments: Sequence[LiveSegment]) -> None:
        self._segments = segments
        self._rows: dict[int, NDArray[np.int64]] = {}

    def set(self, homes: Homes, row: int) -> None:
        """Point the file that lives in `homes` to `row`."""
        for segment, i in homes:
            if id(segment) not in self._rows:
                live = next(live for live in self._segments if live.segment is segment)
                self._rows[id(segment)] = live.rows.copy()
            self._rows[id(segment)][i] = row

    def applied(self) -> list[LiveSegment]:
        """The segments with their new rows; those that have none are the same objects."""
        return [
            live.with_rows(self._rows[id(live.segment)])
            if id(live.segment) in self._rows
            else live
            for live in self._segments
        ]


def opened(path: Path, rows: NDArray[np.int64]) -> LiveSegment:
    """A saved segment, with its codes unless they are missing or damaged."""
    segment = Segment.open(path)
    codes = Codes.open(codes_path(path), n_windows=segment.n_windows, dim=segment.vectors.shape[1])
    return LiveSegment(segment, rows, codes)
