"""What `.gitignore` and `.sourcebookignore` files leave out, by git's rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from retrieval.errors import InvalidRequest

# In one folder the later one of these decides; a deeper folder decides before a higher one.
IGNORE_FILES = (".gitignore", ".sourcebookignore")


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """The rules of one ignore file, which hold in its folder and below."""

    prefix: str  # of that folder relative to where the walk began: "" or "a/b/"
    spec: GitIgnoreSpec


def read_ignore_file(location: str, prefix: str) -> IgnoreFile:
    """The rules of a file; lines that are no patterns are passed over, as git does.

    Raises:
        OSError: it cannot be read.
    """
    with open(location, encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123
        return IgnoreFile(prefix, GitIgnoreSpec.from_lines(filter(_is_pattern, list(lines))))


def is_ignored(path: str, files: Iterable[IgnoreFile]) -> bool:
    """Whether `path` (of a folder: ending in a slash) is left out by these, deepest first.

    A folder above it that is left out is the walk's business: it is not entered.
    """
    for file in files:
        decision = file.spec.check_file(path[len(file.prefix) :]).include
        if decision is not None:
            return decision
    return False


def read_patterns(lines: Iterable[str]) -> GitIgnoreSpec:
    """Patterns that a person gave.

    Raises:
        InvalidRequest: one is not a gitignore pattern; the message names it.
    """
    lines = list(lines)
    for line in lines:
        if not _is_pattern(line):
            raise InvalidRequest(
                f"'{line}' is not a gitignore pattern.", param="exclude", code="invalid_value"
            )
    return GitIgnoreSpec.from_lines(lines)


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
