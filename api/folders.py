"""Batch indexing: walk folders, skip what is unchanged, wait until the rest is searchable.

A file is identified in its vector store by its path relative to the path that was given.
Nothing is kept in memory that matters: stopped at any moment, the files queued so far are
indexed by the next run or by a server on the same folder, and the next run goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from pathspec import GitIgnoreSpec

from retrieval.errors import Conflict, InvalidRequest, NotFound, RequestError, StoreUnwritable
from retrieval.types import Attachment, Attributes, VectorStore

if TYPE_CHECKING:
    from api.engine import Engine

_POLL_S = 0.1
_COUNTS = ("n_added", "n_replaced", "n_updated", "n_unchanged", "n_deleted")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to index; `path` is what its vector store knows it by."""

    location: Path
    path: str  # relative, with forward slashes


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that is not searchable now, and what to do about it."""

    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run of indexing did."""

    store_id: str
    store_name: str | None
    n_added: int = 0  # new in the vector store
    n_replaced: int = 0  # known by path, with changed content
    n_updated: int = 0  # same content, other attributes
    n_unchanged: int = 0
    n_deleted: int = 0  # no longer under the given paths; only when asked for
    n_chunks: int = 0  # of the files added and replaced
    seconds: float = 0.0
    failures: tuple[Failure, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "failures"}
        failures = [{"path": f.path, "code": f.code, "message": f.message} for f in self.failures]
        return {**values, "failures": failures}


OnProgress = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files a run takes, and what it says of them."""

    attributes: Attributes = field(default_factory=dict)  # of every file
    manifest: Mapping[Path, Attributes] = field(default_factory=dict)  # of some, on top
    glob: str | None = None  # keeps files whose relative path or name matches
    exclude: tuple[str, ...] = ()  # gitignore patterns of what to leave out
    delete_missing: bool = False  # take out what was indexed by path and is not there any more


def index_paths(
    engine: Engine,
    paths: Sequence[Path],
    *,
    store: str,
    selection: Selection,
    on_progress: OnProgress | None,
) -> IndexReport:
    """See `Engine.add`.

    Raises:
        InvalidRequest: a path does not exist, or two files have the same relative path.
        StoreUnwritable: the disk is full; what was queued is indexed by the next run.
    """
    began = time.monotonic()
    everything = find_files(paths, glob=selection.glob, exclude=selection.exclude)
    data = engine.settings.data.resolve()  # it may lie inside the folder that is indexed
    found = [file for file in everything if data not in file.location.resolve().parents]
    vector_store = _store(engine, store)
    engine.start_worker()
    run = _Run(engine, vector_store, selection)
    report = on_progress or (lambda _done, _total: None)
    next_report = began
    for n_seen, file in enumerate(found, start=1):
        run.submit(file)
        if time.monotonic() >= next_report:
            report(n_seen - run.n_pending(), len(found))
            next_report = time.monotonic() + _POLL_S
    if selection.delete_missing:
        run.delete_missing({file.path for file in found})
    while n_pending := run.n_pending():
        report(len(found) - n_pending, len(found))
        if isinstance(hindrance := engine.hindered_by(), StoreUnwritable):
            raise hindrance
        time.sleep(_POLL_S)
    engine.refresh_indexes([vector_store.id])
    report(len(found), len(found))
    return run.report(seconds=time.monotonic() - began)


def find_files(
    paths: Sequence[Path], *, glob: str | None = None, exclude: Sequence[str] = ()
) -> list[FoundFile]:
    """The files under `paths`, in order, hidden ones and folders left out.

    Args:
        paths: files, which are taken as they are, and folders, which are walked.
        glob: keeps files whose relative path or name matches, such as ``*.pdf``.
        exclude: patterns as in a ``.gitignore``, against relative paths.

    Raises:
        InvalidRequest: a path does not exist, or two files have the same relative path.
    """
    excluded = GitIgnoreSpec.from_lines(exclude)
    found: dict[str, FoundFile] = {}
    for path in paths:
        for file in _under(path):
            if glob and not (fnmatch(file.path, glob) or fnmatch(file.location.name, glob)):
                continue
            if excluded.match_file(file.path):
                continue
            other = found.setdefault(file.path, file)
            if other.location.resolve() != file.location.resolve():
                raise InvalidRequest(
                    f"{other.location} and {file.location} both have the relative path"
                    f" '{file.path}'. Index their common parent folder instead.",
                    param="paths",
                    code="invalid_value",
                )
    return list(found.values())


def _under(path: Path) -> Iterator[FoundFile]:
    if path.is_file():
        yield FoundFile(path, _known_as(path.name))
    elif path.is_dir():
        for location in sorted(path.rglob("*")):
            relative = location.relative_to(path)
            if location.is_file() and not any(part.startswith(".") for part in relative.parts):
                yield FoundFile(location, _known_as(relative.as_posix()))
    else:
        raise InvalidRequest(f"There is no file or folder {path}.", param="paths", code=None)


def _known_as(path: str) -> str:
    r"""A path as text; bytes in it that are not UTF-8 are spelt out, the same way each time.

    >>> _known_as("caf\udce9.txt")
    'caf\\xe9.txt'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _store(engine: Engine, name_or_id: str) -> VectorStore:
    """The vector store of this id or name; a new one when all of that name have expired."""
    if not name_or_id.strip():
        message = "Invalid 'store': an id or a name is needed."
        raise InvalidRequest(message, param="store", code="empty_string")
    is_id = name_or_id.startswith("vs_")
    try:
        store = engine.resolve_store(name_or_id)
    except NotFound:
        if is_id:
            raise
        return _only_of_name(engine, name_or_id)
    if store.expired and is_id:
        raise Conflict("vector_store", store.id, state="expired")
    return _only_of_name(engine, name_or_id) if store.expired else store


