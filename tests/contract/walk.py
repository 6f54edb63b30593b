"""A walk over every method of the official Python client's resources that are served.

Runs with any version of `openai`, synchronous or not, and needs nothing of ours, so that it can
run where only the client is installed: `python walk.py` reads OPENAI_BASE_URL.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import tempfile
import warnings
from pathlib import Path
from typing import Any

import openai

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
TEXTS = {
    "paris.txt": b"Paris is the capital of France. The Seine flows through it.",
    "rome.md": b"# Italy\n\nRome is the capital of Italy. It was not built in a day.",
    "oslo.txt": b"Oslo is the capital of Norway. In winter it is cold there.",
}
STATIC = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50},
}
BOTH_WAYS = ("with_raw_response", "with_streaming_response")
QUICK = {"poll_interval_ms": 20}


class Seen:
    """Passes everything on to a client's resource and notes which of its methods were called."""

    def __init__(self, inner: Any, path: str = "", called: set[str] | None = None) -> None:
        self._inner, self._path = inner, path
        self.called: set[str] = set() if called is None else called

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        path = f"{self._path}.{name}".lstrip(".")
        if name in BOTH_WAYS:
            return found
        if inspect.ismethod(found):
            self.called.add(path)
            return found
        return Seen(found, path, self.called)


