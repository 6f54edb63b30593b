"""Goes on indexing what changes under some paths, until told to stop.

Events say where to look; what is there is then found by the same rules as in any run. So a file
that was renamed over another, a folder that was moved in or out, or an event that came twice all
end in the state of the disk. What events missed, a full look finds: every ten minutes, after a
change of an ignore file, and when polling, every time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.batch.events import Events
from api.batch.find import Finder
from api.batch.ignore import IGNORE_FILES
from api.batch.run import Run
from api.batch.types import Change, IndexReport, OnChange, OnProgress, Selection
from retrieval.errors import StoreBusy

if TYPE_CHECKING:
    from api.engine import Engine

logger = logging.getLogger("sourcebook.watch")


@dataclass(frozen=True, slots=True)
class Told:
    """Whom to tell of what."""

    on_ready: Callable[[IndexReport], None]  # everything that was there is indexed
    on_change: OnChange  # from then on a file is searchable, has failed, or is gone
    on_progress: OnProgress | None = None  # until then


_LOOK_S = 0.1
# Events can be lost: the kernel's queue overflows, network file systems send none.
_FULL_LOOK_S = 600.0
_MANY = 1000  # places to look at: from here on looking at everything is quicker


def watch_paths(
    engine: Engine,
    paths: Sequence[Path],
    *,
    store: str,
    selection: Selection,
    told: Told,
    poll_s: float | None,
    stop: threading.Event,
) -> IndexReport:
    """Index `paths`, and then what changes under them until `stop` is set.

    Args:
        engine: open; not closed here.
        paths: files and folders.
        store: id or name of the vector store.
        selection: which files; with `delete_missing`, what is deleted is taken out, too.
        told: whom to tell.
        poll_s: look every so many seconds, instead of waiting for events.
        stop: ends the watching; what is queued then is indexed by the next run. It is set on
            return in any case.

    Returns:
        Counts over the whole time, but of files found and unchanged as last looked at.

    Raises:
        InvalidRequest: a path does not exist, or two files have the same relative path.
        Unavailable: the disk is full, or the operating system cannot watch so much.
    """
    finder = Finder(paths, selection, but_not=engine.settings.data)
    quiet = True  # the report says what became of the files of the first look

    def tell(change: Change) -> None:
        if not quiet:
            told.on_change(change)

    with (
        contextlib.nullcontext() if poll_s else Events(finder.roots, stop=stop) as events,
        Run(
            engine,
            finder,
            store=store,
            selection=selection,
            on_progress=told.on_progress,
            on_change=tell,
        ) as run,
    ):
        run.index_all(stop.is_set)
        if not stop.is_set():
            told.on_ready(run.report())
        quiet = False
        _go_on(run, events, full_look_s=poll_s or _FULL_LOOK_S, stop=stop)
        return run.report()


def _go_on(run: Run, events: Events | None, *, full_look_s: float, stop: threading.Event) -> None:
    next_full_look = time.monotonic() + full_look_s
    todo: set[str] = set()
    while not stop.wait(_LOOK_S):
        todo |= set(events.take_due()) if events else set()
        try:
            if time.monotonic() >= next_full_look or _is_for_all(todo):
                run.queue_all()
                next_full_look = time.monotonic() + full_look_s
            elif todo:
                run.look_at(outermost(todo))
            todo = set()
            run.look()
        except StoreBusy as error:  # the next round does it
            logger.warning("store_busy", extra={"error": str(error)})


def _is_for_all(todo: Collection[str]) -> bool:
    return len(todo) > _MANY or any(os.path.basename(each) in IGNORE_FILES for each in todo)  # noqa: PTH119


def outermost(locations: Iterable[str]) -> list[str]:
    """Without those that lie below another one.

    >>> outermost(["/a/b/c", "/a/bc", "/a/b"])
    ['/a/b', '/a/bc']
    """
    kept: list[str] = []
    for location in sorted(locations, key=lambda each: Path(each).parts):
        if not kept or not location.startswith(kept[-1] + os.sep):
            kept.append(location)
    return kept
