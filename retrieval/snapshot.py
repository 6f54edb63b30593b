"""The index of one vector store: derived from the store's commits, followed to any of them.

A base of segments, small fresh ones for what came since, and a roster of files. Commits change
nothing in place: each makes a new `View`, and searches keep the one they began with. Saved, an
index is one snapshot file and the segments that it names; whatever is missing, damaged or of
another model is built again from the store.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.codes import Codes, codes_path, n_parts
from retrieval.errors import CorruptStore, IncompatibleStore, StoreBusy
from retrieval.homes import Homes, Pointers, content_seq, groups, opened
from retrieval.plan import DEFAULT, Tuning
from retrieval.roster import Roster
from retrieval.segment import Segment
from retrieval.types import Chunk, FileChange, FileContent
from retrieval.view import DEAD, LiveSegment, View

__all__ = ["Reader", "StoreIndex", "View"]

SNAPSHOT_FILE = "snapshot.index"
KINDS = {".segment", ".codes"}  # files named by a segment; notes on them have a suffix more
# Commits merge small segments at once, larger ones wait for `fold`: so a commit never waits
# for long. 4,000 windows merge in 0.1 s.
_MERGE_MAX_WINDOWS = 4096
_BUILD_MAX_WINDOWS = 16384  # built in one piece; bounds the memory of a first build
_MAPPED_MIN_WINDOWS = 8192  # segments this large go to disk at once and are mapped from there
_FOLD_MIN_SEGMENTS = 4  # each costs a search about a millisecond
_FOLD_MAX_SEGMENTS = 24  # then a commit folds, whoever else forgot to
_FOLD_DEAD_SHARE = 0.25
_KEPT_VIEWS = 16  # for searches whose snapshot of the store is a little older than the index


class Reader(Protocol):
    """One snapshot of the store: `retrieval.store` has it, tests keep one in memory."""

    def seq(self, vector_store_id: str) -> int:
        """The number of the vector store's newest commit."""

    def changes(self, vector_store_id: str, *, after: int) -> Sequence[FileChange]:
        """The newest state of every file that changed after commit `after`."""

    def contents(self, file_n: int) -> Iterable[FileContent]:
        """What an index needs of one file; of a long one in stretches, a bounded one at a time."""

    def chunk(self, file_n: int, ordinal: int) -> Chunk:
        """One chunk, or NotFound."""

    def text(self, file_n: int, start: int, end: int) -> str:
        """A file's stored text from `start` to `end`, or NotFound."""


