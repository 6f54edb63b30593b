"""What one search sees of a vector store: segments, the files live in them, their attributes.

A view never changes. Windows and chunks of all segments are numbered through, segment after
segment; `window_base` and `chunk_base` say where each segment's numbers start.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from retrieval.attributes import FrozenColumns
from retrieval.codes import Codes, lists_of
from retrieval.filters import Filter, mask
from retrieval.language import ENGLISH, LANGUAGES
from retrieval.plan import DEFAULT, Tuning
from retrieval.roster import Roster
from retrieval.rows import KEPT_BYTES
from retrieval.segment import Segment
from retrieval.types import FileChange

# A query's words are looked for in the stems of these many languages, those most files are in;
# one file in a hundred is enough.
_MAX_LANGUAGES = 4
_MIN_LANGUAGE_SHARE = 0.01

# Up to this share of windows, a mask is made faster from those that are allowed.
_FEW_SHARE = 0.1
DEAD = -1  # row of a file that was deleted, or whose content was replaced


class Allowed:
    """What of one segment may be found: some of its files, and the same on its other spaces.

    Masks are made when they are first asked for: few searches need all of them.
    """

    __slots__ = (
        "_bits",
        "_chunks",
        "_lists",
        "_n_chunks",
        "_sites",
        "files",
        "n_windows",
        "segment",
    )

    def __init__(self, segment: Segment, files: NDArray[np.bool_]) -> None:
        self.segment = segment
        self.files = files  # (n_f,)
        borders, kept = segment.file_window, np.flatnonzero(files)
        self.n_windows = int((borders[kept + 1] - borders[kept]).sum())
        self._n_chunks: int | None = None
        self._sites: NDArray[np.bool_] | None = None
        self._chunks: NDArray[np.bool_] | None = None
        self._bits: NDArray[np.uint8] | None = None
        self._lists: NDArray[np.int64] | None = None

    @property
    def n_chunks(self) -> int:
        """How many chunks may be found."""
        if self._n_chunks is None:
            borders, kept = self.segment.file_chunk, np.flatnonzero(self.files)
            self._n_chunks = int((borders[kept + 1] - borders[kept]).sum())
        return self._n_chunks

    @property
    def is_all(self) -> bool:
        """Whether the whole segment may be found."""
        return self.n_windows == self.segment.n_windows

    @property
    def chunks(self) -> NDArray[np.bool_]:
        """(n_c,)."""
        if self._chunks is None:
            self._chunks = np.repeat(self.files, np.diff(self.segment.file_chunk))
        return self._chunks

    @property
    def sites(self) -> NDArray[np.bool_]:
        """(n_w + n_f + n_c,) windows, names of files, headings of chunks."""
        if self._sites is None:
            self._sites = np.concatenate([self._windows(), self.files, self.chunks])
        return self._sites

    @property
    def bits(self) -> NDArray[np.uint8]:
        """Windows, eight to a byte, lowest bit first: for FAISS."""
        if self._bits is None:
            self._bits = np.packbits(self._windows(), bitorder="little")
        return self._bits

    @property
    def lists(self) -> NDArray[np.int64]:
        """The lists of codes that hold any of it."""
        if self._lists is None:
            borders, files = self.segment.file_window, np.flatnonzero(self.files)
            first, end = borders[files], borders[files + 1]
            self._lists = lists_of(first[end > first], end[end > first])
        return self._lists

    def _windows(self) -> NDArray[np.bool_]:
        """(n_w,)."""
        if self.n_windows > _FEW_SHARE * self.segment.n_windows:
            return np.repeat(self.files, np.diff(self.segment.file_window))
        windows = np.zeros(self.segment.n_windows, dtype=np.bool_)
        windows[self.windows()] = True
        return windows

    def windows(self) -> NDArray[np.int64]:
        """Ordinals, ascending."""
        return self.segment.windows_of(np.flatnonzero(self.files))


class LiveSegment:
    """A segment with the row of each of its files; new rows make a new one of these."""

    __slots__ = ("_n_speaking", "_n_terms", "codes", "live", "rows", "segment")

    def __init__(
        self, segment: Segment, rows: NDArray[np.int64], codes: Codes | None = None
    ) -> None:
        self.segment = segment
        self.rows = rows  # (n_f,) into the roster; DEAD where the file is gone
        self.codes = codes  # of all its windows, once they are made
        self.live = Allowed(segment, rows != DEAD)
        self._n_terms: int | None = None
        self._n_speaking: NDArray[np.int64] | None = None

    @property
    def n_terms(self) -> int:
        """How many terms its live chunks have."""
        if self._n_terms is None:
            lengths = self.segment.chunk_length
            kept = lengths if self.is_whole else lengths[self.live.chunks]
            self._n_terms = int(kept.sum(dtype=np.int64))
        return self._n_terms

    @property
    def n_speaking(self) -> NDArray[np.int64]:
        """How many of its live files are in each language: (n_languages,)."""
        if self._n_speaking is None:
            spoken = self.segment.language[self.live.files]
            self._n_speaking = np.bincount(spoken, minlength=len(LANGUAGES))
        return self._n_speaking

    @property
    def is_whole(self) -> bool:
        """Whether every file is live."""
        return self.live.n_chunks == self.segment.n_chunks

    def with_rows(self, rows: NDArray[np.int64]) -> LiveSegment:
        """The same segment with other rows."""
        return LiveSegment(self.segment, rows, self.codes)

    def with_codes(self, codes: Codes) -> LiveSegment:
        """The same, with codes."""
        coded = copy.copy(self)
        coded.codes = codes
        return coded

    def allowed(self, passed: NDArray[np.bool_]) -> Allowed:
        """Live files whose row is among `passed`, bool (n_rows,)."""
        return Allowed(self.segment, passed[self.rows] & self.live.files)


class View:
    """A vector store as it was at commit `seq`."""

    __slots__ = (
        "_roster",
        "chunk_base",
        "columns",
        "idf",
        "keeps_rows",
        "languages",
        "n_chunks",
        "n_windows",
        "segments",
        "seq",
        "tuning",
    )

    def __init__(
        self,
        *,
        seq: int,
        segments: Sequence[LiveSegment],
        roster: Roster,
        tuning: Tuning = DEFAULT,
    ) -> None:
        self.seq = seq
        self.tuning = tuning
        self.segments = tuple(segments)
        self.columns: FrozenColumns = roster.columns()
        self._roster = roster
        self.chunk_base = [0, *accumulate(live.segment.n_chunks for live in segments)]
        # Live ones only: what statistics are made of.
        self.n_windows = sum(live.live.n_windows for live in segments)
        self.n_chunks = sum(live.live.n_chunks for live in segments)
        self.languages = _languages(segments)
        # Whether rows that were read may stay in memory, see `retrieval.rows`.
        self.keeps_rows = sum(live.segment.vectors.nbytes for live in segments) <= KEPT_BYTES
        self.idf: dict[str, float] = {}  # of terms that were asked for, see `keyword.idf`

    @property
    def n_terms(self) -> int:
        """How many terms the live chunks have."""
        return sum(live.n_terms for live in self.segments)

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
        n_files += live.n_speaking
    most = np.argsort(-n_files, kind="stable")[:_MAX_LANGUAGES]
    enough = max(1, int(_MIN_LANGUAGE_SHARE * n_files.sum()))
    return tuple(LANGUAGES[i] for i in most if n_files[i] >= enough) or (ENGLISH,)
