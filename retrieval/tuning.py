"""The crossovers that were measured for a data folder, kept in a file there."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

from retrieval.plan import DEFAULT, Tuning

FILE_NAME = "tuning.json"


def save(tuning: Tuning, folder: Path) -> None:
    """Write it into a data folder, whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(asdict(tuning), out, indent=2)
    Path(temporary).replace(folder / FILE_NAME)


def load(folder: Path) -> Tuning:
    """What was measured for a data folder; the defaults where nothing was, or it is spoilt."""
    try:
        found = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return DEFAULT
    names = [field.name for field in fields(Tuning)]
    if not isinstance(found, dict) or not all(_is_count(found.get(name)) for name in names):
        return DEFAULT
    return Tuning(**{name: found[name] for name in names})


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
