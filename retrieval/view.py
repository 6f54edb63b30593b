"""What one search sees of a vector store: segments, the files live in them, their attributes.

A view never changes. Windows and chunks of all segments are numbered through, segment after
segment; `window_base` and `chunk_base` say where each segment's numbers start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from retrieval.attributes import FrozenColumns
from retrieval.filters import Filter, mask
from retrieval.language import ENGLISH, LANGUAGES
from retrieval.roster import Roster
from retrieval.segment import Segment
from retrieval.types import FileChange

# A query's words are looked for in the stems of these many languages, those most files are in;
# one file in a hundred is enough.
_MAX_LANGUAGES = 4
_MIN_LANGUAGE_SHARE = 0.01

DEAD = -1  # row of a file that was deleted, or whose content was replaced


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """What of one segment may be found: the same mask on each of its spaces."""

    sites: NDArray[np.bool_]  # (n_w + n_f + n_c,) windows, names of files, headings of chunks
    chunks: NDArray[np.bool_]  # (n_c,)
    bits: NDArray[np.uint8]  # windows again, eight to a byte, lowest bit first: for FAISS
    n_windows: int
    n_chunks: int

    @classmethod
    def of_files(cls, segment: Segment, files: NDArray[np.bool_]) -> Allowed:
        """From bool (n_f,)."""
        windows = np.repeat(files, np.diff(segment.file_window))
        chunks = files[segment.chunk_file]
        return cls(
            sites=np.concatenate([windows, files, chunks]),
            chunks=chunks,
            bits=np.packbits(windows, bitorder="little"),
            n_windows=int(windows.sum()),
            n_chunks=int(chunks.sum()),
        )


class LiveSegment:
    """A segment with the row of each of its files; new rows make a new one of these."""

    __slots__ = ("live", "n_terms", "rows", "segment")

    def __init__(self, segment: Segment, rows: NDArray[np.int64]) -> None:
        self.segment = segment
        self.rows = rows  # (n_f,) into the roster; DEAD where the file is gone
        self.live = Allowed.of_files(segment, rows != DEAD)
        self.n_terms = int(segment.chunk_length[self.live.chunks].sum())

    @property
    def is_whole(self) -> bool:
        """Whether every file is live."""
        return self.live.n_chunks == self.segment.n_chunks

    def allowed(self, passed: NDArray[np.bool_]) -> Allowed:
        """Live files whose row is among `passed`, bool (n_rows,)."""
        return Allowed.of_files(self.segment, passed[self.rows] & (self.rows != DEAD))


class View:
    """A vector store as it was at commit `seq`."""

    __slots__ = (
        "_roster",
        "chunk_base",
        "columns",
        "idf",
        "languages",
        "n_chunks",
        "n_terms",
        "n_windows",
        "segments",
        "seq",
    )

    def __init__(self, *, seq: int, segments: Sequence[LiveSegment], roster: Roster) -> None:
        self.seq = seq
        self.segments = tuple(segments)
        self.columns: FrozenColumns = roster.columns()
        self._roster = roster
        self.chunk_base = [0, *accumulate(live.segment.n_chunks for live in segments)]
        # Live ones only: what statistics are made of.
        self.n_windows = sum(live.live.n_windows for live in segments)
        self.n_chunks = sum(live.live.n_chunks for live in segments)
        self.n_terms = sum(live.n_terms for live in segments)
        self.languages = _languages(segments)
        self.idf: dict[str, float] = {}  # of terms that were asked for, see `keyword.idf`

    def allowed(self, filter: Filter | None) -> list[Allowed]:
        """The filter's mask, segment by segment; without one, all that is live."""
        if filter is None:
            return [live.live for live in self.segments]
        passed = mask(filter, self.columns)
        return [live.allowed(passed) for live in self.segments]

    def by_segment(
        self, chunks: NDArray[np.int64]
    ) -> Iterator[tuple[Segment, NDArray[np.intp], NDArray[np.int64]]]:
        """Each segment with positions in `chunks` of its own, and their numbers within it."""
        if len(self.segments) == 1:
            yield self.segments[0].segment, np.arange(len(chunks)), chunks
            return
        home = np.searchsorted(self.chunk_base, chunks, side="right") - 1
        for i in np.unique(home):
            positions = np.flatnonzero(home == i)
            yield self.segments[i].segment, positions, chunks[positions] - self.chunk_base[i]

    def files_and_ordinals(
        self, chunks: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """For each chunk its file's number, its ordinal there, and the first that reads alike."""
        found = np.empty((3, len(chunks)), dtype=np.int64)
        for segment, positions, local in self.by_segment(chunks):
            files = segment.chunk_file[local]
            starts = segment.file_chunk[files]
            found[0, positions] = segment.file_n[files]
            ordinal = segment.file_first_chunk[files] - starts
            found[1, positions] = local + ordinal
            found[2, positions] = segment.chunk_same_as[local] + ordinal
        return found[0], found[1], found[2]

    def record(self, chunk: int) -> FileChange:
        """The state of the chunk's file."""
        i = int(np.searchsorted(self.chunk_base, chunk, side="right")) - 1
        live = self.segments[i]
        return self._roster.record(
            int(live.rows[live.segment.chunk_file[chunk - self.chunk_base[i]]])
        )


def _languages(segments: Sequence[LiveSegment]) -> tuple[str, ...]:
    """The languages of the live files, the most frequent first."""
    n_files = np.zeros(len(LANGUAGES), dtype=np.int64)
    for live in segments:
        spoken = live.segment.language[live.rows != DEAD]
        n_files += np.bincount(spoken, minlength=len(LANGUAGES))
    most = np.argsort(-n_files, kind="stable")[:_MAX_LANGUAGES]
    enough = max(1, int(_MIN_LANGUAGE_SHARE * n_files.sum()))
    return tuple(LANGUAGES[i] for i in most if n_files[i] >= enough) or (ENGLISH,)
