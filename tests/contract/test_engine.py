"""The library door on a real data folder: what callers may rely on, file by file."""

import io
import threading
import time
from contextlib import closing

import pytest

from api.engine import Engine
from api.settings import Settings
from retrieval.errors import Conflict, InvalidRequest, NotFound, TooLarge
from retrieval.queries import Query
from retrieval.types import BatchMember, ChunkingStrategy, PageRequest

WORDS = [
    "gear",
    "wheel",
    "spring",
    "dial",
    "hand",
    "pendulum",
    "escapement",
    "anchor",
    "verge",
    "chain",
    "weight",
    "bell",
]


def text_about(topic, n_sentences=40):
    """Sentences that share a topic word, enough for several windows."""
    return " ".join(
        f"The {topic} number {i} moves the {WORDS[i % len(WORDS)]} of the clock."
        for i in range(n_sentences)
    )


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data", embedder="hash")


@pytest.fixture
def engine(settings):
    with Engine.open(settings=settings, work=True) as engine:
        yield engine


@pytest.fixture
def idle(settings):
    """An engine that indexes nothing by itself."""
    with Engine.open(settings=settings) as engine:
        yield engine


def upload(engine, text, filename="a.txt"):
    content = text if isinstance(text, bytes) else text.encode()
    return engine.upload(io.BytesIO(content), filename=filename)


def settled(engine, store_id, file_id, timeout_s=90):
    deadline = time.monotonic() + timeout_s
    while (found := engine.attachment(store_id, file_id)).status == "in_progress":
        assert time.monotonic() < deadline, "still in progress"
        time.sleep(0.02)
    return found


def indexed(engine, text, filename="a.txt", **options):
    """A new vector store with one indexed file."""
    file = upload(engine, text, filename)
    store = engine.create_vector_store()
    engine.attach(store.id, file.id, **options)
    assert settled(engine, store.id, file.id).status == "completed"
    return store.id, file.id


def hits(engine, store_id, text, **options):
    return engine.search([store_id], Query((text,), limit=50, **options)).hits


def test_a_file_goes_from_bytes_to_a_hit(engine):
    store_id, file_id = indexed(engine, text_about("foliot"), attributes={"year": 1300})
    (*_, hit) = hits(engine, store_id, "foliot number 3")
    assert (hit.file_id, hit.filename, hit.attributes) == (file_id, "a.txt", {"year": 1300})
    assert engine.content(store_id, file_id)[hit.start_char : hit.end_char] == hit.text
    assert 0 <= hit.score <= 1


def test_attaching_returns_at_once_and_counts_are_true(idle):
    store = idle.create_vector_store(name="n")
    file = upload(idle, "some text")
    attachment = idle.attach(store.id, file.id)
    assert attachment.status == "in_progress"
    assert idle.vector_store(store.id).counts.in_progress == 1
    assert hits(idle, store.id, "text") == ()
    idle.start_worker()
    assert settled(idle, store.id, file.id).n_chunks == 1
    counts = idle.vector_store(store.id).counts
    assert (counts.in_progress, counts.completed, counts.total) == (0, 1, 1)


def test_an_empty_file_is_refused_and_leaves_nothing(idle):
    with pytest.raises(InvalidRequest, match="empty") as caught:
        upload(idle, b"")
    assert caught.value.param == "file"
    assert idle.store.blobs.names() == set()