def _only_of_name(engine: Engine, name: str) -> VectorStore:
    """A new vector store, or the one that another process made a moment ago."""
    model_id = engine.embedder.id
    with engine.store.write() as tables:
        live = [store for store in tables.vector_stores.named(name) if not store.expired]
        if live:
            return live[0]
        store_id = tables.vector_stores.add(
            name=name, description=None, expires_after_days=None, metadata={}, model_id=model_id
        )
        return tables.vector_stores.get(store_id)


class _Run:
    """One run: what was submitted, and what became of it."""

    def __init__(self, engine: Engine, store: VectorStore, selection: Selection) -> None:
        self._engine = engine
        self._store = store
        self._selection = selection
        self._submitted: set[str] = set()  # paths; another run may replace the file under one
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._failures: list[Failure] = []

    def submit(self, file: FoundFile) -> None:
        """Queue a file unless the vector store holds it as it is."""
        of_this = self._selection.manifest.get(file.location.resolve(), {})
        wanted = {**self._selection.attributes, **of_this}
        try:
            outcome = self._submit(file, wanted)
        except (RequestError, OSError) as error:
            self._failures.append(Failure(file.path, "invalid_file", str(error)))
        else:
            self._counts[outcome] += 1

    def delete_missing(self, present: Collection[str]) -> None:
        """Take out of the vector store what was indexed under a path that is not `present`."""
        with self._engine.store.read() as view:
            known = view.attachments.paths(view.vector_stores.number(self._store.id))
        for path, file_id in known:
            if path not in present:
                self._engine.detach_indexed(self._store.id, file_id)
                self._counts["n_deleted"] += 1

    def _submit(self, file: FoundFile, wanted: Attributes) -> str:
        with file.location.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        with self._engine.store.read() as view:
            number = view.vector_stores.number(self._store.id)
            known = view.attachments.at_path(number, file.path)
        same = next((each for each in reversed(known) if each.sha256 == sha256), None)
        if same is not None and same.status in {"completed", "in_progress"}:
            if same.status == "in_progress":
                self._submitted.add(file.path)
            if same.attributes == wanted:
                return "n_unchanged"
            self._engine.update_attributes(self._store.id, same.file_id, wanted)
            return "n_updated"
        file_id = same.file_id if same else self._upload(file)
        self._engine.attach(self._store.id, file_id, attributes=wanted, path=file.path)
        self._submitted.add(file.path)
        return "n_replaced" if known else "n_added"

    def _upload(self, file: FoundFile) -> str:
        with file.location.open("rb") as content:
            return self._engine.upload(content, filename=file.path).id

    def n_pending(self) -> int:
        """How many of this run's files are still being indexed."""
        with self._engine.store.read() as view:
            number = view.vector_stores.number(self._store.id)
            pending = view.attachments.paths_in_progress(number)
        return len(self._submitted & pending)

    def _at_path(self, path: str) -> Attachment | None:
        """What the vector store holds under `path` now: the newest, if it is changing."""
        with self._engine.store.read() as view:
            known = view.attachments.at_path(view.vector_stores.number(self._store.id), path)
            return view.attachments.get(self._store.id, known[-1].file_id) if known else None

    def report(self, *, seconds: float) -> IndexReport:
        """What became of everything that was submitted."""
        n_chunks = 0
        failures = list(self._failures)
        for path in sorted(self._submitted):
            attachment = self._at_path(path)
            n_chunks += attachment.n_chunks if attachment else 0
            if attachment is None:
                failures.append(Failure(path, "cancelled", "It was taken out meanwhile."))
            elif attachment.status != "completed":
                code = attachment.error_code or attachment.status
                failures.append(Failure(path, code, attachment.error_message or ""))
        return IndexReport(
            store_id=self._store.id,
            store_name=self._store.name,
            n_chunks=n_chunks,
            seconds=round(seconds, 3),
            failures=tuple(failures),
            **self._counts,
        )


def read_manifest(path: Path) -> dict[Path, Attributes]:
    """Attributes by file, from JSON lines ``{"path": …, "attributes": {…}}``.

    Paths are relative to the manifest's own folder; other keys of a line are ignored.

    Raises:
        InvalidRequest: a line is not such an object, or names a file that is not there.
    """
    manifest: dict[Path, Attributes] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            location, attributes = (path.parent / row["path"]).resolve(), row["attributes"]
        except (ValueError, KeyError, TypeError) as error:
            _refuse_line(path, number, "expected an object with 'path' and 'attributes'", error)
        if not location.is_file():
            _refuse_line(path, number, f"there is no file {location}", None)
        manifest[location] = attributes
    return manifest


def _refuse_line(path: Path, number: int, reason: str, cause: Exception | None) -> Never:
    raise InvalidRequest(
        f"{path}:{number}: {reason}.", param="manifest", code="invalid_value"
    ) from cause
