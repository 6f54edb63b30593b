"""Damages files at random and parses them in the sandbox: none may crash it or keep it busy.

``python -m tests.quality.fuzz_parsers --times 2000 [--seed N] [FOLDER ...]`` prints how they ended
and the slowest. Without a folder the parser collection is used, see `tests.quality.parse_files`.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.sandbox import Limits, Sandbox
from retrieval.errors import FileFailed
from tests.quality import parse_files

LIMITS = Limits(seconds=15.0)
_MAX_BYTES = 400_000  # of a file that is damaged
_MAX_HITS = 40  # places that are changed at once


@dataclass(frozen=True, slots=True)
class Ended:
    """How one damaged file ended."""

    name: str
    how: str  # "completed", or the class of the failure
    seconds: float
    crashed: bool  # its parser died


def fuzz(paths: Sequence[Path], *, times: int, seed: int) -> Iterator[Ended]:
    """Damage one of `paths` after the other and parse it."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        target = Path(folder) / "blob"
        for number in range(times):
            path = paths[number % len(paths)]
            other = chance.choice(paths)
            target.write_bytes(damaged(path.read_bytes(), other.read_bytes(), chance))
            yield _ended(path.name, target, sandbox)


def _ended(name: str, target: Path, sandbox: Sandbox) -> Ended:
    started = time.perf_counter()
    crashed = False
    try:
        sandbox.parse(target, filename=name, limits=LIMITS)
        how = "completed"
    except FileFailed as error:
        how = type(error).__name__
        crashed = "made its parser crash" in str(error)
    return Ended(name, how, time.perf_counter() - started, crashed)


def damaged(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return `content` with bytes changed, cut out, doubled, cut off, or taken from `other`."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        if not data:
            break
        chance.choice((_change, _cut_out, _double, _cut_off, _graft))(data, other, chance)
    return bytes(data)


def _slice(length: int, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(length)
    return start, min(length, start + chance.randint(1, max(1, length // 8)))


def _change(data: bytearray, _other: bytes, chance: random.Random) -> None:
    for _ in range(chance.randint(1, _MAX_HITS)):
        data[chance.randrange(len(data))] = chance.choice((0, 0xFF, chance.randrange(256)))


def _cut_out(data: bytearray, _other: bytes, chance: random.Random) -> None:
    start, end = _slice(len(data), chance)
    del data[start:end]


def _double(data: bytearray, _other: bytes, chance: random.Random) -> None:
    start, end = _slice(len(data), chance)
    data[end:end] = data[start:end]


def _cut_off(data: bytearray, _other: bytes, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _graft(data: bytearray, other: bytes, chance: random.Random) -> None:
    if other:
        start, end = _slice(len(other), chance)
        at = chance.randrange(len(data))
        data[at : at + end - start] = other[start:end]


def files_of(folder: Path) -> list[Path]:
    """Files of a folder that are small enough, in an order that mixes their types."""
    found = [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size <= _MAX_BYTES]
    chance = random.Random(1)
    return sorted(found, key=lambda path: (chance.random(), path))


def main() -> None:
    """Print how the damaged files ended."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folders", nargs="*", type=Path)
    options.add_argument("--times", type=int, default=2000)
    options.add_argument("--seed", type=int, default=5)
    given = options.parse_args()
    folders = given.folders or [folder for folder in [parse_files.folder()] if folder]
    paths = [path for folder in folders for path in files_of(folder)]
    ended = list(fuzz(paths, times=given.times, seed=given.seed))
    print(len(ended), "damaged files:", dict(Counter(each.how for each in ended)))
    print("crashes:", Counter(Path(each.name).suffix for each in ended if each.crashed))
    for each in sorted(ended, key=lambda each: -each.seconds)[:8]:
        print(f"  {each.seconds:6.2f} s  {each.how}  {each.name}")
    for each in ended:
        if each.crashed:
            print("  crash:", each.name)


if __name__ == "__main__":
    main()
