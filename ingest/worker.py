"""Claims jobs, runs the write path, retries or gives up.

A worker proves that it is alive twice: it extends its leases, and it holds a file lock. The
lock lets the next process on the same machine take a killed worker's jobs at once; the
lease covers every other case.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ingest.pipeline import LostLease, Tools, ingest
from ingest.sandbox import Limits, Sandbox
from retrieval.embedder import Embedder
from retrieval.errors import FileFailed, NotFound, StoreError, Unavailable
from retrieval.store import Store
from retrieval.store.jobs import LEASE_S, Job

MAX_FAILURES = 5
# A file that takes the whole process down with it must not do so for ever; kills from outside
# are counted too, so this is far above what those amount to.
MAX_ATTEMPTS = 50
_FIRST_DELAY_S = 1.0
_MAX_DELAY_S = 300.0
_HEARTBEAT_S = LEASE_S / 4
# How soon work that another process queued is noticed, and jobs of dead workers are freed.
_POLL_S = 0.25

logger = logging.getLogger("sourcebook.worker")


@dataclass(frozen=True, slots=True)
class Retry:
    """Do the job again after `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Record the attachment as failed, with the contract's code."""

    code: str
    message: str


class TooManyAttempts(Exception):  # an attempt ended without a word, again and again
    """The process died every time this job was tried."""


class Stopping(Exception):
    """Raised inside the write path to leave it quickly; the job goes back to the queue."""


def decide(error: Exception, *, failures: int) -> Retry | GiveUp:
    """What to do about a job that failed with `error`, its `failures`-th failure (from 1).

    >>> decide(Unavailable("busy"), failures=3)
    Retry(delay_s=4.0)
    """
    if isinstance(error, FileFailed):
        return GiveUp(error.code, str(error))
    if isinstance(error, StoreError | TooManyAttempts):
        return GiveUp("server_error", str(error))
    if failures >= MAX_FAILURES:
        return GiveUp(
            "server_error",
            f"Indexing failed {failures} times, at last with: {error}"
            " See the server's log; attach the file again to retry.",
        )
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        return Retry(error.retry_after_s)
    return Retry(min(_FIRST_DELAY_S * 2 ** (failures - 1), _MAX_DELAY_S))


class Worker:
    """Threads that index what is queued in a data folder, until closed."""

    def __init__(
        self,
        store: Store,
        embedder: Callable[[], Embedder],
        *,
        limits: Limits,
        max_tokens: int,
        n_threads: int,
        on_idle: Callable[[set[str]], None],
    ) -> None:
        """Start working at once.

        Args:
            store: open; closed by its owner after this worker.
            embedder: loads the model when the first job comes.
            limits: what parsing one file may cost.
            max_tokens: longest text of one file that is indexed.
            n_threads: files indexed at a time.
            on_idle: called with the ids of the vector stores that got commits, when the
                queue has run empty after some work.
        """
        self._store = store
        self._embedder = embedder
        self._limits = limits
        self._max_tokens = max_tokens
        self._on_idle = on_idle
        self.hindered_by: Unavailable | None = None  # why no job can be taken just now
        self._stop = threading.Event()
        self._wake = threading.Condition()
        self._active: set[Job] = set()
        self._changed: set[str] = set()
        self._active_lock = threading.Lock()
        self._locks = store.folder / "locks"
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._alive = _lock_file(self._locks, self.owner)
        names = ["heartbeat", *(f"worker-{i}" for i in range(n_threads))]
        targets = [self._beat, *([self._work] * n_threads)]
        self._threads = [
            threading.Thread(target=target, name=f"sourcebook-{name}", daemon=True)
            for name, target in zip(names, targets, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that there is work, so that no time is lost polling."""
        with self._wake:
            self._wake.notify_all()

    def close(self) -> None:
        """Stop after the current step; jobs that were under way go back to the queue."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join()
        self._alive.close()
        (self._locks / self.owner).unlink(missing_ok=True)

    def _work(self) -> None:
        with Sandbox() as sandbox:
            while not self._stop.is_set():
                job = self._claim_patiently()
                if job is not None:
                    self._run(job, sandbox)
                    continue
                self._rest()
                with self._wake:
                    self._wake.wait(_POLL_S)

    def _rest(self) -> None:
        """Tell what changed, once, when no thread has work any more."""
        with self._active_lock:
            changed = set() if self._active else self._changed
            self._changed = self._changed - changed
        if changed:
            self._on_idle(changed)

    def _claim_patiently(self) -> Job | None:
        try:
            job = self._claim()
        except Unavailable as error:  # locked, or the disk is full; the next poll tries again
            logger.warning("store_unavailable", extra={"error": str(error)})
            self.hindered_by = error
            return None
        self.hindered_by = None
        return job

    def _claim(self) -> Job | None:
        with self._store.read() as view:
            if not view.jobs.waiting():
                return None
        with self._store.write() as tables:
            tables.jobs.release(self._dead(tables.jobs.owners()))
            job = tables.jobs.claim(self.owner)
        if job is not None:
            with self._active_lock:
                self._active.add(job)
        return job

    def _run(self, job: Job, sandbox: Sandbox) -> None:
        try:
            self._attempt(job, sandbox)
        except (LostLease, NotFound):
            logger.info("job_lost", extra={"job": job.n})
        except Stopping:
            with contextlib.suppress(Unavailable), self._store.write() as tables:
                tables.jobs.give_back(job)
        except Exception as error:  # noqa: BLE001 - the outermost handler of the worker
            with contextlib.suppress(Unavailable):  # if so, the lease ends and the job is free
                self._settle(job, error)
        finally:
            with self._active_lock:
                self._active.discard(job)

    def _attempt(self, job: Job, sandbox: Sandbox) -> None:
        if job.attempts > MAX_ATTEMPTS:
            raise TooManyAttempts(f"The process ended {MAX_ATTEMPTS} times at this file.")
        tools = Tools(self._store, sandbox, self._embedder(), self._limits, self._max_tokens)
        commit = ingest(job, tools, self._checked_progress)
        with self._active_lock:
            self._changed.add(commit.vector_store_id)
        logger.info("file_indexed", extra={"file_id": commit.file_id, "seq": commit.seq})

    def _settle(self, job: Job, error: Exception) -> None:
        decision = decide(error, failures=job.failures + 1)
        expected = isinstance(error, FileFailed | Unavailable | StoreError)
        logger.log(
            logging.INFO if expected else logging.ERROR,
            "job_failed",
            extra={"job": job.n, "attempts": job.attempts, "error": type(error).__name__},
            exc_info=None if expected else error,
        )
        with self._store.write() as tables:
            if not tables.jobs.holds(job):
                return
            if isinstance(decision, Retry):
                tables.jobs.retry_later(job, delay_s=decision.delay_s)
                return
            tables.attachments.fail(job.attachment_n, code=decision.code, message=decision.message)
            tables.batches.settle(job.attachment_n, "failed")
            tables.jobs.finish(job.attachment_n)

    def _checked_progress(self, stage: str, done: int, total: int) -> None:
        logger.debug("progress", extra={"stage": stage, "n_done": done, "n_total": total})
        if self._stop.is_set():
            raise Stopping

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT_S):
            with self._active_lock:
                active = list(self._active)
            with contextlib.suppress(Unavailable):  # the lease outlasts several beats
                self._extend(active)

    def _extend(self, active: list[Job]) -> None:
        if not active:
            return
        with self._store.write() as tables:
            for job in active:
                tables.jobs.extend(job)

    def _dead(self, owners: set[str]) -> list[str]:
        """Those of `owners` on this machine whose process is gone."""
        here = f"{socket.gethostname()}-"
        others = (owner for owner in owners if owner != self.owner and owner.startswith(here))
        return [owner for owner in others if _is_free(self._locks / owner)]


def _lock_file(folder: Path, name: str) -> IO[str]:
    folder.mkdir(exist_ok=True)
    handle = (folder / name).open("w")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _is_free(path: Path) -> bool:
    """Whether nobody holds the lock; its file goes with its owner."""
    try:
        with path.open("r+") as handle, contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            return True
    except FileNotFoundError:
        return True
    return False