def test_a_file_over_the_limit_is_refused(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", max_file_bytes=10)
    with Engine.open(settings=settings) as engine, pytest.raises(TooLarge):
        upload(engine, b"x" * 11)


@pytest.mark.parametrize(
    ("content", "filename", "code"),
    [
        (b"%PDF-1.7\nnot really", "broken.pdf", "invalid_file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "picture.png", "unsupported_file"),
        (b"   \n\t\n", "blank.txt", "invalid_file"),
    ],
)
def test_a_file_that_cannot_be_read_fails_alone(engine, content, filename, code):
    bad, good = upload(engine, content, filename), upload(engine, text_about("fusee"))
    store = engine.create_vector_store(file_ids=[bad.id, good.id])
    failed = settled(engine, store.id, bad.id)
    assert (failed.status, failed.error_code) == ("failed", code)
    assert len(failed.error_message) > 20
    assert settled(engine, store.id, good.id).status == "completed"
    with pytest.raises(Conflict):
        engine.content(store.id, bad.id)


def test_too_many_tokens_fail_with_the_limit(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", max_file_tokens=50)
    with Engine.open(settings=settings, work=True) as engine:
        file = upload(engine, text_about("fusee"))
        store = engine.create_vector_store(file_ids=[file.id])
        failed = settled(engine, store.id, file.id)
    assert failed.status == "failed"
    assert "50" in failed.error_message


def test_an_unknown_file_in_a_batch_attaches_nothing(idle):
    store, file = idle.create_vector_store(), upload(idle, "text")
    with pytest.raises(NotFound) as caught:
        idle.create_batch(store.id, [BatchMember(file.id), BatchMember("file-unknown")])
    assert caught.value.id == "file-unknown"
    assert idle.attachments(store.id, PageRequest()).items == ()


def test_indexing_again_serves_the_old_chunks_until_the_commit(idle):
    store, file = idle.create_vector_store(), upload(idle, text_about("fusee", 200))
    idle.attach(store.id, file.id)
    idle.start_worker()
    settled(idle, store.id, file.id)
    before = idle.attachment(store.id, file.id).n_chunks
    idle._worker.close()  # nothing is indexed from here on
    idle._worker = None
    again = idle.attach(
        store.id, file.id, attributes={"new": True}, chunking=ChunkingStrategy(100, 0)
    )
    assert again.status == "in_progress"
    found = hits(idle, store.id, "fusee")
    assert len(found) == before
    assert found[0].attributes == {"new": True}
    idle.start_worker()
    after = settled(idle, store.id, file.id)
    assert after.n_chunks > before
    assert len(hits(idle, store.id, "fusee")) == min(50, after.n_chunks)
    assert idle.vector_store(store.id).counts.total == 1


def test_a_deleted_file_is_never_found(engine):
    store_id, file_id = indexed(engine, text_about("foliot"))
    other = upload(engine, text_about("fusee"), "b.txt")
    engine.attach(store_id, other.id)
    settled(engine, store_id, other.id)
    assert {hit.file_id for hit in hits(engine, store_id, "clock")} == {file_id, other.id}
    engine.delete_file(file_id)
    assert {hit.file_id for hit in hits(engine, store_id, "foliot")} == {other.id}
    with pytest.raises(NotFound):
        engine.file(file_id)
    engine.detach(store_id, other.id)
    assert hits(engine, store_id, "fusee") == ()
    assert engine.file(other.id) == other


def test_an_attribute_change_is_seen_by_the_next_search(engine):
    store_id, file_id = indexed(engine, text_about("foliot"), attributes={"state": "draft"})
    draft, final = ({"type": "eq", "key": "state", "value": v} for v in ("draft", "final"))
    assert engine.find("foliot", store=store_id, filters=draft).hits
    engine.update_attributes(store_id, file_id, {"state": "final"})
    assert engine.find("foliot", store=store_id, filters=draft).hits == ()
    assert engine.find("foliot", store=store_id, filters=final).hits


def test_cancelling_a_batch_keeps_what_is_done(idle):
    store = idle.create_vector_store()
    files = [upload(idle, text_about(word), f"{word}.txt") for word in WORDS[:3]]
    batch = idle.create_batch(store.id, [BatchMember(file.id) for file in files])
    assert (batch.status, batch.counts.in_progress) == ("in_progress", 3)
    cancelled = idle.cancel_batch(store.id, batch.id)
    assert (cancelled.status, cancelled.counts.cancelled) == ("cancelled", 3)
    assert idle.vector_store(store.id).counts.cancelled == 3
    with idle.store.read() as view:
        assert view.jobs.waiting() == 0
    idle.attach(store.id, files[0].id)
    idle.start_worker()
    assert settled(idle, store.id, files[0].id).status == "completed"
    assert idle.batch(store.id, batch.id).counts.cancelled == 3


def test_one_text_in_two_stores_is_parsed_and_embedded_once(engine):
    first, file_id = indexed(engine, text_about("foliot"))
    second = engine.create_vector_store(file_ids=[file_id])
    settled(engine, second.id, file_id)
    with closing(engine.store._connect()) as connection:
        n_windows, n_vectors, n_documents = connection.execute(
            "SELECT (SELECT count(*) FROM windows), (SELECT count(*) FROM vectors),"
            " (SELECT count(*) FROM documents)"
        ).fetchone()
    assert n_windows == 2 * n_vectors
    assert n_documents == 1
    assert hits(engine, first, "foliot")[0].text == hits(engine, second.id, "foliot")[0].text


def test_names_resolve_and_ambiguous_ones_list_their_ids(idle):
    first = idle.create_vector_store(name="notes")
    assert idle.resolve_store("notes").id == first.id
    assert idle.resolve_store(first.id).name == "notes"
    second = idle.create_vector_store(name="notes")
    with pytest.raises(InvalidRequest) as caught:
        idle.resolve_store("notes")
    assert first.id in str(caught.value)
    assert second.id in str(caught.value)
    with pytest.raises(NotFound):
        idle.resolve_store("other")


def test_two_engines_on_one_folder_see_each_others_commits(settings):
    with (
        Engine.open(settings=settings) as reader,
        Engine.open(settings=settings, work=True) as writer,
    ):
        store_id, file_id = indexed(writer, text_about("foliot"))
        assert hits(reader, store_id, "foliot")
        writer.delete_file(file_id)
        assert hits(reader, store_id, "foliot") == ()


def test_searches_during_commits_never_see_half_a_file(engine):
    store = engine.create_vector_store()
    files = [upload(engine, text_about(f"part{i}", 60), f"{i}.txt") for i in range(30)]
    sizes, stop, wrong = {}, threading.Event(), []

    def look():
        while not stop.is_set():
            seen = {}
            for hit in hits(engine, store.id, "clock moves"):
                seen.setdefault(hit.file_id, []).append(hit.chunk_ordinal)
            wrong.extend(seen[id] for id in seen if sorted(seen[id]) != list(range(len(seen[id]))))

    looker = threading.Thread(target=look)
    looker.start()
    engine.create_batch(store.id, [BatchMember(file.id) for file in files])
    for file in files:
        sizes[file.id] = settled(engine, store.id, file.id).n_chunks
    stop.set()
    looker.join()
    assert wrong == []
    assert set(sizes.values()) == {sizes[files[0].id]}


def test_a_filter_that_matches_nothing_gives_an_empty_list(engine):
    store_id, _ = indexed(engine, text_about("foliot"), attributes={"year": 1300})
    nothing = {"type": "eq", "key": "year", "value": "1300"}  # a string is not that number
    assert engine.find("foliot", store=store_id, filters=nothing).hits == ()


def test_several_stores_are_searched_as_one(engine):
    first, _ = indexed(engine, text_about("foliot"))
    second, _ = indexed(engine, text_about("fusee"))
    result = engine.search([first, second], Query(("foliot fusee",), limit=2))
    assert len(result.hits) == 2
    assert {hit.vector_store_id for hit in result.hits} == {first, second}
    assert result.hits[0].score >= result.hits[1].score
    n_tokens = [len(engine.embedder.token_spans(hit.text)) for hit in result.hits]
    budget = n_tokens[0] + n_tokens[1] // 2  # enough for either store's hit, not for both
    within = engine.search([first, second], Query(("foliot fusee",), limit=2, max_tokens=budget))
    assert within.hits == result.hits[:1]
