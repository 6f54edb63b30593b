"""The queue: whose turn it is, what goes first, and what is known of each job."""

from contextlib import closing

import pytest

from retrieval.store import Store
from retrieval.store.jobs import (
    BULK,
    BULK_FIRST,
    FEW_FILES,
    INTERACTIVE,
    LEASE_S,
    ONLY_INTERACTIVE,
    SMALL_FILE_BYTES,
    Step,
)
from retrieval.types import Blob, ChunkingStrategy


class Clock:
    """A clock that the test moves."""

    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with closing(Store(tmp_path, clock=clock)) as store:
        yield store


@pytest.fixture
def tables(store):
    with store.write() as tables:
        yield tables


def add_store(tables):
    id = tables.vector_stores.add(
        name=None, description=None, expires_after_days=None, metadata={}, model_id="m"
    )
    return tables.vector_stores.number(id)


def queue(tables, store_n, count, *, priority=BULK):
    """Row numbers of so many attachments, each with a job."""
    numbers = []
    for n in range(count):
        file = tables.files.add(
            Blob(f"{store_n}-{n}", 5),
            filename=f"{n}.txt",
            purpose="assistants",
            expires_after_s=None,
        )
        number = tables.attachments.put(
            store_n, tables.files.number(file.id), attributes={}, chunking=ChunkingStrategy()
        )
        tables.jobs.enqueue(number, priority=priority)
        numbers.append(number)
    return numbers


def claimed(tables, count, *preference):
    jobs = [tables.jobs.claim("me", *preference) for _ in range(count)]
    return [job.attachment_n for job in jobs]


def test_vector_stores_take_turns_however_many_files_one_has(tables):
    one, two, three = (add_store(tables) for _ in range(3))
    many = queue(tables, one, 100)
    assert claimed(tables, 40) == many[:40]
    few, some = queue(tables, two, 2), queue(tables, three, 3)
    assert claimed(tables, 8) == [
        *(many[40], few[0], some[0]),
        *(many[41], few[1], some[1]),
        *(many[42], some[2]),
    ]


def test_a_store_that_was_idle_has_no_claim_to_what_it_missed(tables):
    one, two = add_store(tables), add_store(tables)
    early = queue(tables, two, 1)
    many = queue(tables, one, 50)
    assert set(claimed(tables, 41)) == {*early, *many[:40]}
    late = queue(tables, two, 20)
    assert claimed(tables, 6) == [many[40], late[0], many[41], late[1], many[42], late[2]]


def test_a_job_that_is_tried_again_keeps_its_turn(tables, clock):
    store_n = add_store(tables)
    numbers = queue(tables, store_n, 3)
    job = tables.jobs.claim("me")
    tables.jobs.retry_later(job, delay_s=5)
    assert claimed(tables, 1) == [numbers[1]]
    clock.now += 5
    assert claimed(tables, 2) == [numbers[0], numbers[2]]


def test_what_somebody_waits_for_goes_first(tables):
    bulk, waited_for = add_store(tables), add_store(tables)
    many = queue(tables, bulk, 3)
    few = queue(tables, waited_for, 2, priority=INTERACTIVE)
    assert claimed(tables, 1, ONLY_INTERACTIVE) == few[:1]
    assert claimed(tables, 1, BULK_FIRST) == many[:1]
    assert claimed(tables, 3) == [few[1], *many[1:]]
    assert tables.jobs.claim("me", ONLY_INTERACTIVE) is None


def test_few_and_small_files_are_waited_for(tables):
    store_n = add_store(tables)
    jobs = tables.jobs
    assert jobs.priority_of(store_n, n_files=FEW_FILES, n_bytes=5) == INTERACTIVE
    assert jobs.priority_of(store_n, n_files=FEW_FILES + 1, n_bytes=5) == BULK
    assert jobs.priority_of(store_n, n_files=1, n_bytes=SMALL_FILE_BYTES + 1) == BULK
    queue(tables, store_n, FEW_FILES, priority=INTERACTIVE)
    assert jobs.priority_of(store_n, n_files=1, n_bytes=5) == BULK
    assert jobs.priority_of(add_store(tables), n_files=1, n_bytes=5) == INTERACTIVE