def methods(resource: Any, path: str) -> set[str]:
    """The public methods of a resource."""
    names = (name for name in dir(resource) if not name.startswith("_"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return {f"{path}.{name}" for name in names if inspect.ismethod(getattr(resource, name))}


async def done(value: Any) -> Any:
    """What a call gives, whether the client is synchronous or not."""
    return await value if inspect.isawaitable(value) else value


async def everything(pages: Any) -> list[Any]:
    """All items of a list, page after page, as the client follows them."""
    if hasattr(pages, "__aiter__"):
        return [item async for item in pages]
    return list(await done(pages))


async def refused(error: type[openai.APIStatusError], call: Any, *args: Any, **kwargs: Any) -> Any:
    """The error that `call` must end with."""
    try:
        await done(call(*args, **kwargs))
    except error as exc:
        found = exc
    else:
        raise AssertionError(f"{call} was not refused")
    assert found.request_id, "no request id"
    return found


async def walk(client: Any) -> set[str]:
    """Call everything; gives the methods that were called. AssertionError on a wrong answer."""
    seen = Seen(client)
    await walk_files(seen)
    await walk_uploads(seen)
    await walk_stores(seen)
    await walk_store_files(seen)
    await walk_batches(seen)
    await walk_search(seen)
    await walk_models(seen)
    await walk_both_ways(client)
    return seen.called


async def walk_files(client: Any) -> None:
    made = [
        await done(client.files.create(file=(f"{p}.txt", b"some text"), purpose=p))
        for p in PURPOSES
    ]
    assert [file.purpose for file in made] == list(PURPOSES)
    expiring = await done(
        client.files.create(
            file=("soon.txt", b"text"),
            purpose="user_data",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
    )
    assert expiring.expires_at == expiring.created_at + 3600
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "from disk.txt"
        path.write_bytes(b"from disk")
        from_disk = await done(client.files.create(file=path, purpose="assistants"))
    assert (from_disk.filename, from_disk.bytes) == ("from disk.txt", 9)
    ids = {file.id for file in [*made, expiring, from_disk]}
    assert ids <= {file.id for file in await everything(client.files.list(limit=2))}
    ours = await everything(client.files.list(purpose="evals", order="asc"))
    assert {file.purpose for file in ours} == {"evals"}
    assert (await done(client.files.retrieve(from_disk.id))).id == from_disk.id
    content = await done(client.files.content(from_disk.id))
    assert content.read() == b"from disk"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert await done(client.files.retrieve_content(from_disk.id)) == "from disk"
    ready = await done(client.files.wait_for_processing(from_disk.id, poll_interval=0.01))
    assert ready.status == "processed"
    for id in ids:
        assert (await done(client.files.delete(id))).deleted
    error = await refused(openai.NotFoundError, client.files.retrieve, from_disk.id)
    assert error.body["message"] == f"No such File object: {from_disk.id}"
    await refused(
        openai.BadRequestError, client.files.create, file=("a.txt", b"a"), purpose="other"
    )


async def walk_uploads(client: Any) -> None:
    whole = b"".join(TEXTS.values())
    upload = await done(
        client.uploads.create(
            filename="whole.txt", purpose="assistants", bytes=len(whole), mime_type="text/plain"
        )
    )
    assert upload.status == "pending"
    texts = list(TEXTS.values())[::-1]  # parts may come in any order
    parts = [await done(client.uploads.parts.create(upload.id, data=text)) for text in texts]
    complete = await done(
        client.uploads.complete(
            upload.id,
            part_ids=[part.id for part in parts[::-1]],
            md5=hashlib.md5(whole).hexdigest(),
        )
    )
    assert complete.status == "completed"
    stored = await done(client.files.content(complete.file.id))
    assert stored.read() == whole
    given_up = await done(
        client.uploads.create(filename="b", purpose="user_data", bytes=9, mime_type="pdf")
    )
    assert (await done(client.uploads.cancel(given_up.id))).status == "cancelled"
    await refused(openai.BadRequestError, client.uploads.parts.create, given_up.id, data=b"late")
    await walk_chunked_uploads(client, whole)


async def walk_chunked_uploads(client: Any, whole: bytes) -> None:
    kwargs: dict[str, Any] = {"mime_type": "text/plain", "purpose": "assistants", "part_size": 64}
    uploads = [
        await done(
            client.uploads.upload_file_chunked(
                file=whole, filename="bytes.txt", bytes=len(whole), **kwargs
            )
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "disk.txt"
        path.write_bytes(whole)
        uploads.append(await done(client.uploads.upload_file_chunked(file=path, **kwargs)))
    for upload in uploads:
        assert upload.status == "completed"
        assert upload.file.bytes == len(whole)


async def walk_stores(client: Any) -> None:
    stores = client.vector_stores
    file = await done(client.files.create(file=("a.txt", b"one word"), purpose="assistants"))
    made = [
        await done(stores.create()),
        await done(stores.create(name="Named", description="Text", metadata={"a": "b"})),
        await done(
            stores.create(
                file_ids=[file.id],
                chunking_strategy=STATIC,
                expires_after={"anchor": "last_active_at", "days": 7},
            )
        ),
    ]
    assert made[0].name is None
    assert made[1].metadata == {"a": "b"}
    assert made[2].expires_at == made[2].last_active_at + 7 * 86_400
    assert made[2].file_counts.total == 1
    ids = [store.id for store in made]
    listed = [store.id for store in await everything(stores.list(limit=1, order="asc"))]
    assert [id for id in listed if id in ids] == ids
    after = await done(stores.list(after=ids[0], before=ids[2], order="asc", limit=100))
    assert [store.id for store in after.data] == [ids[1]]
    changed = await done(stores.update(ids[1], name=None, metadata=None))
    assert (changed.name, changed.metadata) == (None, {})
    cleared = await done(stores.update(ids[2], name="Renamed", expires_after=None))
    assert (cleared.name, cleared.expires_at) == ("Renamed", None)
    assert (await done(stores.retrieve(ids[1]))) == changed
    for id in ids:
        assert (await done(stores.delete(id))).deleted
    await refused(openai.NotFoundError, stores.retrieve, ids[0])
    await refused(openai.BadRequestError, stores.create, metadata={str(n): "" for n in range(17)})


async def walk_store_files(client: Any) -> None:
    store = await done(client.vector_stores.create())
    files = client.vector_stores.files
    raw = [
        await done(client.files.create(file=(name, text), purpose="assistants"))
        for name, text in TEXTS.items()
    ]
    attached = await done(files.create(store.id, file_id=raw[0].id))
    assert attached.status in ("in_progress", "completed")
    polled = await done(files.poll(raw[0].id, vector_store_id=store.id, **QUICK))
    assert polled.status == "completed"
    second = await done(
        files.create_and_poll(
            raw[1].id,
            vector_store_id=store.id,
            attributes={"country": "Italy", "old": True, "area": 1285.5},
            chunking_strategy=STATIC,
            **QUICK,
        )
    )
    assert second.chunking_strategy.static.max_chunk_size_tokens == 200
    assert second.attributes == {"country": "Italy", "old": True, "area": 1285.5}
    third = await done(files.upload(vector_store_id=store.id, file=("c.txt", b"third")))
    fourth = await done(
        files.upload_and_poll(vector_store_id=store.id, file=("d.txt", b"fourth"), **QUICK)
    )
    assert fourth.status == "completed"
    unreadable = await done(
        files.upload_and_poll(vector_store_id=store.id, file=("e.bin", b"\0\1\2\3"), **QUICK)
    )
    assert (unreadable.status, unreadable.last_error.code) == ("failed", "unsupported_file")
    changed = await done(
        files.update(second.id, vector_store_id=store.id, attributes={"country": "IT"})
    )
    assert changed.attributes == {"country": "IT"}
    assert (await done(files.retrieve(second.id, vector_store_id=store.id))) == changed
    listed = await everything(files.list(store.id, limit=2))
    assert len(listed) == len({file.id for file in listed}) == 5
    failed = await everything(files.list(store.id, filter="failed"))
    assert [file.id for file in failed] == [unreadable.id]
    text = await everything(files.content(second.id, vector_store_id=store.id))
    assert "Rome is the capital" in text[0].text
    await done(files.delete(third.id, vector_store_id=store.id))
    await refused(openai.NotFoundError, files.retrieve, third.id, vector_store_id=store.id)
    await refused(openai.NotFoundError, files.create, store.id, file_id="file-none")


async def walk_batches(client: Any) -> None:
    store = await done(client.vector_stores.create())
    batches = client.vector_stores.file_batches
    raw = [
        await done(client.files.create(file=(name, text), purpose="assistants"))
        for name, text in TEXTS.items()
    ]
    ids = [file.id for file in raw]
    batch = await done(
        batches.create(store.id, file_ids=ids, attributes={"a": 1}, chunking_strategy=STATIC)
    )
    assert batch.id.startswith("vsfb_")
    assert batch.file_counts.total == 3
    ended = await done(batches.poll(batch.id, vector_store_id=store.id, **QUICK))
    assert (ended.status, ended.file_counts.completed) == ("completed", 3)
    assert (await done(batches.retrieve(batch.id, vector_store_id=store.id))) == ended
    listed = await everything(batches.list_files(batch.id, vector_store_id=store.id, limit=1))
    assert sorted(file.id for file in listed) == sorted(ids)
    files = [{"file_id": id, "attributes": {"n": n}} for n, id in enumerate(ids)]
    other = await done(client.vector_stores.create())
    polled = await done(batches.create_and_poll(other.id, files=files, **QUICK))
    assert polled.file_counts.completed == 3
    uploaded = await done(
        batches.upload_and_poll(other.id, files=list(TEXTS.items()), file_ids=ids[:1], **QUICK)
    )
    assert uploaded.file_counts.completed == 4
    stopped = await done(batches.create(other.id, file_ids=ids))
    cancelled = await done(batches.cancel(stopped.id, vector_store_id=other.id))
    assert cancelled.status in ("cancelled", "completed")
    await refused(openai.BadRequestError, batches.retrieve, store.id, vector_store_id=store.id)


async def walk_search(client: Any) -> None:
    stores = client.vector_stores
    store = await done(stores.create())
    for name, text in TEXTS.items():
        file = await done(client.files.create(file=(name, text), purpose="assistants"))
        await done(
            stores.files.create_and_poll(
                file.id, vector_store_id=store.id, attributes={"name": name}, **QUICK
            )
        )
    found = await everything(stores.search(store.id, query="capital of France"))
    assert found[0].filename == "paris.txt"
    assert found[0].attributes == {"name": "paris.txt"}
    assert 0 <= found[-1].score <= found[0].score <= 1
    found = await everything(
        stores.search(
            store.id,
            query=["What is the capital of Norway?", "cold winter"],
            rewrite_query=True,
            max_num_results=2,
            ranking_options={"ranker": "default-2024-11-15", "score_threshold": 0.01},
            filters={"type": "ne", "key": "name", "value": "paris.txt"},
        )
    )
    assert found[0].filename == "oslo.txt"
    assert "paris.txt" not in {hit.filename for hit in found}
    weights = {"embedding_weight": 0.2, "text_weight": 0.8}
    compound = {
        "type": "or",
        "filters": [
            {"type": "in", "key": "name", "value": ["rome.md"]},
            {"type": "and", "filters": [{"type": "eq", "key": "missing", "value": True}]},
        ],
    }
    found = await everything(
        stores.search(
            store.id,
            query="capital",
            filters=compound,
            ranking_options={"ranker": "none"},
            extra_body={"ranking_options": {"hybrid_search": weights}},
        )
    )
    assert [hit.filename for hit in found] == ["rome.md"]
    await refused(openai.BadRequestError, stores.search, store.id, query="a", max_num_results=51)


async def walk_models(client: Any) -> None:
    models = await everything(client.models.list())
    assert "extractive" in {model.id for model in models}
    assert (await done(client.models.retrieve("extractive"))).object == "model"
    await refused(openai.NotFoundError, client.models.retrieve, "none")
    # It deletes fine-tuned models, which nobody has here.
    assert (await refused(openai.APIStatusError, client.models.delete, "none")).status_code == 405


async def walk_both_ways(client: Any) -> None:
    """Replies raw and streamed, as well as parsed."""
    raw = await done(client.vector_stores.with_raw_response.create(name="raw"))
    store = await done(raw.parse())
    assert raw.headers["x-request-id"] == store._request_id
    assert raw.headers["openai-version"] == "2020-10-01"
    entered = client.vector_stores.with_streaming_response.retrieve(store.id)
    if hasattr(entered, "__aenter__"):
        async with entered as reply:
            assert (await reply.parse()).id == store.id
    else:
        with entered as reply:
            assert reply.parse().id == store.id


def expected(client: Any) -> set[str]:
    """Every method that a whole walk calls."""
    stores = client.vector_stores
    resources = {
        "files": client.files,
        "uploads": client.uploads,
        "uploads.parts": client.uploads.parts,
        "vector_stores": stores,
        "vector_stores.files": stores.files,
        "vector_stores.file_batches": stores.file_batches,
        "models": client.models,
    }
    return set().union(*(methods(resource, path) for path, resource in resources.items()))


async def main() -> None:
    """Walk with both clients against OPENAI_BASE_URL."""
    with openai.OpenAI() as client:
        called = await walk(client)
        assert called == expected(client), called ^ expected(client)
    async with openai.AsyncOpenAI() as client:
        assert await walk(client) == called
    print(f"openai {openai.__version__}: {len(called)} methods, sync and async")


if __name__ == "__main__":
    asyncio.run(main())
