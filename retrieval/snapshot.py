"""The index of one vector store: derived from the store's commits, followed to any of them.

A base of segments, small fresh ones for what came since, and a roster of files. Commits change
nothing in place: each makes a new `View`, and searches keep the one they began with. Saved, an
index is one snapshot file and the segments that it names; whatever is missing, damaged or of
another model is built again from the store.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.errors import CorruptStore, IncompatibleStore, StoreBusy
from retrieval.roster import Roster
from retrieval.segment import Segment
from retrieval.types import Chunk, FileChange, FileContent
from retrieval.view import DEAD, LiveSegment, View

__all__ = ["Reader", "StoreIndex", "View"]

SNAPSHOT_FILE = "snapshot.index"
# Commits merge small segments at once, larger ones wait for `fold`: so a commit never waits
# for long. 4,000 windows merge in 0.1 s.
_MERGE_MAX_WINDOWS = 4096
_BUILD_MAX_WINDOWS = 32768  # built in one piece; bounds the memory of a first build
_FOLD_MIN_SEGMENTS = 8  # each costs a search about 0.2 ms
_FOLD_MAX_SEGMENTS = 24  # then a commit folds, whoever else forgot to
_FOLD_DEAD_SHARE = 0.25
_KEPT_VIEWS = 16  # for searches whose snapshot of the store is a little older than the index


class Reader(Protocol):
    """One snapshot of the store: `retrieval.store` has it, tests keep one in memory."""

    def seq(self, vector_store_id: str) -> int:
        """The number of the vector store's newest commit."""

    def changes(self, vector_store_id: str, *, after: int) -> Sequence[FileChange]:
        """The newest state of every file that changed after commit `after`."""

    def content(self, file_n: int) -> FileContent:
        """What an index needs of one file."""

    def chunk(self, file_n: int, ordinal: int) -> Chunk:
        """One chunk, or NotFound."""

    def text(self, file_n: int, start: int, end: int) -> str:
        """A file's stored text from `start` to `end`, or NotFound."""


