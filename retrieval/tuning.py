"""Where one way of looking through windows overtakes another on this machine."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FILE_NAME = "tuning.json"


@dataclass(frozen=True, slots=True)
class Tuning:
    """Crossovers, in windows; the defaults were measured, see decision 0020."""

    gather_windows: int = 1500  # allowed; up to so many their rows are read, and nothing else
    coded_windows: int = 8192  # of a segment; smaller ones are scanned as they are

    def save(self, folder: Path) -> None:
        """Write it into a data folder, whole or not at all."""
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(asdict(self), out, indent=2)
        Path(temporary).replace(folder / FILE_NAME)

    @classmethod
    def load(cls, folder: Path) -> Tuning:
        """What was measured for a data folder; the defaults where nothing was, or it is spoilt."""
        try:
            found = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return DEFAULT
        names = [field.name for field in fields(cls)]
        if not isinstance(found, dict) or not all(_is_count(found.get(n)) for n in names):
            return DEFAULT
        return cls(**{name: found[name] for name in names})


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


DEFAULT = Tuning()
