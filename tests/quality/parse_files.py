"""Runs every file of a parser test collection through the sandbox and tells how each ended.

``python -m tests.quality.parse_files`` prints a summary and the difference to the committed
snapshot, `parse_outcomes.jsonl`; with ``--write`` it makes the snapshot anew. The collection is
a folder with a ``manifest.jsonl``: SOURCEBOOK_PARSE_FILES names it, else ``../shared/data/parse``
beside the project is looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ingest.sandbox import Limits, Sandbox
from retrieval.errors import FileFailed
from retrieval.types import Document

SNAPSHOT = Path(__file__).with_name("parse_outcomes.jsonl")
LIMITS = Limits(seconds=30.0)
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "parse"
_FLAGS = ("needs_password", "broken", "hostile", "may_fail", "no_text")

Outcome = dict[str, Any]


def folder() -> Path | None:
    """Return the folder of the collection, or None where there is none on this machine."""
    named = os.environ.get("SOURCEBOOK_PARSE_FILES")
    found = Path(named) if named else _BESIDE
    return found if (found / "manifest.jsonl").exists() else None


def outcomes(collection: Path) -> Iterator[Outcome]:
    """Parse each file of the collection; yield how it ended, in the manifest's order."""
    lines = (collection / "manifest.jsonl").read_text("utf-8").splitlines()
    with Sandbox() as sandbox:
        for line in lines:
            yield _outcome(json.loads(line), collection, sandbox)


def _outcome(entry: dict[str, Any], collection: Path, sandbox: Sandbox) -> Outcome:
    path = collection / entry["file"]
    outcome: Outcome = {"file": path.name, "type": entry["type"]}
    outcome |= {flag: True for flag in _FLAGS if entry.get(flag)}
    expected = entry.get("expect") or []
    try:
        document = sandbox.parse(path, filename=path.name, limits=LIMITS)
    except FileFailed as error:
        failed = {"status": "failed", "reason": type(error).__name__, "message": str(error)}
        return outcome | failed | {"expected": len(expected), "found": 0}
    numbers = [n for n, wanted in enumerate(expected) if _is_found(wanted, document)]
    return outcome | {
        "status": "completed",
        "media_type": document.media_type,
        "expected": len(expected),
        "found": len(numbers),
    }


def _is_found(wanted: dict[str, Any], document: Document) -> bool:
    """Tell whether an expected text is there: on its page where it stands on no other."""
    page = wanted.get("page") if wanted.get("only_this_page") else None
    return _bare(wanted["text"]) in _bare(_text_of(document, page))


def _text_of(document: Document, page: int | None) -> str:
    if page is None:
        return document.text
    pieces = (
        document.text[block.start_char : block.end_char]
        for block in document.blocks
        if page in {block.place.first_page, block.place.first_slide}
    )
    return "".join(pieces)


def _bare(text: str) -> str:
    """Text as the collection compares it: NFKC, without white space and invisible marks."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(c for c in normal if not c.isspace() and unicodedata.category(c) != "Cf")


def snapshot() -> list[Outcome]:
    """Return the committed outcomes."""
    return [json.loads(line) for line in SNAPSHOT.read_text("utf-8").splitlines()]


def changes(before: Iterable[Outcome], after: Iterable[Outcome]) -> list[str]:
    """Return a line for each file whose outcome is not what it was."""
    old = {outcome["file"]: outcome for outcome in before}
    new = {outcome["file"]: outcome for outcome in after}
    return [
        f"{name}: {_short(old.get(name))} -> {_short(new.get(name))}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _short(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not there"
    how = outcome.get("message") or outcome.get("media_type")
    return f"{outcome['status']}, {outcome['found']} of {outcome['expected']} ({how})"


def in_scope(outcome: Outcome) -> bool:
    """Tell whether the texts of a file must be found: it is neither broken nor refused."""
    flagged = any(outcome.get(flag) for flag in _FLAGS if flag != "no_text")
    return not flagged and outcome.get("reason") != "UnsupportedFile"


def summary(found: list[Outcome]) -> str:
    """Return the counts in three lines."""
    scope = [outcome for outcome in found if in_scope(outcome)]
    texts = sum(outcome["found"] for outcome in scope)
    wanted = sum(outcome["expected"] for outcome in scope)
    reasons = Counter(outcome.get("reason", "completed") for outcome in found)
    everything = sum(outcome["expected"] for outcome in found)
    return (
        f"{len(found)} files: {dict(sorted(reasons.items()))}\n"
        f"expected texts in scope: {texts} of {wanted} found\n"
        f"all expected texts: {sum(outcome['found'] for outcome in found)} of {everything} found"
    )


def main() -> int:
    """Run the collection; return 1 where an outcome differs from the snapshot."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="make the snapshot anew")
    write = options.parse_args().write
    collection = folder()
    if collection is None:
        print("No collection here: set SOURCEBOOK_PARSE_FILES to its folder.", file=sys.stderr)
        return 2
    started = time.perf_counter()
    found = list(outcomes(collection))
    print(summary(found), f"{time.perf_counter() - started:.0f} s", sep="\n")
    if write:
        SNAPSHOT.write_text(
            "".join(f"{json.dumps(o, ensure_ascii=False)}\n" for o in found), "utf-8"
        )
        return 0
    differences = changes(snapshot(), found)
    print("\n".join(differences) or "As in the snapshot.")
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