class StoreIndex:
    """Thread-safe: any number of searches beside one that brings the index up to date."""

    def __init__(self, vector_store_id: str, *, model_id: str, tuning: Tuning = DEFAULT) -> None:
        """An empty index, as of before the first commit."""
        self._tuning = tuning
        self._id = vector_store_id
        self._model_id = model_id
        self._lock = threading.Lock()
        self._fold_lock = threading.Lock()
        self._roster = Roster()
        self._segments: list[LiveSegment] = []
        self._homes: dict[int, Homes] | None = {}  # file_n → where it lives
        self._folder: Path | None = None  # where large segments go before they are saved
        self._names: dict[int, tuple[Segment, str]] = {}  # segments that are files there, by id
        self._views: deque[View] = deque(maxlen=_KEPT_VIEWS)
        self._distrusts_disk = False  # whether segments that were saved may be damaged
        self._publish(seq=0)

    @classmethod
    def open(
        cls,
        folder: Path,
        reader: Reader,
        *,
        vector_store_id: str,
        model_id: str,
        tuning: Tuning = DEFAULT,
    ) -> StoreIndex:
        """The saved index, or one built from nothing, brought up to the reader's snapshot.

        Args:
            folder: the one given to `save`; need not exist.
            reader: a snapshot of the store.
            vector_store_id: whose index.
            model_id: the embedder's; an index of another one is of no use.
            tuning: how segments are looked through.
        """
        index = cls(vector_store_id, model_id=model_id, tuning=tuning)
        index._folder = folder
        try:
            index._load(folder, newest=reader.seq(vector_store_id))
        except (CorruptStore, IncompatibleStore):
            index = cls(vector_store_id, model_id=model_id, tuning=tuning)
            index._folder = folder
            index._distrusts_disk = True
        index.catch_up(reader)
        return index

    @property
    def model_id(self) -> str:
        """The embedding model of all its vectors."""
        return self._model_id

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
            self.fold(coded=False)  # somebody waits
        if wanted:
            return wanted
        raise StoreBusy("The vector store moved on while it was being read.", retry_after_s=0.0)

    # --- commits --------------------------------------------------------------------------

    def _publish(self, *, seq: int) -> None:
        self._views.append(self._seen(seq))

    def _seen(self, seq: int) -> View:
        return View(seq=seq, segments=self._segments, roster=self._roster, tuning=self._tuning)

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
        pointers = Pointers(self._segments)
        fresh: list[LiveSegment] = []
        new: list[tuple[FileChange, FileContent]] = []
        n_windows = 0
        for change in changes:
            found = homes.get(change.file_n, ())
            gone = change.deleted or change.content_seq == 0
            if found and not gone and content_seq(found) == change.content_seq:
                pointers.set(found, self._roster.add(change))
                continue
            if found:
                pointers.set(found, DEAD)
                del homes[change.file_n]
            for content in () if gone else reader.contents(change.file_n):
                new.append((change, content))
                n_windows += len(content.texts)
                if n_windows >= _BUILD_MAX_WINDOWS:
                    fresh.append(self._built(new))
                    new, n_windows = [], 0
        if n_windows:
            fresh.append(self._built(new))
        self._segments = [*pointers.applied(), *fresh]

    def _built(self, files: Iterable[tuple[FileChange, FileContent]]) -> LiveSegment:
        files = [(change, content) for change, content in files if len(content.texts)]
        segment = self._mapped(Segment.build(files))
        rows = np.array([self._roster.add(change) for change, _ in files], dtype=np.int64)
        live = LiveSegment(segment, rows)
        self._note_homes(live)
        return live

    def _mapped(self, segment: Segment) -> Segment:
        """The segment; a large one as a file, so that it takes memory only where it is read."""
        if self._folder is None or segment.n_windows < _MAPPED_MIN_WINDOWS:
            return segment
        try:
            name = segment.save(self._folder, again=self._distrusts_disk)
            mapped = Segment.open(self._folder / name)
        except (OSError, CorruptStore):  # a full disk, say; the index does without it
            return segment
        self._names[id(mapped)] = (mapped, name)
        return mapped

    def _known_homes(self) -> dict[int, Homes]:
        """Made on the first commit after opening: a search of a saved index needs none."""
        if self._homes is None:
            self._homes = {}
            for live in self._segments:
                self._note_homes(live)
        return self._homes

    def _note_homes(self, live: LiveSegment, *, merged: Iterable[LiveSegment] = ()) -> None:
        """The files of a new segment, made of those `merged`, live there now."""
        homes = self._known_homes()
        gone = {id(part.segment) for part in merged}
        for i, file_n in enumerate(live.segment.file_n.tolist()):
            if live.rows[i] != DEAD:
                others = (home for home in homes.get(file_n, ()) if id(home[0]) not in gone)
                homes[file_n] = (*others, (live.segment, i))

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
        rows = [p.rows[k] for p, k in zip(parts, kept, strict=True)]
        return self._moved_in(segment, rows, parts)

    def _moved_in(
        self,
        segment: Segment,
        rows: Sequence[NDArray[np.int64]],
        parts: Sequence[LiveSegment],
        codes: Codes | None = None,
    ) -> LiveSegment:
        live = LiveSegment(segment, np.concatenate(rows), codes)
        self._note_homes(live, merged=parts)
        return live

    @property
    def needs_fold(self) -> bool:
        """Whether there are so many segments, or dead windows, that searches feel it."""
        view = self.view()
        n_held = sum(live.segment.n_windows for live in view.segments)
        many = sum(map(len, groups(view.segments))) >= _FOLD_MIN_SEGMENTS
        return many or n_held - view.n_windows > _FOLD_DEAD_SHARE * n_held

    def fold(self, *, coded: bool = True) -> None:
        """Merge segments as far as one may grow and drop what is dead; searches go on.

        Args:
            coded: whether to make the codes of what is merged, which takes as long again.
        """
        with self._fold_lock:
            with self._lock:
                segments = list(self._segments)
            for live in segments:  # a merge should have the memory that searches took
                packed.let_go(live.segment.vectors)
            for parts in groups(segments):
                kept = [live.rows != DEAD for live in parts]
                if any(k.any() for k in kept):
                    pairs = [(p.segment, k) for p, k in zip(parts, kept, strict=True)]
                    merged = self._mapped(Segment.merge(pairs, scratch=self._folder))
                    codes = self._coded(merged) if coded else None
                    with self._lock:
                        self._replace(parts, merged, kept, codes)
                    for live in parts:  # older views may hold them for a while
                        packed.let_go(live.segment.vectors)

    # --- codes ----------------------------------------------------------------------------

    @property
    def needs_codes(self) -> bool:
        """Whether segments without codes are large enough for some."""
        return any(self._lacks_codes(live) for live in self.view().segments)

    def _lacks_codes(self, live: LiveSegment) -> bool:
        if live.codes is not None or live.segment.n_windows < self._tuning.coded_windows:
            return False
        return n_parts(live.segment.vectors.shape[1]) is not None

    def code(self) -> None:
        """Make the codes that are missing; searches go on, by rows until then."""
        with self._fold_lock:
            with self._lock:
                segments = list(self._segments)
            for segment in [live.segment for live in segments if self._lacks_codes(live)]:
                codes = self._coded(segment)
                with self._lock:
                    self._segments = [
                        live.with_codes(codes) if codes and live.segment is segment else live
                        for live in self._segments
                    ]
                    self._views[-1] = self._seen(self.view().seq)

    def _coded(self, segment: Segment) -> Codes | None:
        """Codes of a large segment, by a quantiser that others have, and their file."""
        if segment.n_windows < self._tuning.coded_windows:
            return None
        others = [live.codes for live in self.view().segments if live.codes]
        codes = Codes.of(segment.vectors, like=others[0] if others else None)
        packed.let_go(segment.vectors)
        _, name = self._names.get(id(segment), (segment, ""))
        if codes and name and self._folder:
            with contextlib.suppress(OSError):  # a full disk, say; they are made again then
                codes.save(codes_path(self._folder / name))
        return codes

    def _replace(
        self,
        parts: Sequence[LiveSegment],
        merged: Segment,
        kept: Sequence[NDArray[np.bool_]],
        codes: Codes | None,
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
        others = [live for live in self._segments if id(live.segment) not in gone]
        self._segments = [self._moved_in(merged, rows, parts, codes), *others]
        self._views[-1] = self._seen(self.view().seq)  # the same state in fewer pieces

    # --- disk -----------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the newest state into `folder`, atomically; segments there are not rewritten.

        A crash leaves the snapshot of before, or this one.
        """
        if self.needs_fold:
            self.fold()
        self.code()
        with self._lock:
            view = self.view()
            arrays, columns = self._roster.save()
        again = self._distrusts_disk
        names = [self._saved(live, folder, again=again) for live in view.segments]
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
        held = {id(live.segment) for live in view.segments}
        self._names = {key: value for key, value in self._names.items() if key in held}
        stems = {Path(name).stem for name in names}
        for path in folder.iterdir():
            if KINDS & set(path.suffixes) and path.name.split(".")[0] not in stems:
                path.unlink(missing_ok=True)

    def _saved(self, live: LiveSegment, folder: Path, *, again: bool) -> str:
        """The name of the segment's file, which is written unless it is there."""
        segment = live.segment
        _, name = self._names.get(id(segment), (segment, ""))
        if not name or again or not (folder / name).exists():
            name = segment.save(folder, again=again)
            self._names[id(segment)] = (segment, name)
        if live.codes and (again or not codes_path(folder / name).exists()):
            live.codes.save(codes_path(folder / name))
        return name

    def _load(self, folder: Path, *, newest: int) -> None:
        arrays, meta = packed.read(folder / SNAPSHOT_FILE)
        expected = {"vector_store_id": self._id, "model_id": self._model_id}
        found = {name: meta.get(name) for name in expected}
        if found != expected or meta["seq"] > newest:
            raise IncompatibleStore("The index", found=str(found), supported=str(expected))
        self._roster = Roster.load(arrays, meta["columns"])
        self._segments = [
            opened(folder / name, arrays[f"rows{i}"]) for i, name in enumerate(meta["segments"])
        ]
        self._names = {
            id(live.segment): (live.segment, name)
            for live, name in zip(self._segments, meta["segments"], strict=True)
        }
        self._homes = None
        self._publish(seq=meta["seq"])
