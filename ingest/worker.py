"""Claims jobs, runs the write path, retries or gives up.

A worker proves that it is alive twice: it extends its leases, and it holds a file lock. The
lock lets the next process on the same machine take a killed worker's jobs at once; the
lease covers every other case.

Bulk work has threads of its own that run at a low priority; one more thread is kept for what
somebody waits for. If that thread is at one file for long, the file goes on as bulk work and
another thread takes its place, so a small upload never waits for a large one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ingest.failures import Retry, TooManyAttempts, decide
from ingest.interruptible import Interruptible
from ingest.os_process import hold_lock, is_free, lower_priority
from ingest.pipeline import LostLease, Tools, ingest
from ingest.sandbox import Limits, Sandbox
from retrieval.embedder import Embedder
from retrieval.errors import FileFailed, NotFound, StoreError, Unavailable
from retrieval.store import Store
from retrieval.store.jobs import (
    BULK_FIRST,
    LEASE_S,
    ONLY_BULK,
    ONLY_INTERACTIVE,
    Job,
    Preference,
    Step,
)
from retrieval.store.progress import COMMITTING, CUTTING, PARSING

# A file that takes the whole process down with it must not do so for ever; kills from outside
# are counted too, so this is far above what those amount to.
MAX_ATTEMPTS = 50
_HEARTBEAT_S = LEASE_S / 4
# How soon work that another process queued is noticed, and jobs of dead workers are freed.
_POLL_S = 0.25
_LOOK_S = 0.2  # how soon it is noticed that a file was cancelled or taken out
_NOTE_S = 0.5  # how often progress is written
# A file that somebody waits for is bulk work once it has taken this long; so many files may be
# beyond that before a further one keeps others waiting, since each holds a text in memory.
EXPRESS_S = 5.0
_MAX_DEMOTED = 2
_MANY_CHUNKS = 500  # that take noticeably long to commit
# In steps of Linux's. What somebody waits for gets the processor when it wants it, bulk work
# gets all of the rest.
BULK_NICENESS = 19

logger = logging.getLogger("sourcebook.worker")


class Stopping(Exception):
    """Raised inside the write path to leave it quickly; the job goes back to the queue."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What a thread is there for, and how politely it works."""

    name: str
    niceness: int


class UnderWay:
    """A job that a thread is at. Others look at it, and mark it as lost or demoted."""

    def __init__(self, job: Job, lane: Lane, sandbox: Sandbox, stop: threading.Event) -> None:
        self.job = job
        self.lane = lane
        self.sandbox = sandbox
        self.began = time.monotonic()
        self.step = Step(PARSING, 0, 0)
        self.noted: Step | None = None
        self.is_lost = False
        self.is_demoted = False
        self._stop = stop

    def progress(self, stage: str, done: int, total: int) -> None:
        """Keep how far it is, and `check`."""
        logger.debug("progress", extra={"stage": stage, "n_done": done, "n_total": total})
        n_pages = total or None if stage == CUTTING else self.step.n_pages
        self.step = Step(stage, done, total, n_pages)
        self.check()

    def check(self) -> None:
        """Leave the write path if there is a reason to."""
        reason = self.reason_to_end()
        if reason is not None:
            raise reason

    def reason_to_end(self) -> Exception | None:
        """Why the work is of no use any more; None as a rule."""
        if self.is_lost:
            return LostLease()
        return Stopping() if self._stop.is_set() else None


