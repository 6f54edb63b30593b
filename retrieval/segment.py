"""An immutable slice of one vector store, all of it on one space of window ordinals.

The windows of a file stand together, so a window's ordinal is its place in every array: its
vector, its chunks, its postings, its file. A filter is one mask over ordinals and both legs of
a search run under that same mask. What changes (which files are still live, what their
attributes are) is kept outside, in `retrieval.snapshot`.

A long file comes in stretches, each of which is a file here, with the same number.

The terms of a file's name and title count once for each of its chunks, those of a chunk's
headings once for that chunk. They stand in the same postings, at sites after those of the
windows: site `n_windows + f` is the name of file f, `n_windows + n_files + c` are the headings of
chunk c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.analysis import terms
from retrieval.errors import CorruptStore
from retrieval.language import ENGLISH, LANGUAGES, language_of
from retrieval.pairs import pair_bits
from retrieval.postings import Postings, joined, offsets, ranges
from retrieval.sites import Sites, term_n_chunks
from retrieval.small_numbers import SmallNumbers
from retrieval.term_numbers import Pieces
from retrieval.types import FileChange, FileContent, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Files in order of commit. In shapes: n_f files, n_c chunks, n_w windows, n_t terms."""

    vectors: Vectors  # (n_w, dim), unit rows
    file_n: NDArray[np.int64]  # (n_f,) the attachment's number in the store
    content_seq: NDArray[np.int64]  # (n_f,) the commit that put this content in place
    file_first_chunk: NDArray[
        np.int64
    ]  # (n_f,) ordinal of its first chunk; of a later stretch > 0
    file_window: NDArray[np.int64]  # (n_f + 1,) where each file's windows start
    file_chunk: NDArray[np.int64]  # (n_f + 1,) where each file's chunks start
    chunk_file: NDArray[np.int32]  # (n_c,)
    chunk_window: NDArray[np.int32]  # (n_c,) its first window
    chunk_n_windows: NDArray[np.int32]  # (n_c,)
    chunk_same_as: NDArray[np.int32]  # (n_c,) the file's first chunk with the same text
    chunk_length: NDArray[np.int32]  # (n_c,) terms in it, those of its file's name included
    window_chunk: NDArray[np.int32]  # (n_w,) the first chunk with the window
    window_n_chunks: NDArray[np.uint16]  # (n_w,) how many have it, one after another
    language: NDArray[np.int64]  # (n_f,) whose stems its terms are, see `retrieval.language`
    pairs: NDArray[np.uint8]  # (n_w, 256) which terms stand together, see `retrieval.pairs`
    term_n_chunks: SmallNumbers  # (n_t,) chunks that hold the term
    postings: Postings  # over sites

    @property
    def n_windows(self) -> int:
        """How many windows, and ordinals, there are."""
        return len(self.vectors)

    @property
    def n_chunks(self) -> int:
        """How many chunks there are."""
        return len(self.chunk_file)

    @classmethod
    def build(cls, files: Iterable[tuple[FileChange, FileContent]]) -> Segment:
        """Index files, which must be of one model and at least one.

        Raises:
            ValueError: chunks of a file are out of order, or of windows that it lacks.
        """
        changes, contents = zip(*files, strict=True)
        spoken = [language_of(content.texts) for content in contents]
        pieces = Pieces()
        texts: list[list[NDArray[np.int64]]] = []  # of each file, as pieces
        names: list[list[str]] = []
        headings: list[NDArray[np.int64]] = []
        for change, content, number in zip(changes, contents, spoken, strict=True):
            language = LANGUAGES[number]
            texts.append([pieces.of_text(text, language) for text in content.texts])
            names.append(name_terms(change.filename, content.title, language))
            over = content.headings or [""] * len(content.chunk_first_window)
            headings += [pieces.of_text(text, language) for text in over]
        found = pieces.numbered(
            [*chain.from_iterable(texts), *map(pieces.of_terms, names), *headings]
        )
        n_windows = _numbers(len(content.texts) for content in contents)
        n_chunks = _numbers(len(content.chunk_first_window) for content in contents)
        chunk_file = np.repeat(np.arange(len(contents)), n_chunks)
        starts = joined([content.chunk_first_window for content in contents])
        sizes = joined([content.chunk_n_windows for content in contents])
        _check_chunks(starts, sizes, chunk_file=chunk_file, n_windows=n_windows)
        ends = starts + sizes + offsets(n_windows)[chunk_file]
        name_length = _numbers(len(name) for name in names)
        heading_length = np.diff(found.start)[len(found.start) - 1 - len(chunk_file) :]
        parts = _Parts(
            vectors=np.concatenate([content.vectors for content in contents]),
            file_n=_numbers(change.file_n for change in changes),
            content_seq=_numbers(change.content_seq for change in changes),
            first_chunk=_numbers(content.first_chunk for content in contents),
            n_windows=n_windows,
            n_chunks=n_chunks,
            starts=starts,
            sizes=sizes,
            same_as=joined([_same_as(*each) for each in zip(contents, texts, strict=True)]),
            lengths=found.start[ends]
            - found.start[ends - sizes]
            + name_length[chunk_file]
            + heading_length,
            language=_numbers(spoken),
            pairs=pair_bits(found, int(n_windows.sum())),
            postings=Postings.build(found),
        )
        return cls._assemble(parts)

    @classmethod
    def merge(
        cls, parts: Sequence[tuple[Segment, NDArray[np.bool_]]], *, scratch: Path | None = None
    ) -> Segment:
        """The kept files of some segments, in the order given, as one segment.

        Nothing is read again or counted again: postings are joined, vectors copied.

        Args:
            parts: segments, each with bool (n_f,): which of its files to keep.
            scratch: folder for rows while they are merged; in memory without one.
        """
        files = [np.flatnonzero(kept) for _, kept in parts]
        segments = [segment for segment, _ in parts]
        both = list(zip(segments, files, strict=True))
        chunks = [s.chunks_of(f) for s, f in both]
        windows = [s.windows_of(f) for s, f in both]
        cut = list(zip(segments, chunks, strict=True))
        merged = _Parts(
            vectors=packed.gathered([s.vectors for s in segments], windows, folder=scratch),
            file_n=joined([s.file_n[f] for s, f in both]),
            content_seq=joined([s.content_seq[f] for s, f in both]),
            first_chunk=joined([s.file_first_chunk[f] for s, f in both]),
            n_windows=joined([np.diff(s.file_window)[f] for s, f in both]),
            n_chunks=joined([np.diff(s.file_chunk)[f] for s, f in both]),
            starts=joined([s.chunk_window[c] - s.file_window[s.chunk_file[c]] for s, c in cut]),
            sizes=joined([s.chunk_n_windows[c] for s, c in cut]),
            same_as=joined([s.chunk_same_as[c] - s.file_chunk[s.chunk_file[c]] for s, c in cut]),
            lengths=joined([s.chunk_length[c] for s, c in cut]),
            language=joined([s.language[f] for s, f in both]),
            pairs=packed.gathered([s.pairs for s in segments], windows, folder=scratch),
            postings=Postings.merge(
                _moved(
                    segments,
                    [
                        _site_numbers(s, windows=w, files=f, chunks=c)
                        for s, w, f, c in zip(segments, windows, files, chunks, strict=True)
                    ],
                )
            ),
        )
        return cls._assemble(merged)

    @classmethod
    def _assemble(cls, parts: _Parts) -> Segment:
        """Bring what counts within a file to the segment's numbers, and derive the rest."""
        n_files, n_windows = len(parts.file_n), len(parts.vectors)
        file_window, file_chunk = offsets(parts.n_windows), offsets(parts.n_chunks)
        files = np.arange(n_files)
        chunk_file = np.repeat(files, parts.n_chunks)
        chunk_window = parts.starts + file_window[chunk_file]
        ordinals = np.arange(n_windows)
        first = np.searchsorted(chunk_window + parts.sizes, ordinals, side="right")
        end = np.searchsorted(chunk_window, ordinals, side="right")
        sites = Sites(
            file=joined([np.repeat(files, parts.n_windows), files, chunk_file]),
            chunk=joined([first, file_chunk[:-1], np.arange(len(chunk_file))]),
            n_chunks=joined([end - first, parts.n_chunks, np.ones(len(chunk_file), np.int64)]),
            n_windows=n_windows,
            n_files=n_files,
        )
        return cls(
            vectors=np.ascontiguousarray(parts.vectors, dtype=np.float32),
            file_n=parts.file_n,
            content_seq=parts.content_seq,
            file_first_chunk=parts.first_chunk,
            file_window=file_window,
            file_chunk=file_chunk,
            chunk_file=chunk_file.astype(np.int32),
            chunk_window=chunk_window.astype(np.int32),
            chunk_n_windows=parts.sizes.astype(np.int32),
            chunk_same_as=(parts.same_as + file_chunk[chunk_file]).astype(np.int32),
            chunk_length=parts.lengths.astype(np.int32),
            window_chunk=first.astype(np.int32),
            window_n_chunks=(end - first).astype(np.uint16),
            language=parts.language,
            pairs=parts.pairs,
            term_n_chunks=SmallNumbers.of(
                term_n_chunks(
                    parts.postings, sites, first_window=chunk_window, n_windows=parts.sizes
                )
            ),
            postings=parts.postings,
        )

    @property
    def n_sites(self) -> int:
        """How many sites there are: windows, names of files, headings of chunks."""
        return self.n_windows + len(self.file_n) + self.n_chunks

    def chunks_at(self, sites: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each site the first chunk that has its text, and how many do, one after another."""
        name = self.n_windows
        heading = name + len(self.file_n)
        first, n = sites - heading, np.ones(len(sites), dtype=np.int64)
        if len(sites) and sites.min() < heading:
            in_text, in_name = sites < name, (sites >= name) & (sites < heading)
            first[in_text] = self.window_chunk[sites[in_text]]
            n[in_text] = self.window_n_chunks[sites[in_text]]
            files = sites[in_name] - name
            first[in_name] = self.file_chunk[files]
            n[in_name] = self.file_chunk[files + 1] - first[in_name]
        return first, n

    def sites_of(self, chunks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sites of some chunks: their windows end to end, then names, then headings.

        Returns:
            The sites, and where each chunk's windows begin among them.
        """
        windows, starts = self.windows_in(chunks)
        name = self.n_windows
        heading = name + len(self.file_n)
        return joined([windows, name + self.chunk_file[chunks], heading + chunks]), starts

    def windows_of(self, files: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ordinals of these files' windows."""
        first = self.file_window[files]
        return ranges(first, self.file_window[files + 1] - first)

    def windows_in(self, chunks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ordinals of the chunks' windows, end to end, and where each chunk's begin."""
        n = self.chunk_n_windows[chunks]
        return ranges(self.chunk_window[chunks], n), offsets(n)[:-1]

    def chunks_of(self, files: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of these files' chunks."""
        first = self.file_chunk[files]
        return ranges(first, self.file_chunk[files + 1] - first)

    def save(self, folder: Path, *, again: bool = False) -> str:
        """Write it into `folder`, unless it is there already; returns the file's name.

        The name follows from the content, so a name always means the same bytes. Say `again`
        where a file of that name may be damaged.
        """
        arrays = self.arrays()
        name = f"{_digest(arrays)}.segment"
        if again or not (folder / name).exists():
            packed.write(folder / name, arrays, {})
        return name

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        plain = {name: getattr(self, name) for name in _ARRAYS}
        return plain | self.term_n_chunks.arrays("term_n_chunks") | self.postings.arrays()

    @classmethod
    def open(cls, path: Path) -> Segment:
        """Map a saved segment.

        Raises:
            CorruptStore: missing or damaged.
            IncompatibleStore: of another format version.
        """
        arrays, _ = packed.read(path)
        try:
            plain = {name: arrays[name] for name in _ARRAYS}
            return cls(
                **plain,
                term_n_chunks=SmallNumbers.of_arrays(arrays, "term_n_chunks"),
                postings=Postings.of_arrays(arrays),
            )
        except KeyError as error:
            raise CorruptStore(str(path), expected=f"array {error}", found="none") from error


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """A segment before its numbering: what follows the files counts within each file."""

    vectors: Vectors
    file_n: NDArray[np.int64]
    content_seq: NDArray[np.int64]
    first_chunk: NDArray[np.int64]  # (n_f,) what follows counts from there
    n_windows: NDArray[np.int64]  # (n_f,)
    n_chunks: NDArray[np.int64]  # (n_f,)
    starts: NDArray[np.int64]  # (n_c,) first window of a chunk, in its file
    sizes: NDArray[np.int64]  # (n_c,) in windows
    same_as: NDArray[np.int64]  # (n_c,) chunk of the file
    lengths: NDArray[np.int64]  # (n_c,) in terms
    language: NDArray[np.int64]  # (n_f,)
    pairs: NDArray[np.uint8]  # (n_w, 256)
    postings: Postings


_PACKED = ("term_n_chunks", "postings")
_ARRAYS = [field.name for field in fields(Segment) if field.name not in _PACKED]


def name_terms(filename: str, title: str = "", language: str = ENGLISH) -> list[str]:
    """Terms of a file's name, its extension left out, and what its title has besides."""
    named = terms(PurePosixPath(filename).stem, language)
    return [*named, *(term for term in terms(title, language) if term not in named)]


def _numbers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)


def _check_chunks(
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    *,
    chunk_file: NDArray[np.int64],
    n_windows: NDArray[np.int64],
) -> None:
    """The arithmetic on runs of chunks and windows relies on this."""
    ends = starts + sizes
    same_file = np.diff(chunk_file) == 0
    in_order = (np.diff(starts) > 0) & (np.diff(ends) > 0)
    inside = (starts >= 0) & (sizes > 0) & (ends <= n_windows[chunk_file])
    if not (inside.all() and in_order[same_file].all()):
        raise ValueError("Chunks must be runs of their file's windows, each further on.")


def _same_as(content: FileContent, texts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """For each chunk the file's first one that reads the same, white space aside.

    Args:
        content: of the file.
        texts: its windows as numbers of pieces.
    """
    first: dict[bytes, int] = {}
    pieces = joined(texts)
    start = offsets(_numbers(len(text) for text in texts))
    begins = content.chunk_first_window.astype(np.int64)
    ends = start[begins + content.chunk_n_windows]
    return _numbers(
        first.setdefault(pieces[a:b].tobytes(), ordinal)
        for ordinal, (a, b) in enumerate(zip(start[begins].tolist(), ends.tolist(), strict=True))
    )


def _site_numbers(
    segment: Segment,
    *,
    windows: NDArray[np.int64],
    files: NDArray[np.int64],
    chunks: NDArray[np.int64],
) -> tuple[NDArray[np.int64], ...]:
    """The sites of some windows, of names of files and of headings of chunks."""
    n_windows, n_files = segment.n_windows, len(segment.file_n)
    return windows, n_windows + files, n_windows + n_files + chunks


def _moved(
    segments: Sequence[Segment], kept: Sequence[tuple[NDArray[np.int64], ...]]
) -> list[tuple[Postings, NDArray[np.int64]]]:
    """Each segment's postings with the new number of each of its sites, -1 if dropped.

    New numbers go through the windows of all segments, then the names, then the headings.
    """
    numbers = [np.full(segment.n_sites, -1, dtype=np.int64) for segment in segments]
    following = 0
    for kind in zip(*kept, strict=True):
        for moved, sites in zip(numbers, kind, strict=True):
            moved[sites] = following + np.arange(len(sites))
            following += len(sites)
    return [(s.postings, moved) for s, moved in zip(segments, numbers, strict=True)]


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = blake2b(digest_size=16)
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