class StoreIndex:
    """Thread-safe: any number of searches beside one that brings the index up to date."""

    def __init__(self, vector_store_id: str, *, model_id: str) -> None:
        """An empty index, as of before the first commit."""
        self._id = vector_store_id
        self._model_id = model_id
        self._lock = threading.Lock()
        self._fold_lock = threading.Lock()
        self._roster = Roster()
        self._segments: list[LiveSegment] = []
        self._homes: dict[int, tuple[Segment, int]] | None = {}  # file_n → where it lives
        self._views: deque[View] = deque(maxlen=_KEPT_VIEWS)
        self._distrusts_disk = False  # whether segments that were saved may be damaged
        self._publish(seq=0)

    @classmethod
    def open(
        cls, folder: Path, reader: Reader, *, vector_store_id: str, model_id: str
    ) -> StoreIndex:
        """The saved index, or one built from nothing, brought up to the reader's snapshot.

        Args:
            folder: the one given to `save`; need not exist.
            reader: a snapshot of the store.
            vector_store_id: whose index.
            model_id: the embedder's; an index of another one is of no use.
        """
        index = cls(vector_store_id, model_id=model_id)
        try:
            index._load(folder, newest=reader.seq(vector_store_id))
        except (CorruptStore, IncompatibleStore):
            index = cls(vector_store_id, model_id=model_id)
            index._distrusts_disk = True
        index.catch_up(reader)
        return index

    def view(self) -> View:
        """The newest state that this index knows."""
        return self._views[-1]

    def catch_up(self, reader: Reader) -> View:
        """Apply the commits that are still missing; returns the view of the reader's snapshot.

        Raises:
            StoreBusy: many commits were applied since the reader's snapshot; take a new one.
        """
        with self._lock:
            seq = reader.seq(self._id)
            if seq > self.view().seq:
                self._follow(reader, seq)
            wanted = next((view for view in self._views if view.seq == seq), None)
        if len(self.view().segments) >= _FOLD_MAX_SEGMENTS:
            self.fold()
        if wanted:
            return wanted
        raise StoreBusy("The vector store moved on while it was being read.", retry_after_s=0.0)

    # --- commits --------------------------------------------------------------------------

    def _publish(self, *, seq: int) -> None:
        self._views.append(View(seq=seq, segments=self._segments, roster=self._roster))

    def _follow(self, reader: Reader, seq: int) -> None:
        """All of the missing commits, or none of them if the reader fails."""
        before = self._segments
        try:
            self._apply(reader, reader.changes(self._id, after=self.view().seq))
            self._merge_small()
        except BaseException:
            self._segments, self._homes = before, None
            raise
        self._publish(seq=seq)

    def _apply(self, reader: Reader, changes: Iterable[FileChange]) -> None:
        homes = self._known_homes()
        pointers = _Pointers(self._segments)
        fresh: list[LiveSegment] = []
        new: list[tuple[FileChange, FileContent]] = []
        n_windows = 0
        for change in changes:
            home = homes.get(change.file_n)
            gone = change.deleted or change.content_seq == 0
            if home and not gone and home[0].content_seq[home[1]] == change.content_seq:
                pointers.set(home, self._roster.add(change))
                continue
            if home:
                pointers.set(home, DEAD)
                del homes[change.file_n]
            if gone:
                continue
            new.append((change, reader.content(change.file_n)))
            n_windows += len(new[-1][1].texts)
            if n_windows >= _BUILD_MAX_WINDOWS:
                fresh.append(self._built(new))
                new, n_windows = [], 0
        if n_windows:
            fresh.append(self._built(new))
        self._segments = [*pointers.applied(), *fresh]

    def _built(self, files: Iterable[tuple[FileChange, FileContent]]) -> LiveSegment:
        files = [(change, content) for change, content in files if len(content.texts)]
        segment = Segment.build(files)
        rows = np.array([self._roster.add(change) for change, _ in files], dtype=np.int64)
        for i, (change, _) in enumerate(files):
            self._known_homes()[change.file_n] = (segment, i)
        return LiveSegment(segment, rows)

    def _known_homes(self) -> dict[int, tuple[Segment, int]]:
        """Made on the first commit after opening: a search of a saved index needs none."""
        if self._homes is None:
            self._homes = {}
            for live in self._segments:
                self._note_homes(live)
        return self._homes

    def _note_homes(self, live: LiveSegment) -> None:
        homes = self._known_homes()
        for i, file_n in enumerate(live.segment.file_n.tolist()):
            if live.rows[i] != DEAD:
                homes[file_n] = (live.segment, i)

    # --- segments -------------------------------------------------------------------------

    def _merge_small(self) -> None:
        """Keep sizes falling steeply, so that every window is merged only a few times."""
        self._segments = [live for live in self._segments if live.live.n_chunks]
        while len(self._segments) > 1:
            last, before = self._segments[-1], self._segments[-2]
            n_windows = last.live.n_windows + before.live.n_windows
            if last.live.n_windows * 2 < before.live.n_windows or n_windows > _MERGE_MAX_WINDOWS:
                return
            self._segments[-2:] = [self._merged([before, last])]

    def _merged(self, parts: Sequence[LiveSegment]) -> LiveSegment:
        kept = [live.rows != DEAD for live in parts]
        segment = Segment.merge([(p.segment, k) for p, k in zip(parts, kept, strict=True)])
        return self._moved_in(segment, [p.rows[k] for p, k in zip(parts, kept, strict=True)])

    def _moved_in(self, segment: Segment, rows: Sequence[NDArray[np.int64]]) -> LiveSegment:
        live = LiveSegment(segment, np.concatenate(rows))
        self._note_homes(live)
        return live

    @property
    def needs_fold(self) -> bool:
        """Whether there are so many segments, or dead windows, that searches feel it."""
        view = self.view()
        n_held = sum(live.segment.n_windows for live in view.segments)
        many = len(view.segments) >= _FOLD_MIN_SEGMENTS
        return many or n_held - view.n_windows > _FOLD_DEAD_SHARE * n_held

    def fold(self) -> None:
        """Merge all segments into one and drop what is dead; searches and commits go on."""
        with self._fold_lock:
            with self._lock:
                parts = list(self._segments)
            kept = [live.rows != DEAD for live in parts]
            if not any(k.any() for k in kept):
                return
            merged = Segment.merge(
                [(live.segment, k) for live, k in zip(parts, kept, strict=True)]
            )
            with self._lock:
                self._replace(parts, merged, kept)

    def _replace(
        self, parts: Sequence[LiveSegment], merged: Segment, kept: Sequence[NDArray[np.bool_]]
    ) -> None:
        """Swap `parts` for `merged`, with whatever became of their files in the meantime."""
        now = {id(live.segment): live for live in self._segments}
        if not all(
            id(live.segment) in now or not k.any() for live, k in zip(parts, kept, strict=True)
        ):
            return  # a commit merged some of them first; the next fold will find fewer
        rows = [
            now[id(live.segment)].rows[k] for live, k in zip(parts, kept, strict=True) if k.any()
        ]
        gone = {id(live.segment) for live in parts}
        later = [live for live in self._segments if id(live.segment) not in gone]
        self._segments = [self._moved_in(merged, rows), *later]
        view = View(seq=self.view().seq, segments=self._segments, roster=self._roster)
        self._views[-1] = view  # the same state in fewer pieces

    # --- disk -----------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the newest state into `folder`, atomically; segments there are not rewritten.

        A crash leaves the snapshot of before, or this one.
        """
        if self.needs_fold:
            self.fold()
        with self._lock:
            view = self.view()
            arrays, columns = self._roster.save()
        again = self._distrusts_disk
        names = [live.segment.save(folder, again=again) for live in view.segments]
        arrays |= {f"rows{i}": live.rows for i, live in enumerate(view.segments)}
        meta = {
            "vector_store_id": self._id,
            "model_id": self._model_id,
            "seq": view.seq,
            "segments": names,
            "columns": columns,
        }
        packed.write(folder / SNAPSHOT_FILE, arrays, meta)
        self._distrusts_disk = False
        for path in folder.glob("*.segment"):
            if path.name not in names:
                path.unlink(missing_ok=True)

    def _load(self, folder: Path, *, newest: int) -> None:
        arrays, meta = packed.read(folder / SNAPSHOT_FILE)
        expected = {"vector_store_id": self._id, "model_id": self._model_id}
        found = {name: meta.get(name) for name in expected}
        if found != expected or meta["seq"] > newest:
            raise IncompatibleStore("The index", found=str(found), supported=str(expected))
        self._roster = Roster.load(arrays, meta["columns"])
        self._segments = [
            LiveSegment(Segment.open(folder / name), arrays[f"rows{i}"])
            for i, name in enumerate(meta["segments"])
        ]
        self._homes = None
        self._publish(seq=meta["seq"])


class _Pointers:
    """New rows for files of old segments; the old ones, which views hold, stay as they are."""

    def __init__(self, segments: Sequence[LiveSegment]) -> None:
        self._segments = segments
        self._rows: dict[int, NDArray[np.int64]] = {}

    def set(self, home: tuple[Segment, int], row: int) -> None:
        """Point the file that lives at `home` to `row`."""
        segment, i = home
        if id(segment) not in self._rows:
            live = next(live for live in self._segments if live.segment is segment)
            self._rows[id(segment)] = live.rows.copy()
        self._rows[id(segment)][i] = row

    def applied(self) -> list[LiveSegment]:
        """The segments with their new rows; those that have none are the same objects."""
        return [
            LiveSegment(live.segment, self._rows[id(live.segment)])
            if id(live.segment) in self._rows
            else live
            for live in self._segments
        ]
