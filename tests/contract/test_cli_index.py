"""`sourcebook index` as a user runs it: what is read again, what is left out, what is told."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from ingest.parse.verbatim import BLANK

COMMAND = Path(sys.executable).with_name("sourcebook")


@pytest.fixture
def index(sourcebook, folder):
    def run(*options, expect=0, paths=(folder,)):
        """The report of a run as JSON; of a run that said nothing, what it said on stderr."""
        done = sourcebook("index", *paths, "--store", "n", "--json", *options, expect=expect)
        return json.loads(done.stdout) if done.stdout else done.stderr

    return run


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "notes"
    (folder / "ops" / "2024").mkdir(parents=True)
    (folder / "wheel.md").write_text("# Wheels\n\nThe escape wheel has thirty teeth.\n")
    (folder / "ops" / "2024" / "spring.txt").write_text("The mainspring is wound once a week.")
    age(folder)
    return folder


def age(folder, seconds=100):
    """Let everything look as if it had been written a while ago."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def counts(report):
    names = ("n_added", "n_replaced", "n_updated", "n_unchanged", "n_deleted", "n_failed")
    return tuple(report[name] for name in names)


def attributes(environment):
    listed = subprocess.run(
        [COMMAND, "files", "--store", "n", "--json"],
        env=environment,
        capture_output=True,
        check=True,
    )
    return {row["filename"]: row["attributes"] for row in json.loads(listed.stdout)}


# --- what is read again -----------------------------------------------------------------------


