"""Segments: numbering, merging, dictionary, files."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from memory_store import MemoryStore

from retrieval import packed
from retrieval.analysis import terms
from retrieval.errors import CorruptStore, IncompatibleStore
from retrieval.postings import Postings, ranges
from retrieval.segment import Segment, name_terms
from retrieval.term_numbers import TermNumbers
from retrieval.types import FileChange, FileContent

WORDS = ["bell", "tower", "river", "mill", "name3", "copper", "東京都", "v2.1", "e-mail"]


def files(seed: int, n: int) -> list[tuple[FileChange, FileContent]]:
    rng = random.Random(seed)
    store = MemoryStore()
    for i in range(n):
        texts = [
            " ".join(rng.choices(WORDS, k=rng.randint(1, 6))) for _ in range(rng.randint(1, 7))
        ]
        store.add(i, texts, {}, chunk_windows=rng.choice((1, 2, 3, 4)))
    return [(kept.change, kept.content) for kept in store.files.values()]


def equal(a: Segment, b: Segment) -> bool:
    ours, theirs = a.arrays(), b.arrays()
    return ours.keys() == theirs.keys() and all(
        np.array_equal(array, theirs[name]) for name, array in ours.items()
    )


@pytest.mark.parametrize("seed", range(5))
def test_merged_kept_files_equal_a_fresh_build_of_them(seed: int) -> None:
    given = files(seed, 30)
    rng = np.random.default_rng(seed)
    kept = rng.random(30) < 0.6
    cuts = [(0, 7), (7, 8), (8, 30)]
    merged = Segment.merge([(Segment.build(given[a:b]), kept[a:b]) for a, b in cuts])
    assert equal(merged, Segment.build([f for f, k in zip(given, kept, strict=True) if k]))


def test_every_number_of_a_segment_is_what_the_files_say() -> None:
    given = files(9, 20)
    segment = Segment.build(given)
    holders: dict[str, set[int]] = defaultdict(set)
    chunk = 0
    window = 0
    for i, (change, content) in enumerate(given):
        assert segment.file_n[i] == change.file_n
        assert segment.file_window[i] == window
        runs = zip(content.chunk_first_window, content.chunk_n_windows, strict=True)
        for first, n in runs:
            bag = [t for text in content.texts[first : first + n] for t in terms(text)]
            bag += name_terms(change.filename)
            assert segment.chunk_window[chunk] == window + first
            assert segment.chunk_length[chunk] == len(bag)
            for term in bag:
                holders[term].add(chunk)
            chunk += 1
        window += len(content.texts)
    assert segment.n_chunks == chunk
    assert segment.postings.all_terms() == sorted(term.encode() for term in holders)
    for term, chunks in holders.items():
        number = segment.postings.find(term)
        assert number is not None
        assert segment.term_n_chunks.at(np.array([number])).tolist() == [len(chunks)]
        sites, _ = segment.postings.of(number)
        found = ranges(*segment.chunks_at(sites))
        assert set(found.tolist()) == chunks


def test_find_knows_every_term_and_no_other() -> None:
    words = ["a", "aa", "ab", "b", "zz", "é", "\U0001f600", "\ud800", "東京"]
    postings = Postings.build(TermNumbers.of([[word] for word in words]))
    for site, word in enumerate(words):
        number = postings.find(word)
        assert number is not None
        assert postings.of(number)[0].tolist() == [site]
    for word in ("A", "aaa", "ac", "zzz", "ê", "\U0001f601", "東"):
        assert postings.find(word) is None
    assert Postings.build(TermNumbers.of([])).find("a") is None


def test_counts_are_kept_per_site() -> None:
    postings = Postings.build(TermNumbers.of([["x", "y", "x"], [], ["y"]]))
    number = postings.find("x")
    assert number is not None
    sites, counts = postings.of(number)
    assert (sites.tolist(), counts.tolist()) == ([0], [2])


def test_repeated_text_within_a_file_points_to_its_first() -> None:
    store = MemoryStore()
    store.add(1, ["one  two", "three", "one two", "three"], {}, chunk_windows=1)
    store.add(2, ["three"], {}, chunk_windows=1)
    segment = Segment.build([(k.change, k.content) for k in store.files.values()])
    assert segment.chunk_same_as.tolist() == [0, 1, 0, 1, 4]


@pytest.mark.parametrize(
    ("starts", "sizes"),
    [([0, 0], [1, 2]), ([1, 0], [1, 1]), ([0, 1], [3, 1]), ([0], [4]), ([0], [0])],
)
def test_chunks_out_of_order_or_out_of_windows_are_refused(
    starts: list[int], sizes: list[int]
) -> None:
    content = FileContent(
        ["a", "b", "c"], np.eye(3, dtype=np.float32), np.array(starts), np.array(sizes)
    )
    with pytest.raises(ValueError, match="runs"):
        Segment.build([(FileChange(1, 1, "file-1", "a.txt", {}, 1, False), content)])


def test_saved_segment_is_the_same_and_mapped(tmp_path: Path) -> None:
    segment = Segment.build(files(3, 12))
    name = segment.save(tmp_path)
    assert name == segment.save(tmp_path)
    opened = Segment.open(tmp_path / name)
    assert equal(opened, segment)
    base = opened.vectors
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not opened.vectors.flags.writeable
    assert opened.vectors.ctypes.data % 64 == 0


def test_packed_file_holds_what_was_put_in(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(7, dtype=np.int32),
        "empty": np.empty((0, 3), dtype=np.float32),
        "flags": np.array([[True, False]]),
    }
    path = tmp_path / "deep" / "file"
    packed.write(path, arrays, {"seq": 5, "names": ["é"]})
    back, meta = packed.read(path)
    assert meta == {"seq": 5, "names": ["é"]}
    for name, array in arrays.items():
        assert np.array_equal(back[name], array)
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_any_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    packed.write(path, {"a": np.arange(30, dtype=np.int64)}, {"x": 1})
    raw = path.read_bytes()
    _, header_bytes, _ = packed._PREFIX.unpack(raw[: packed._PREFIX.size])
    covered = [
        *range(packed._PREFIX.size + header_bytes),  # what follows is padding
        *range(len(raw) - 240, len(raw)),
    ]
    for i in covered:
        path.write_bytes(raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :])
        with pytest.raises((CorruptStore, IncompatibleStore)):
            packed.read(path)


def test_large_file_is_checked_once_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "_LARGE_BYTES", 0)
    path = tmp_path / "file"
    packed.write(path, {"a": np.arange(1000)}, {})
    packed.read(path)
    note = path.with_name("file" + packed.CHECKED)
    if not note.exists():
        pytest.skip("the system does not tell one start of the machine from another")
    raw = bytearray(path.read_bytes())
    raw[-7] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CorruptStore):
        packed.read(path)


def test_note_of_another_start_of_the_machine_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "_LARGE_BYTES", 0)
    boot, path = tmp_path / "boot", tmp_path / "file"
    monkeypatch.setattr(packed, "_BOOT_ID", boot)
    boot.write_text("first", encoding="ascii")
    packed.write(path, {"a": np.arange(1000)}, {})
    raw = bytearray(path.read_bytes())
    raw[-7] ^= 1
    path.write_bytes(raw)
    packed.note_checked(path)
    packed.read(path)  # as after a power cut, before anything was started again
    boot.write_text("second", encoding="ascii")
    with pytest.raises(CorruptStore):
        packed.read(path)
