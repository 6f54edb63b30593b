"""Values of batch indexing: what to take, what was found, what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from api.batch.path_patterns import PathPattern
from retrieval.store.progress import AtWork
from retrieval.types import Attributes

Kind = Literal["added", "replaced", "updated", "unchanged", "resumed", "deleted", "failed"]
Stage = Literal["scanning", "queueing", "indexing", "saving"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files a run takes, and what it says of them."""

    attributes: Attributes = field(default_factory=dict)  # of every file
    from_path: tuple[PathPattern, ...] = ()  # of files whose path matches; on top of those
    manifest: Mapping[Path, Attributes] = field(default_factory=dict)  # of some; on top of all
    globs: tuple[str, ...] = ()  # keep files whose relative path or name matches one of these
    exclude: tuple[str, ...] = ()  # gitignore patterns of what to leave out
    ignore_files: bool = True  # obey .gitignore and .sourcebookignore files under the paths
    hidden: bool = False  # take names that begin with a dot, too
    follow_links: bool = False  # walk into folders that are symbolic links
    checksum: bool = False  # read every file, instead of trusting its size and mtime
    retry_failed: bool = False  # try again what could not be read, though it is unchanged
    delete_missing: bool = False  # take out what was indexed by path and is not there any more


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to index; `path` is what its vector store knows it by."""

    location: str
    path: str  # relative, with forward slashes
    n_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that is not searchable as it is now, and what to do about it."""

    path: str
    code: str  # of the vector store file, or `unreadable`, `too_large`, `cancelled`
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Files and bytes are those that are new or changed."""

    stage: Stage
    n_found: int  # files to look at
    n_seen: int  # of these looked at
    n_queued: int  # new or changed
    n_done: int  # of these searchable, or failed for good
    bytes_queued: int
    bytes_done: int
    n_chunks: int
    n_failed: int
    seconds: float
    at_work: tuple[AtWork, ...] = ()  # files that workers are at just now


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one file, told as it happens."""

    kind: Kind
    path: str
    n_chunks: int = 0
    message: str = ""


OnChange = Callable[[Change], None]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run of indexing did. The counts of files add up, `n_deleted` aside, to `n_files`."""

    store_id: str
    store_name: str | None
    n_files: int = 0  # found under the paths, and failures to read them
    n_added: int = 0  # new, and searchable now
    n_replaced: int = 0  # known by path, with changed content that is searchable now
    n_updated: int = 0  # same content, other attributes
    n_unchanged: int = 0
    n_resumed: int = 0  # queued by an earlier or another run; searchable now
    n_deleted: int = 0  # no longer under the given paths; only when asked for
    n_chunks: int = 0  # these four: of the files added, replaced and resumed
    n_windows: int = 0
    n_tokens: int = 0
    n_bytes: int = 0
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds each; they add up
    left_out: Mapping[str, int] = field(default_factory=dict)  # files and folders, by reason
    failures: tuple[Failure, ...] = ()

    @property
    def reasons(self) -> list[tuple[str, str, int]]:
        """(code, message, how many files), most frequent first."""
        counts = Counter((each.code, each.message) for each in self.failures)
        return [(code, message, count) for (code, message), count in counts.most_common()]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = [name for name in self.__slots__ if name != "failures"]
        return {
            **{name: getattr(self, name) for name in plain},
            "phases": dict(self.phases),
            "left_out": dict(self.left_out),
            "n_failed": len(self.failures),
            "reasons": [
                {"code": code, "message": message, "n_files": count}
                for code, message, count in self.reasons
            ],
            "failures": [
                {"path": each.path, "code": each.code, "message": each.message}
                for each in self.failures
            ],
        }