def test_a_file_that_looks_unchanged_is_read_only_when_asked(index, folder):
    assert counts(index()) == (2, 0, 0, 0, 0, 0)
    wheel = folder / "wheel.md"
    before = wheel.stat()
    wheel.write_text(wheel.read_text().replace("thirty", "ninety"))
    os.utime(wheel, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert counts(index()) == (0, 0, 0, 2, 0, 0)
    assert counts(index("--checksum")) == (0, 1, 0, 1, 0, 0)


def test_an_edit_that_leaves_size_and_mtime_is_seen_if_the_mtime_was_too_new_to_tell(
    index, folder
):
    wheel, soon = folder / "wheel.md", (time.time() + 600,) * 2
    wheel.write_text("The escape wheel has thirty teeth.")
    os.utime(wheel, soon)
    index()
    wheel.write_text("The escape wheel has ninety teeth.")
    os.utime(wheel, soon)
    assert counts(index()) == (0, 1, 0, 1, 0, 0)


def test_a_file_that_was_touched_is_read_once_and_not_indexed_again(index, folder):
    index()
    age(folder, 50)
    report = index()
    assert counts(report) == (0, 0, 0, 2, 0, 0)
    assert report["n_windows"] == report["n_tokens"] == 0


def test_content_that_comes_back_is_what_is_searched(index, folder, environment):
    wheel = folder / "wheel.md"
    index()
    was = wheel.read_text()
    wheel.write_text("Another text altogether.")
    assert counts(index()) == (0, 1, 0, 1, 0, 0)
    wheel.write_text(was)
    assert counts(index()) == (0, 1, 0, 1, 0, 0)
    assert len(attributes(environment)) == 2


def test_other_attributes_are_set_without_reading(index):
    index()
    assert counts(index("--attr", "x=1")) == (0, 0, 2, 0, 0, 0)
    assert counts(index("--attr", "x=1")) == (0, 0, 0, 2, 0, 0)
    assert counts(index("--attr", "x=true")) == (0, 0, 2, 0, 0, 0)


def test_what_cannot_be_read_is_tried_again_only_when_asked_or_changed(index, folder):
    bad = folder / "bad.pdf"
    bad.write_bytes(b"%PDF-1.4 nothing")
    age(folder)
    first = index(expect=1)
    assert counts(first) == (2, 0, 0, 0, 0, 1)
    again = index(expect=1)
    assert counts(again) == (0, 0, 0, 2, 0, 1)
    assert again["failures"] == first["failures"]
    assert again["reasons"][0]["n_files"] == 1
    assert counts(index("--retry-failed", expect=1)) == (0, 0, 0, 2, 0, 1)
    bad.rename(folder / "good.txt")
    (folder / "good.txt").write_text("Now it is text.")
    assert counts(index()) == (1, 0, 0, 2, 0, 0)


def test_the_report_says_how_much_was_done_and_how_long_it_took(index, folder):
    report = index()
    assert report["n_files"] == 2
    assert report["n_chunks"] == report["n_windows"] == 2
    assert report["n_tokens"] > 10
    assert report["n_bytes"] == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert list(report["phases"]) == ["scanning", "queueing", "indexing", "saving"]
    assert sum(report["phases"].values()) <= report["seconds"] + 0.01


# --- what is taken ----------------------------------------------------------------------------


def test_ignore_files_excludes_and_globs_choose(index, folder, tmp_path):
    (folder / ".gitignore").write_text("ops/\n")
    assert index()["left_out"] == {"hidden": 1, "ignored": 1}
    assert index("--no-ignore")["n_added"] == 1
    (tmp_path / "patterns").write_text("# notes\n*.md\n")
    report = index("--no-ignore", "--exclude-from", tmp_path / "patterns", "--exclude", "*.pdf")
    assert (report["n_files"], report["left_out"]["excluded"]) == (1, 1)
    assert index("--no-ignore", "--glob", "*.md", "--glob", "*.txt")["n_files"] == 2
    assert index("--no-ignore", "--hidden")["n_files"] == 3


def test_nothing_found_is_told_by_the_exit_code_and_deletes_nothing(index, environment):
    index()
    report = index("--glob", "*.pdf", "--delete-missing", expect=3)
    assert counts(report) == (0, 0, 0, 0, 0, 0)
    assert len(attributes(environment)) == 2


def test_what_is_missing_or_left_out_now_is_deleted_when_asked(index, folder, environment):
    index()
    assert counts(index("--exclude", "ops", "--delete-missing")) == (0, 0, 0, 1, 1, 0)
    index()
    (folder / "wheel.md").rename(folder / "gear.md")
    assert counts(index("--delete-missing")) == (1, 0, 0, 1, 1, 0)
    assert set(attributes(environment)) == {"gear.md", "ops/2024/spring.txt"}


# --- attributes -------------------------------------------------------------------------------


def test_attributes_come_from_the_command_line_the_path_and_manifests(
    index, tmp_path, environment
):
    (tmp_path / "m.csv").write_text("path,team,kind\nnotes/wheel.md,gears,\n")
    (tmp_path / "m.toml").write_text('["notes/ops/2024/spring.txt"]\nyear = 1999\n')
    index(
        "--attr", "team=all", "--attr", "kind=note",
        "--attr-from-path", "{team}/{year:int}/**",
        "--manifest", tmp_path / "m.csv", "--manifest", tmp_path / "m.toml",
    )  # fmt: skip
    assert attributes(environment) == {
        "wheel.md": {"team": "gears", "kind": "note"},
        "ops/2024/spring.txt": {"team": "ops", "kind": "note", "year": 1999},
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--attr-from-path", "{a/x"], "column 1"),
        (["--exclude", "!"], "not a gitignore pattern"),
        (["--attr", "x=" + "y" * 600], "512"),
        (["--store", os.fsdecode(b"caf\xe9")], "not UTF-8"),
        (["--attr", os.fsdecode(b"x=caf\xe9")], "not UTF-8"),
    ],
)
def test_a_wrong_option_is_one_clear_line(index, options, message):
    said = index(*options, expect=2)
    assert message in said
    assert said.count("\n") == 1


# --- how it is told ---------------------------------------------------------------------------


def test_quiet_prints_failures_alone(environment, folder):
    (folder / "blank.txt").write_text(" " * 100)
    done = subprocess.run(
        [COMMAND, "index", folder, "--store", "n", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [f"  blank.txt: {BLANK}"]


def test_many_failures_are_summed_up_before_they_are_listed(environment, folder):
    for number in range(120):
        (folder / f"{number}.txt").write_text(" " * 100)
    done = subprocess.run(
        [COMMAND, "index", folder, "--store", "n"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert lines[0] == f"  120 × invalid_file: {BLANK}"
    assert len(lines) == 102
    assert lines[-1] == "  … and 20 more; --json lists them all."


def test_a_terminal_sees_a_bar(environment, folder):
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"word{number} " * 500)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 200))
    with subprocess.Popen(
        [COMMAND, "index", folder, "--store", "n"],
        env=environment | {"TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                seen += piece
        assert running.wait(timeout=60) == 0
    os.close(ours)
    assert b"files" in seen
    assert b"chunks" in seen
    assert b"Traceback" not in seen


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_indexing_makes_way_for_servers_but_not_for_everything(environment, folder):
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"word{number} " * 5000)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    seen = set()
    with subprocess.Popen(
        [COMMAND, "index", folder, "--store", "n", "-q"], env=environment
    ) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                tasks = Path(f"/proc/{process.pid}/task").iterdir()
                seen |= {os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in tasks}
            time.sleep(0.05)
    assert process.returncode == 0
    assert seen == {own, min(own + 10, 19)}