def test_a_demoted_job_is_bulk_work_when_it_is_given_back(tables):
    store_n = add_store(tables)
    queue(tables, store_n, 1, priority=INTERACTIVE)
    job = tables.jobs.claim("me")
    tables.jobs.demote(job)
    tables.jobs.give_back(job)
    assert tables.jobs.claim("me", ONLY_INTERACTIVE) is None
    assert tables.jobs.claim("me", BULK_FIRST).priority == BULK


def test_may_claim_says_what_claim_would_find(tables, clock):
    jobs = tables.jobs
    assert not jobs.may_claim()
    queue(tables, add_store(tables), 1)
    assert jobs.may_claim()
    assert not jobs.may_claim(ONLY_INTERACTIVE)
    job = jobs.claim("me")
    assert not jobs.may_claim()
    clock.now += LEASE_S
    assert jobs.may_claim()
    jobs.retry_later(job, delay_s=7)
    assert not jobs.may_claim()
    clock.now += 7
    assert jobs.may_claim()


def test_progress_is_kept_and_renews_the_lease(tables, clock):
    (number,) = queue(tables, add_store(tables), 1)
    assert tables.progress.of_files([number])[number].stage == "queued"
    job = tables.jobs.claim("me")
    assert tables.progress.of_files([number])[number].stage == "parsing"
    for _ in range(5):
        clock.now += LEASE_S - 1
        tables.jobs.note(job, Step("embedding", 3, 12, n_pages=4))
        assert tables.jobs.claim("other") is None
    found = tables.progress.of_files([number])[number]
    assert (found.stage, found.n_done, found.n_total, found.n_pages) == ("embedding", 3, 12, 4)
    group = tables.progress.of_group([number])
    assert (group.n_bytes, group.n_bytes_done) == (5, 5 * 3 // 12)
    assert (group.n_windows, group.n_windows_done, group.stages) == (12, 3, {"embedding": 1})


def test_a_lost_lease_notes_nothing(tables, clock):
    (number,) = queue(tables, add_store(tables), 1)
    lost = tables.jobs.claim("slow")
    clock.now += LEASE_S
    held = tables.jobs.claim("other")
    tables.jobs.note(lost, Step("embedding", 3, 12))
    assert tables.progress.of_files([number])[number].n_done == 0
    assert tables.jobs.lost([lost, held]) == {lost}
    clock.now += LEASE_S - 1
    assert tables.jobs.extend(held)


def test_of_what_was_given_up_the_reason_the_attempts_and_the_time_are_kept(tables, clock):
    store_n = add_store(tables)
    one, two = queue(tables, store_n, 2)
    tables.attachments.fail(one, code="server_error", message="why", n_attempts=5)
    tables.attachments.fail(two, code="invalid_file", message="broken")
    first, second = tables.attachments.failed(store_n)
    assert (first.code, first.message, first.n_attempts) == ("server_error", "why", 5)
    assert first.failed_at == clock.now
    assert tables.attachments.failed(store_n, file_id=second.file_id) == [second]
    assert tables.attachments.retry(store_n, code="server_error") == [one]
    assert tables.attachments.failed(store_n) == [second]
    assert tables.attachments.retry(store_n, file_id=second.file_id) == [two]
    assert tables.attachments.failed(store_n) == []


STATEMENTS = (
    (
        "SELECT n FROM jobs WHERE owner IS NULL AND run_after = 0 AND priority BETWEEN 0 AND 9"
        " ORDER BY priority, turn, n LIMIT 1"
    ),
    "UPDATE jobs SET run_after = 0 WHERE run_after > 0 AND run_after <= 5",
    "UPDATE jobs SET owner = NULL WHERE owner IS NOT NULL AND lease_expires_at <= 5",
    "SELECT max(turn) FROM jobs WHERE vector_store_n = 1 AND priority = 0",
)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_claim_reads_the_first_entry_of_an_index_and_sorts_nothing(store, sql):
    with store.snapshot() as view:
        plan = view.jobs._connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    assert all("SEARCH jobs USING" in row[3] for row in plan), plan
