"""What to do about a job that failed: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass

from retrieval.errors import FileFailed, StoreError, Unavailable

MAX_FAILURES = 5
_FIRST_DELAY_S = 1.0
_MAX_DELAY_S = 300.0


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
            " See the server's log; 'sourcebook retry' queues the file again.",
        )
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        return Retry(error.retry_after_s)
    return Retry(min(_FIRST_DELAY_S * 2 ** (failures - 1), _MAX_DELAY_S))
