"""How far indexing is: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from api.printing import as_bytes, as_clock, printable

if TYPE_CHECKING:
    from api.batch.types import OnProgress, Progress
    from retrieval.store.progress import AtWork

_LINE_S = 5.0
_RATE_S = 30.0  # a rate over less jumps about, one over more is late
_NAME_CHARS = 30


@contextlib.contextmanager
def progress_shown(*, show: bool) -> Iterator[OnProgress | None]:
    """What to call with progress while the block runs; stderr shows it."""
    if not show:
        yield None
    elif sys.stderr.isatty():
        with _bar() as on_progress:
            yield on_progress
    else:
        yield _Lines()


class _Lines:
    def __init__(self) -> None:
        self._pace = Pace()
        self._next_s = _LINE_S

    def __call__(self, progress: Progress) -> None:
        self._pace.note(progress)
        if progress.seconds >= self._next_s:
            self._next_s = progress.seconds + _LINE_S
            click.echo(f"{progress.stage}: {described(progress, self._pace)}", err=True)


@contextlib.contextmanager
def _bar() -> Iterator[OnProgress]:
    from tqdm import tqdm  # noqa: PLC0415

    pace = Pace()
    layout = "{desc} {percentage:3.0f}%|{bar:20}| {postfix}"
    with tqdm(bar_format=layout, leave=False, dynamic_ncols=True, total=1) as bar:

        def on_progress(progress: Progress) -> None:
            pace.note(progress)
            bar.set_description_str(progress.stage, refresh=False)
            bar.total, bar.n = 1, share_done(progress)
            bar.set_postfix_str(described(progress, pace), refresh=False)
            bar.refresh()

        yield on_progress


class Pace:
    """How quickly work gets done, over the last half minute."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int, float]] = deque()  # seconds, files, share of work

    def note(self, progress: Progress) -> None:
        """Remember a moment."""
        self._marks.append((progress.seconds, progress.n_done, share_done(progress)))
        while progress.seconds - self._marks[0][0] > _RATE_S:
            self._marks.popleft()

    def files_per_s(self) -> float:
        """Files indexed in a second; 0 while that is not known."""
        (began, files, _), (now, more_files, _) = self._marks[0], self._marks[-1]
        return (more_files - files) / (now - began) if now > began else 0.0

    def seconds_left(self) -> float | None:
        """None while it cannot be told."""
        (began, _, share), (now, _, more) = self._marks[0], self._marks[-1]
        return (1 - more) * (now - began) / (more - share) if more > share else None


def share_done(progress: Progress) -> float:
    """The part of the work that is done, 0 to 1: the mean of the shares of files and of bytes.

    Neither alone will do: a hundred small files cost more than their bytes, a large one more
    than one file. What has not been looked at yet is taken to be like what has.
    """
    if not progress.n_seen or progress.stage == "scanning":
        return 0.0
    seen = progress.n_seen / max(progress.n_found, 1)
    if not progress.n_queued:
        return seen
    files = progress.n_done / progress.n_queued
    n_bytes = progress.bytes_done / max(progress.bytes_queued, 1)
    return seen * (files + n_bytes) / 2


def described(progress: Progress, pace: Pace) -> str:
    """Files, bytes, chunks, rate, time left, and what is being done."""
    if progress.stage == "scanning":
        return f"{progress.n_found:,} files"
    parts = [
        f"{progress.n_seen:,}/{progress.n_found:,} files seen"
        if progress.n_seen < progress.n_found
        else "",
        f"{progress.n_done:,}/{progress.n_queued:,} files",
        f"{as_bytes(progress.bytes_done)}/{as_bytes(progress.bytes_queued)}",
        f"{progress.n_chunks:,} chunks",
        f"{progress.n_failed:,} failed" if progress.n_failed else "",
        f"{pace.files_per_s():.0f} files/s",
    ]
    left = pace.seconds_left()
    parts.append("" if left is None else f"{as_clock(left)} left")
    parts += [_job(each) for each in progress.at_work[:1]]
    return ", ".join(part for part in parts if part)


def _job(each: AtWork) -> str:
    name, progress = printable(each.filename), each.progress
    shown = name if len(name) <= _NAME_CHARS else f"…{name[-_NAME_CHARS:]}"
    units = f" {progress.n_done:,}/{progress.n_total:,}" if progress.n_total else ""
    return f"{progress.stage}{units} of {shown}"
