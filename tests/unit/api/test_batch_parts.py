"""Pure parts of batch indexing: racy mtimes, settling, shares of work, batches, reports."""

import dataclasses
import os

import pytest

from api.batch.events import Settling
from api.batch.looks import is_final, looks_unchanged, noted_mtime
from api.batch.submit import in_batches
from api.batch.types import Failure, FoundFile, IndexReport, Progress
from api.batch.watch import outermost
from api.commands.index import exit_code
from api.progress import Pace, described, share_done
from retrieval.store.sources import Source

S = 1_000_000_000  # ns
SOURCE = Source(
    attachment_n=1,
    file_id="file-1",
    sha256="",
    status="completed",
    error_code=None,
    error_message=None,
    is_served=True,
    attributes={},
    mtime_ns=5 * S,
    n_bytes=10,
)
PROGRESS = Progress("indexing", 100, 100, 80, 20, 4_000_000, 1_000_000, 300, 2, 10.0)


def look(mtime_ns, n_bytes):
    times = (0, 0, 0, mtime_ns // S, mtime_ns // S, mtime_ns // S)
    return os.stat_result((0, 0, 0, 0, 0, 0, n_bytes, *times[3:]), {"st_mtime_ns": mtime_ns})


@pytest.mark.parametrize(
    ("mtime_ns", "n_bytes", "same"),
    [(5 * S, 10, True), (5 * S + 1, 10, False), (4 * S, 10, False), (5 * S, 11, False)],
)
def test_a_file_looks_unchanged_only_if_size_and_mtime_are(mtime_ns, n_bytes, same):
    assert looks_unchanged(FoundFile("/x", "x", n_bytes, mtime_ns), SOURCE) is same


def test_a_file_of_unknown_mtime_never_looks_unchanged():
    unknown = dataclasses.replace(SOURCE, mtime_ns=None)
    assert not looks_unchanged(FoundFile("/x", "x", 10, 5 * S), unknown)


@pytest.mark.parametrize(
    ("after", "read_at_ns", "noted"),
    [
        ((5 * S, 10), 9 * S, 5 * S),
        ((5 * S, 10), 7 * S, None),  # within two ticks of a coarse clock: it may change unseen
        ((5 * S, 10), 3 * S, None),  # written in the future, by another clock
        ((6 * S, 10), 9 * S, None),  # somebody wrote while we read
        ((5 * S, 12), 9 * S, None),
    ],
)
def test_an_mtime_is_noted_only_if_a_later_change_must_change_it(after, read_at_ns, noted):
    assert noted_mtime(look(5 * S, 10), look(*after), read_at_ns=read_at_ns) == noted


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [
        ("failed", "invalid_file", True), ("failed", "unsupported_file", True),
        ("failed", "server_error", False), ("completed", None, False), ("cancelled", None, False),
    ],
)  # fmt: skip
def test_only_reasons_that_lie_in_the_file_are_final(status, code, final):
    assert is_final(dataclasses.replace(SOURCE, status=status, error_code=code)) is final


def test_a_path_is_due_when_it_has_been_quiet_or_restless_for_too_long():
    settling = Settling()
    settling.note(["a", "b"], now_s=0.0)
    settling.note(["a"], now_s=0.4)
    assert settling.take_due(now_s=0.6) == ["b"]
    assert settling.take_due(now_s=0.6) == []
    for tenth in range(5, 310):
        settling.note(["a"], now_s=tenth / 10)
    assert settling.take_due(now_s=31.0) == ["a"]


@pytest.mark.parametrize(
    ("places", "kept"),
    [
        (["/a/b/c", "/a/bc", "/a/b"], ["/a/b", "/a/bc"]),
        (["/a/b", "/a/b.c", "/a/b/c"], ["/a/b", "/a/b.c"]),
        ([], []),
    ],
)
def test_places_below_others_need_no_look_of_their_own(places, kept):
    assert outermost(places) == kept


def test_batches_are_bounded_by_files_and_by_bytes():
    small = [FoundFile("/x", "x", 10, 0)] * 450
    assert [len(batch) for batch in in_batches(small)] == [200, 200, 50]
    large = [FoundFile("/x", "x", 20 << 20, 0)] * 5
    assert [len(batch) for batch in in_batches(large)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({}, 0.25),  # (20/80 + 1/4) / 2
        ({"n_seen": 50}, 0.125),  # half has been looked at
        ({"bytes_done": 3_000_000}, 0.5),  # (1/4 + 3/4) / 2
        ({"n_queued": 0, "n_seen": 40}, 0.4),
        ({"stage": "scanning"}, 0.0),
        ({"n_queued": 0, "n_found": 0, "n_seen": 0}, 0.0),
    ],
)
def test_the_share_of_work_is_the_mean_of_files_and_bytes(changes, share):
    assert share_done(dataclasses.replace(PROGRESS, **changes)) == pytest.approx(share)


def test_the_pace_is_that_of_the_last_half_minute():
    pace = Pace()
    assert_first = dataclasses.replace(PROGRESS, n_done=0, bytes_done=0, seconds=0.0)
    pace.note(assert_first)
    assert pace.files_per_s() == 0.0
    assert pace.seconds_left() is None
    pace.note(PROGRESS)  # a quarter in ten seconds
    assert pace.files_per_s() == pytest.approx(2.0)
    assert pace.seconds_left() == pytest.approx(30.0)
    pace.note(dataclasses.replace(PROGRESS, seconds=100.0))
    assert pace.files_per_s() == 0.0


def test_progress_is_described_with_files_bytes_chunks_rate_and_time_left():
    pace = Pace()
    pace.note(dataclasses.replace(PROGRESS, n_done=0, bytes_done=0, seconds=0.0))
    pace.note(PROGRESS)
    text = described(PROGRESS, pace)
    for part in (
        "20/80 files",
        "1.0 MB/4.0 MB",
        "300 chunks",
        "2 failed",
        "2 files/s",
        "0:30 left",
    ):
        assert part in text


def test_reasons_are_counted_most_frequent_first():
    failures = [Failure("a", "x", "one"), Failure("b", "y", "two"), Failure("c", "y", "two")]
    report = IndexReport("vs_1", "n", failures=tuple(failures))
    assert report.reasons == [("y", "two", 2), ("x", "one", 1)]
    assert report.as_dict()["n_failed"] == 3
    assert report.as_dict()["reasons"][0] == {"code": "y", "message": "two", "n_files": 2}


@pytest.mark.parametrize(
    ("n_files", "failures", "code"),
    [(3, (), 0), (3, (Failure("a", "x", ""),), 1), (0, (), 3), (1, (Failure("a", "x", ""),), 1)],
)
def test_exit_codes_tell_failures_and_empty_runs(n_files, failures, code):
    assert exit_code(IndexReport("vs_1", "n", n_files=n_files, failures=failures)) == code
