"""The index of a store: follows commits, keeps old views whole, survives its own files."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from memory_store import EMBEDDER, STORE_ID, MemoryStore

from retrieval import snapshot as snapshot_module
from retrieval.errors import StoreBusy
from retrieval.filters import parse_filter
from retrieval.queries import Hit, Query
from retrieval.search import search
from retrieval.snapshot import SNAPSHOT_FILE, StoreIndex
from retrieval.types import FileContent
from retrieval.view import View


def fresh_index() -> StoreIndex:
    return StoreIndex(STORE_ID, model_id="hash")


def reopened(folder: Path, store: MemoryStore) -> StoreIndex:
    return StoreIndex.open(folder, store, vector_store_id=STORE_ID, model_id="hash")


def found(
    store: MemoryStore, view: View, text: str = "bell tower", **options: object
) -> list[Hit]:
    query = Query((text,), limit=50, **options)  # type: ignore[arg-type]
    return list(search(store, view, EMBEDDER, query, vector_store_id=STORE_ID).hits)


def ids(hits: list[Hit]) -> set[str]:
    return {hit.file_id for hit in hits}


def three_files() -> MemoryStore:
    store = MemoryStore()
    store.add(1, ["the bell in the tower", "a river runs by"], {"year": 1})
    store.add(2, ["the clock of the tower"], {"year": 2})
    store.add(3, ["a mill at the river"], {"year": 3})
    return store


def test_view_stays_as_it_was_while_commits_go_on() -> None:
    store, index = three_files(), fresh_index()
    view = index.catch_up(store)
    before = [(hit.id, hit.score, hit.attributes) for hit in found(store, view)]
    only = parse_filter({"type": "gte", "key": "year", "value": 2})
    store.add(4, ["a bell, a tower, a bell"], {"year": 4})
    store.set_attributes(2, {"year": 0})
    index.catch_up(store)
    assert [(hit.id, hit.score, hit.attributes) for hit in found(store, view)] == before
    assert ids(found(store, view, filter=only)) == {"file-2", "file-3"}
    assert ids(found(store, index.view(), filter=only)) == {"file-3", "file-4"}


def test_replaced_content_is_found_by_its_new_words_alone() -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    store.add(1, ["orchards and apples"], {"year": 1})
    hits = found(store, index.catch_up(store), "bell orchards")
    mine = [hit for hit in hits if hit.file_id == "file-1"]
    assert [hit.text for hit in mine] == ["orchards and apples"]
    assert not any("bell" in hit.text for hit in hits)


def test_attributes_change_without_reading_content_again() -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    n_read = store.n_contents_read
    store.set_attributes(3, {"team": "new"})
    view = index.catch_up(store)
    assert store.n_contents_read == n_read
    only = parse_filter({"type": "eq", "key": "team", "value": "new"})
    hits = found(store, view, filter=only)
    assert [(hit.file_id, hit.attributes) for hit in hits] == [("file-3", {"team": "new"})]


def test_catching_up_reads_only_what_is_new() -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    for n in range(10, 40):
        n_read = store.n_contents_read
        store.add(n, [f"file number {n}"], {})
        index.catch_up(store)
        index.catch_up(store)
        assert store.n_contents_read == n_read + 1


def test_file_without_content_yet_is_not_there() -> None:
    store, index = MemoryStore(), fresh_index()
    store.add(1, ["a bell"], {})
    kept = store.files[1]
    waiting = kept.change.__class__(1, 1, "file-1", "name1.txt", {}, 0, False)
    store.files[1].change, done = waiting, kept.change
    assert index.catch_up(store).n_windows == 0
    store.now = 2
    store.files[1].change = done.__class__(2, 1, "file-1", "name1.txt", {}, 2, False)
    assert index.catch_up(store).n_windows == 1


def test_older_snapshot_gets_its_own_view_and_a_very_old_one_is_refused() -> None:
    store, index = three_files(), fresh_index()
    old = MemoryStore(now=store.now, files=dict(store.files))
    first = index.catch_up(store)
    store.delete(1)
    index.catch_up(store)
    assert index.catch_up(old) is first
    for n in range(10, 40):
        store.add(n, ["more"], {})
        index.catch_up(store)
    with pytest.raises(StoreBusy):
        index.catch_up(old)


class FailingReader(MemoryStore):
    """Real, but its disk breaks in the middle of a commit."""

    n_until_failure = 1

    def content(self, file_n: int) -> FileContent:
        self.n_until_failure -= 1
        if self.n_until_failure < 0:
            raise OSError("disk on fire")
        return super().content(file_n)


def test_failed_catch_up_changes_nothing_and_can_be_repeated() -> None:
    store, index = FailingReader(), fresh_index()
    store.n_until_failure = 3
    for n in (1, 2, 3):
        store.add(n, [f"bell number {n}"], {})
    before = index.catch_up(store)
    store.add(1, ["replaced bell"], {})
    store.delete(2)
    store.add(4, ["fourth bell"], {})
    store.n_until_failure = 1
    with pytest.raises(OSError, match="fire"):
        index.catch_up(store)
    assert index.view() is before
    store.n_until_failure = 9
    hits = found(store, index.catch_up(store), "bell")
    assert sorted(hit.text for hit in hits) == ["bell number 3", "fourth bell", "replaced bell"]


def test_saved_index_opens_without_reading_any_content(tmp_path: Path) -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    index.save(tmp_path)
    n_read = store.n_contents_read
    again = reopened(tmp_path, store)
    assert store.n_contents_read == n_read
    assert found(store, again.view()) == found(store, index.view())


def test_deleting_the_folder_costs_time_and_no_answer(tmp_path: Path) -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    index.save(tmp_path / "index")
    shutil.rmtree(tmp_path / "index")
    again = reopened(tmp_path / "index", store)
    assert found(store, again.view()) == found(store, index.view())


def spoil_middle(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_version(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[7] += 1
    path.write_bytes(raw)


def not_an_index(path: Path) -> None:
    path.write_bytes(b"hello" * 100)


@pytest.mark.parametrize("which", [SNAPSHOT_FILE, "*.segment"])
@pytest.mark.parametrize(
    "damage", [spoil_middle, cut_short, empty, other_version, not_an_index, Path.unlink]
)
def test_damaged_file_means_a_rebuild(which: str, damage: object, tmp_path: Path) -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    index.save(tmp_path)
    (path,) = tmp_path.glob(which)
    damage(path)  # type: ignore[operator]
    again = reopened(tmp_path, store)
    assert found(store, again.view()) == found(store, index.view())
    again.save(tmp_path)
    n_read = store.n_contents_read
    reopened(tmp_path, store)
    assert store.n_contents_read == n_read  # saving has repaired it


def test_index_of_another_model_store_or_future_is_not_used(tmp_path: Path) -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    index.save(tmp_path)
    n_read = store.n_contents_read
    StoreIndex.open(tmp_path, store, vector_store_id=STORE_ID, model_id="other")
    assert store.n_contents_read == n_read + 3
    younger = MemoryStore(now=2, files={1: store.files[1], 2: store.files[2]})
    assert reopened(tmp_path, younger).view().n_windows == 3


def test_saving_again_rewrites_no_segment_and_removes_those_not_needed(tmp_path: Path) -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    index.save(tmp_path)
    (segment,) = tmp_path.glob("*.segment")
    written = segment.stat().st_mtime_ns
    store.set_attributes(1, {"year": 9})
    index.catch_up(store)
    index.save(tmp_path)
    assert [path.name for path in tmp_path.glob("*.segment")] == [segment.name]
    assert segment.stat().st_mtime_ns == written
    store.add(1, ["new content"], {})
    index.catch_up(store)
    index.fold()
    index.save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert not segment.exists()


def test_fold_keeps_every_score_and_drops_the_dead() -> None:
    rng = random.Random(1)
    store, index = MemoryStore(), fresh_index()
    for n in range(60):
        store.add(n % 25, [f"bell {rng.randint(0, 9)} tower {n}", "river"], {"n": n})
        index.catch_up(store)
    before = found(store, index.view())
    index.fold()
    view = index.view()
    assert len(view.segments) == 1
    assert sum(live.segment.n_windows for live in view.segments) == view.n_windows == 50
    assert found(store, view) == before
    assert index.catch_up(store) is view
    store.delete(3)
    assert "file-3" not in ids(found(store, index.catch_up(store)))


def test_emptied_store_folds_and_saves(tmp_path: Path) -> None:
    store, index = three_files(), fresh_index()
    index.catch_up(store)
    for n in (1, 2, 3):
        store.delete(n)
    assert found(store, index.catch_up(store)) == []
    index.fold()
    index.save(tmp_path)
    again = reopened(tmp_path, store)
    store.add(5, ["a bell again"], {})
    assert ids(found(store, again.catch_up(store))) == {"file-5"}


def test_small_commits_stay_few_segments() -> None:
    store, index = MemoryStore(), fresh_index()
    most = 0
    for n in range(200):
        store.add(n, ["bell"], {})
        most = max(most, len(index.catch_up(store).segments))
    assert most <= 9  # sizes halve from one to the next: log2(200) and one


def test_many_segments_are_folded_by_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_module, "_MERGE_MAX_WINDOWS", 0)
    store, index = MemoryStore(), fresh_index()
    for n in range(60):
        store.add(n, ["bell"], {})
        assert len(index.catch_up(store).segments) <= 24
    assert index.view().n_windows == 60


def test_searches_beside_commits_and_folds_see_whole_commits() -> None:
    """Each commit moves the words from one file to another: a search finds exactly one."""
    store, index = MemoryStore(), fresh_index()
    for n in range(30):
        store.add(n, ["filler words here"], {})
    store.add(100, ["unicorn sighting"], {})
    index.catch_up(store)
    wrong: list[object] = []
    stop = threading.Event()

    def look() -> None:
        only = parse_filter({"type": "eq", "key": "unicorn", "value": True})
        while not stop.is_set():
            view = index.view()
            n = sum(mask.n_windows for mask in view.allowed(only))
            if n != (0 if view.seq < 32 else 1):
                wrong.append((view.seq, n))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(120):
        # One snapshot of the store holds both changes, as one commit does.
        store.add(200 + n, ["unicorn sighting"], {"unicorn": True})
        if n:
            store.delete(200 + n - 1)
        index.catch_up(store)
        if n % 10 == 0:
            index.fold()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


class LongFiles(MemoryStore):
    """Gives every file in stretches of some chunks, as the store does with long ones."""

    def contents(self, file_n: int) -> list[FileContent]:
        whole = self.content(file_n)
        ends = whole.chunk_first_window + whole.chunk_n_windows
        found = []
        for first in range(0, len(ends), 4):
            starts = whole.chunk_first_window[first : first + 4]
            base, end = int(starts[0]), int(ends[first : first + 4].max())
            found.append(
                FileContent(
                    texts=whole.texts[base:end],
                    vectors=whole.vectors[base:end],
                    chunk_first_window=starts - base,
                    chunk_n_windows=whole.chunk_n_windows[first : first + 4],
                    first_chunk=first,
                )
            )
        return found


def chunks_of(index: StoreIndex) -> list[tuple[int, int]]:
    view = index.view()
    live = np.concatenate([each.live.chunks for each in view.segments])
    files, ordinals, _ = view.files_and_ordinals(np.flatnonzero(live))
    return sorted(zip(files.tolist(), ordinals.tolist(), strict=True))


def test_a_file_in_stretches_has_all_its_chunks_once(tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval.snapshot._BUILD_MAX_WINDOWS", 12)
    monkeypatch.setattr("retrieval.snapshot._MAPPED_MIN_WINDOWS", 10)
    monkeypatch.setattr("retrieval.snapshot._MERGE_MAX_WINDOWS", 0)
    store, plain = LongFiles(), MemoryStore()
    for each in (store, plain):
        each.add(1, [f"word{n} and more" for n in range(60)], {"a": 1})
        each.add(2, [f"other{n} and more" for n in range(30)], {"a": 2})

    def opened(of):
        return StoreIndex.open(tmp_path, of, vector_store_id=STORE_ID, model_id="m")

    index, whole = opened(store), StoreIndex(STORE_ID, model_id="m")
    whole.catch_up(plain)
    assert len(index.view().segments) > 1
    assert chunks_of(index) == chunks_of(whole)
    index.fold()
    assert chunks_of(index) == chunks_of(whole)
    index.save(tmp_path)
    assert chunks_of(opened(store)) == chunks_of(whole)
    store.set_attributes(1, {"a": 3})
    index.catch_up(store)
    assert chunks_of(index) == chunks_of(whole)
    store.delete(1)
    index.catch_up(store)
    assert {file_n for file_n, _ in chunks_of(index)} == {2}
    reopened = opened(store)
    assert chunks_of(reopened) == chunks_of(index)
