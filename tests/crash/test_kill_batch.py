"""Batch indexing is killed, or shares its work with other runs: every file counts once."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("sourcebook")
N_FILES = 400
COUNTS = ("n_added", "n_replaced", "n_updated", "n_unchanged", "n_resumed", "n_failed")


@pytest.fixture
def environment(tmp_path):
    return os.environ | {"SOURCEBOOK_DATA": str(tmp_path / "data"), "SOURCEBOOK_EMBEDDER": "hash"}


@pytest.fixture
def command(tmp_path):
    """Index several hundred files, each with a word of its own."""
    folder = tmp_path / "files"
    for number in range(N_FILES):
        path = folder / f"{number % 7}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"The word of this note is w{number}x. " * 20)
    return [COMMAND, "index", folder, "--store", "s", "--json"]


def completed(environment):
    done = subprocess.run(
        [COMMAND, "stores", "--json"], env=environment, capture_output=True, check=True
    )
    (row,) = json.loads(done.stdout)
    return row["files"], row["in_progress"], row["failed"]


def report_of(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)
    return json.loads(done.stdout)


def test_a_run_that_was_killed_again_and_again_is_gone_on_with(command, environment):
    killed = 0
    for seconds in (0.8, 1.2, 1.6):
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(timeout=seconds)
            running.send_signal(signal.SIGKILL)
        killed += running.returncode == -signal.SIGKILL
    assert killed
    last = report_of(command, environment)
    assert sum(last[name] for name in COUNTS) == last["n_files"] == N_FILES
    assert completed(environment) == (N_FILES, 0, 0)
    again = report_of(command, environment)
    assert again["n_unchanged"] == N_FILES


def test_runs_at_the_same_time_count_each_file_once(command, environment):
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(3)
        ]
        reports = [json.loads(each.communicate(timeout=300)[0]) for each in running]
    assert sum(report["n_added"] for report in reports) == N_FILES
    for report in reports:
        assert sum(report[name] for name in COUNTS) == report["n_files"] == N_FILES
        assert report["failures"] == []
    assert completed(environment) == (N_FILES, 0, 0)


def test_sigterm_ends_a_run_at_once_with_its_own_exit_code(command, environment):
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        time.sleep(1.0)
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=30)[1]
    assert running.returncode in {143, 0}  # 0: it was done already
    if running.returncode:
        assert said.splitlines() == [
            "sourcebook: Stopped. Nothing is lost: what was queued is indexed by the next run."
        ]
    report_of(command, environment)
    assert completed(environment) == (N_FILES, 0, 0)
