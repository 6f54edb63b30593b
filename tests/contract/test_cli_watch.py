"""`sourcebook index --watch`, started, fed with changes and ended as a user does it."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("sourcebook")


class Watching:
    """The command while it runs; every change it tells is waited for."""

    def __init__(self, folder, environment, *options):
        self.process = subprocess.Popen(
            [COMMAND, "index", folder, "--store", "n", "--watch", "--json", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self.first = self.next_object()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)

    def next_object(self):
        return json.loads(self._lines.get(timeout=60))

    def expect(self, *changes):
        """These (kind, path) come next, in any order."""
        told = [self.next_object() for _ in changes]
        assert sorted((each["kind"], each["path"]) for each in told) == sorted(changes)

    def end(self, number):
        """Its exit code and last report."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        return code, self.next_object()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "wheel.md").write_text("The escape wheel has thirty teeth.")
    (folder / "deep" / "spring.txt").write_text("The mainspring is wound once a week.")
    return folder


@pytest.fixture
def watching(folder):
    started = []
    environment = os.environ | {
        "SOURCEBOOK_DATA": str(folder / "data"),  # whose changes are nobody's business
        "SOURCEBOOK_EMBEDDER": "hash",
    }

    def watch(*options, path=folder):
        started.append(Watching(path, environment, *options))
        return started[-1]

    yield watch
    for each in started:
        each.process.kill()
        each.process.wait()
        each.process.stdout.close()


@pytest.mark.parametrize("options", [(), ("--poll", "0.3")], ids=["events", "polling"])
def test_what_changes_is_indexed_and_told(watching, folder, tmp_path, options):
    running = watching("--delete-missing", *options)
    assert running.first["n_added"] == 2
    (folder / "new.txt").write_text("A gong strikes the quarters.")
    running.expect(("added", "new.txt"))
    draft = folder / ".wheel.md.swp"  # as editors save: beside it, then over it
    draft.write_text("The escape wheel has sixty pins.")
    draft.rename(folder / "wheel.md")
    running.expect(("replaced", "wheel.md"))
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "one.txt").write_text("A tree that comes from elsewhere.")
    (tmp_path / "tree" / "sub" / "two.txt").write_text("And what is below it.")
    (tmp_path / "tree").rename(folder / "tree")
    running.expect(("added", "tree/one.txt"), ("added", "tree/sub/two.txt"))
    (folder / "tree").rename(folder / "moved")
    running.expect(
        ("deleted", "tree/one.txt"), ("deleted", "tree/sub/two.txt"),
        ("added", "moved/one.txt"), ("added", "moved/sub/two.txt"),
    )  # fmt: skip
    (folder / "later").mkdir()
    (folder / "later" / "x.txt").write_text("In a folder that was not there before.")
    running.expect(("added", "later/x.txt"))
    (folder / "deep" / "spring.txt").unlink()
    running.expect(("deleted", "deep/spring.txt"))
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    running.expect(("failed", "bad.pdf"))
    (folder / "bad.pdf").unlink()
    running.expect(("deleted", "bad.pdf"))
    code, report = running.end(signal.SIGINT)
    assert (code, report["n_failed"], report["n_deleted"]) == (0, 0, 4)


def test_rules_hold_and_may_change_while_watching(watching, folder):
    running = watching("--delete-missing")
    (folder / ".gitignore").write_text("*.md\n")
    running.expect(("deleted", "wheel.md"))
    (folder / "other.md").write_text("Left out.")
    (folder / "other.txt").write_text("Taken.")
    running.expect(("added", "other.txt"))
    assert running.end(signal.SIGTERM)[0] == 0


def test_without_the_option_nothing_is_deleted(watching, folder):
    running = watching()
    (folder / "wheel.md").rename(folder / "gear.md")
    running.expect(("added", "gear.md"))
    assert running.end(signal.SIGTERM)[1]["n_deleted"] == 0


def test_a_single_file_is_watched_through_renames(watching, folder):
    running = watching(path=folder / "wheel.md")
    for teeth in ("forty", "fifty"):
        (folder / "draft").write_text(f"The escape wheel has {teeth} teeth.")
        (folder / "draft").rename(folder / "wheel.md")
        running.expect(("replaced", "wheel.md"))
    assert running.end(signal.SIGINT)[0] == 0
