"""Work on two threads: all of it once, in order, whoever is free."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from retrieval.beside import Helper


def test_results_come_in_the_order_of_the_tasks() -> None:
    helper = Helper()
    for n in (1, 2, 50):
        assert helper.run([partial(pow, i, 2) for i in range(n)]) == [i * i for i in range(n)]


def test_nobody_waits_for_a_helper_that_is_busy() -> None:
    helper, hold, held = Helper(), threading.Event(), threading.Event()

    def slow() -> int:
        held.set()
        assert hold.wait(30)
        return 1

    first = threading.Thread(target=helper.run, args=([slow, slow],))
    first.start()  # takes the helper and its own thread
    assert held.wait(30)
    try:
        assert helper.run([lambda: 2, lambda: 3]) == [2, 3]
    finally:
        hold.set()
        first.join()


def test_failure_of_a_task_reaches_the_caller_and_leaves_the_helper_whole() -> None:
    helper = Helper()

    def fail() -> int:
        raise ValueError("no")

    for tasks in ([fail], [lambda: 1, fail, lambda: 2], [fail] * 5):
        with pytest.raises(ValueError, match="no"):
            helper.run(tasks)
    assert helper.run([lambda: 1, lambda: 2]) == [1, 2]