class Worker:
    """Threads that index what is queued in a data folder, until closed."""

    def __init__(
        self,
        store: Store,
        embedder_of: Callable[[str, str], Embedder],
        *,
        limits: Limits,
        max_tokens: int,
        n_threads: int,
        on_idle: Callable[[set[str]], None],
        bulk_niceness: int = BULK_NICENESS,
    ) -> None:
        """Start working at once.

        Args:
            store: open; closed by its owner after this worker.
            embedder_of: gives the model of a vector store, by its id and the id of the model it
                has recorded; loads it when the first job comes.
            limits: what parsing one file may cost.
            max_tokens: longest text of one file that is indexed.
            n_threads: files of bulk work indexed at a time; one more thread is for the others.
            on_idle: called with the ids of the vector stores that got commits, when the
                queue has run empty after some work.
            bulk_niceness: steps of Linux's that bulk work is below the process.
        """
        self._store = store
        self._limits = limits
        self._max_tokens = max_tokens
        self._on_idle = on_idle
        self.hindered_by: Unavailable | None = None  # why no job can be taken just now
        self._stop = threading.Event()
        self._wake = threading.Condition()
        self._active: set[UnderWay] = set()
        self._changed: set[str] = set()
        self._active_lock = threading.Lock()
        self._locks = store.folder / "locks"
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._alive = hold_lock(self._locks, self.owner)
        self._embedder_of = embedder_of
        self._express = Lane("express", 0)
        self._bulk = Lane("bulk", bulk_niceness)
        self._threads: list[threading.Thread] = []
        self._beat_at = 0.0
        self._start(partial(self._every, _NOTE_S, self._keep_alive))
        self._start(partial(self._every, _LOOK_S, self._watch))
        for lane in (self._express, *([self._bulk] * n_threads)):
            self._start(partial(self._work, lane))

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name="sourcebook-worker", daemon=True)
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()

    def wake(self) -> None:
        """Say that there is work, so that no time is lost polling."""
        with self._wake:
            self._wake.notify_all()

    def close(self) -> None:
        """Stop at the next step, parsing at once; jobs under way go back to the queue."""
        self._stop.set()
        self.wake()
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            self._interrupt(lambda _: True)
            alive[0].join(_LOOK_S)
        self._alive.close()
        (self._locks / self.owner).unlink(missing_ok=True)

    # --- the threads that work ----------------------------------------------------------------

    def _work(self, lane: Lane) -> None:
        lower_priority(lane.niceness)
        with Sandbox() as sandbox:
            while not self._stop.is_set():
                job = self._claim_patiently(self._preference(lane))
                if job is None:
                    if lane is self._bulk:  # the other one stays ready for what is waited for
                        self._rest()
                    with self._wake:
                        self._wake.wait(_POLL_S)
                elif self._run(UnderWay(job, lane, sandbox, self._stop)).is_demoted:
                    return  # another thread has taken the place of this one

    def _preference(self, lane: Lane) -> Preference:
        """What a thread takes; one of low priority leaves to the other what that can take now."""
        if lane is self._express:
            return ONLY_INTERACTIVE
        is_busy = any(run.lane is self._express for run in self._under_way())
        return BULK_FIRST if is_busy else ONLY_BULK

    def _rest(self) -> None:
        """Tell what changed, once, when no thread has work any more."""
        with self._active_lock:
            changed = set() if self._active else self._changed
            self._changed = self._changed - changed
        if changed:
            self._on_idle(changed)
        with contextlib.suppress(Unavailable):  # it is tried again at the next rest
            self._store.sweep_drafts()

    def _claim_patiently(self, preference: Preference) -> Job | None:
        try:
            job = self._claim(preference)
        except Unavailable as error:  # locked, or the disk is full; the next poll tries again
            logger.warning("store_unavailable", extra={"error": str(error)})
            self.hindered_by = error
            return None
        self.hindered_by = None
        return job

    def _claim(self, preference: Preference) -> Job | None:
        with self._store.read() as view:
            may_claim, owners = view.jobs.may_claim(preference), view.jobs.owners()
        dead = self._dead(owners)
        if not (may_claim or dead):
            return None
        with self._store.write(durable=False) as tables:  # what is forgotten is claimed anew
            tables.jobs.release(dead)
            return tables.jobs.claim(self.owner, preference)

    def _run(self, run: UnderWay) -> UnderWay:
        with self._active_lock:
            self._active.add(run)
        try:
            self._attempt(run)
        except Exception as error:  # noqa: BLE001 - the outermost handler of the worker
            with contextlib.suppress(Unavailable):  # if so, the lease ends and the job is free
                self._end(run.job, run.reason_to_end() or error)
        finally:
            with self._active_lock:
                self._active.discard(run)
        return run

    def _attempt(self, run: UnderWay) -> None:
        job = run.job
        if job.attempts > MAX_ATTEMPTS:
            raise TooManyAttempts(f"The process ended {MAX_ATTEMPTS} times at this file.")
        with self._store.read() as view:
            store_id = view.attachments.by_number(job.attachment_n).vector_store_id
            model_id = view.commits.model_id(store_id)
        model = self._embedder_of(store_id, model_id)
        embedder = Interruptible(lambda: self._as_polite(run, model), run.check)
        tools = Tools(self._store, run.sandbox, embedder, self._limits, self._max_tokens)
        commit = ingest(job, tools, partial(self._progress, run))
        with self._active_lock:
            self._changed.add(commit.vector_store_id)
        logger.info("file_indexed", extra={"file_id": commit.file_id, "seq": commit.seq})

    def _progress(self, run: UnderWay, stage: str, done: int, total: int) -> None:
        """Keep how far a job is, and end it if there is a reason to; a `pipeline.Progress`."""
        run.progress(stage, done, total)
        if stage == COMMITTING and total >= _MANY_CHUNKS:  # while that runs nothing can be written
            with contextlib.suppress(Unavailable):
                self._note([run])

    def _as_polite(self, run: UnderWay, model: Embedder) -> Embedder:
        """The model; its threads are as polite as the one that calls it."""
        if run.is_demoted:
            lower_priority(self._bulk.niceness)
        return model

    def _end(self, job: Job, error: Exception) -> None:
        """Settle a job that was not completed."""
        if isinstance(error, LostLease | NotFound):
            self._store.sweep_drafts()  # what was saved ahead for it
            logger.info("job_lost", extra={"job": job.n})
        elif isinstance(error, Stopping):
            with self._store.write() as tables:
                tables.jobs.give_back(job)
        else:
            self._settle(job, error)

    def _settle(self, job: Job, error: Exception) -> None:
        decision = decide(error, failures=job.failures + 1)
        with self._store.write() as tables:
            if not tables.jobs.holds(job):  # its file was taken from under it
                logger.info("job_lost", extra={"job": job.n})
                return
            _log_failure(job, error)
            number = job.attachment_n
            if isinstance(decision, Retry):
                tables.jobs.retry_later(job, delay_s=decision.delay_s)
                return
            tables.attachments.fail(
                number, code=decision.code, message=decision.message, n_attempts=job.attempts
            )
            tables.batches.settle(number, "failed")
            tables.jobs.finish(number)
        self._store.sweep_drafts()

    # --- the threads that look after them -----------------------------------------------------

    def _every(self, seconds: float, step: Callable[[], None]) -> None:
        while not self._stop.wait(seconds):
            try:
                step()
            except Unavailable:  # the next time is soon, and a lease outlasts several beats
                logger.debug("store_unavailable")
            except Exception:  # the outermost handler of the thread
                logger.exception("worker_not_looked_after")

    def _keep_alive(self) -> None:
        """Write how far each job is when that changed, and extend its lease in any case."""
        is_beat = time.monotonic() >= self._beat_at
        if is_beat:
            self._beat_at = time.monotonic() + _HEARTBEAT_S
        moved = [run for run in self._under_way() if is_beat or run.step != run.noted]
        if moved:
            self._note(moved)

    def _note(self, runs: list[UnderWay]) -> None:
        steps = {run: run.step for run in runs}
        with self._store.write(durable=False) as tables:
            for run, step in steps.items():
                tables.jobs.note(run.job, step)
                if run.is_demoted:
                    tables.jobs.demote(run.job)
        for run, step in steps.items():
            run.noted = step

    def _watch(self) -> None:
        """End the work on what was cancelled; move aside what keeps others waiting."""
        runs = self._under_way()
        if runs:
            self._make_way(runs)
            self._mark_lost(runs)

    def _mark_lost(self, runs: list[UnderWay]) -> None:
        with self._store.snapshot() as view:
            lost = view.jobs.lost(run.job for run in runs)
        for run in runs:
            run.is_lost = run.is_lost or run.job in lost
        self._interrupt(lambda run: run.is_lost)

    def _interrupt(self, ends: Callable[[UnderWay], bool]) -> None:
        """Kill the parsers of jobs under way that are to end."""
        with self._active_lock:  # a sandbox may serve another job once its own has ended
            for run in self._active:
                if ends(run) and run.step.stage == PARSING:
                    run.sandbox.interrupt()

    def _make_way(self, runs: list[UnderWay]) -> None:
        n_free = _MAX_DEMOTED - sum(run.is_demoted for run in runs)
        late = time.monotonic() - EXPRESS_S
        for run in runs:
            if (
                n_free > 0
                and not run.is_demoted
                and run.began < late
                and run.lane is self._express
            ):
                n_free -= 1
                run.is_demoted = True
                self._start(partial(self._work, self._express))

    def _under_way(self) -> list[UnderWay]:
        with self._active_lock:
            return list(self._active)

    def _dead(self, owners: set[str]) -> list[str]:
        """Those of `owners` on this machine whose process is gone."""
        here = f"{socket.gethostname()}-"
        others = (owner for owner in owners if owner != self.owner and owner.startswith(here))
        return [owner for owner in others if is_free(self._locks / owner)]


def _log_failure(job: Job, error: Exception) -> None:
    """What is not the file's own fault comes with its traceback."""
    expected = isinstance(error, FileFailed | Unavailable | StoreError)
    logger.log(
        logging.INFO if expected else logging.ERROR,
        "job_failed",
        extra={"job": job.n, "attempts": job.attempts, "error": type(error).__name__},
        exc_info=None if expected else error,
    )
