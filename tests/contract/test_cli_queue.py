"""`sourcebook jobs` and `sourcebook retry`, run as a user runs them."""

import json
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("sourcebook")


def test_what_failed_is_listed_with_its_reason_and_tried_again(sourcebook, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "good.md").write_text("# Wheels\n\nThe escape wheel has thirty teeth.\n")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 no more")
    sourcebook("index", folder, "--store", "s", expect=1)
    shown = sourcebook("jobs", "--store", "s").stdout
    assert "bad.pdf" in shown
    assert "invalid_file" in shown
    found = json.loads(sourcebook("jobs", "--store", "s", "--json").stdout)
    assert found["at_work"] == []
    assert found["waiting"] == [{"interactive": 0, "bulk": 0, "to_be_retried": 0}]
    (failed,) = found["failed"]
    assert (failed["file"], failed["attempts"]) == ("bad.pdf", 1)
    assert failed["at"].endswith("Z")
    assert failed["reason"]

    again = sourcebook("retry", "--store", "s", expect=1)
    assert again.stdout == "1 queued again, 1 failed.\n"
    assert "bad.pdf" in again.stderr
    none = json.loads(
        sourcebook("retry", "--store", "s", "--code", "server_error", "--json").stdout
    )
    assert none == {"queued": 0, "failed": []}
    one = sourcebook("retry", "--store", "s", "--file", failed["id"], "--no-wait")
    assert one.stdout == "1 queued again.\n"
    waiting = json.loads(sourcebook("jobs", "--json").stdout)["waiting"]
    assert waiting == [{"interactive": 1, "bulk": 0, "to_be_retried": 0}]


def test_mistakes_are_told_in_one_line(sourcebook):
    wrong = sourcebook("retry", "--store", "no such store", expect=2)
    assert wrong.stderr.startswith("sourcebook: ")
    assert len(wrong.stderr.splitlines()) == 1
