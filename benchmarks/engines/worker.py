"""The process of one engine: `worker.py ENGINE DATA_FOLDER BUILT_FOLDER`, orders from stdin.

Each order is a line of JSON, so is each reply. `build` indexes unless that was done before and
tells the seconds it took then; `open`; `search` times queries one by one.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the benchmarks
sys.path.insert(0, str(Path(__file__).parents[2]))  # the product

import vector_data

from engines import ENGINES, Engine, load


def main() -> None:
    """Obey until stdin ends; what libraries print goes to stderr."""
    name, data_folder, built = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    data = vector_data.load(data_folder)
    engine: Engine | None = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            engine = engine or load(name)
            reply = _obey(engine, name, data, built, order)
        except Exception as error:  # noqa: BLE001 - whatever a library raises is this engine's result
            reply = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(reply), file=replies, flush=True)


def _obey(
    engine: Engine, name: str, data: vector_data.VectorSet, built: Path, order: dict[str, Any]
) -> dict[str, Any]:
    if order["do"] == "build":
        return _build(engine, data, built)
    if order["do"] == "open":
        engine.open(data, built)
        return {"versions": {each: _version(each) for each in ENGINES[name].packages}}
    return _search(engine, data, order)


def _build(engine: Engine, data: vector_data.VectorSet, built: Path) -> dict[str, Any]:
    done = built / "build.json"
    if not done.exists():
        shutil.rmtree(built, ignore_errors=True)
        built.mkdir(parents=True)
        before, began = os.times(), time.perf_counter()
        engine.build(data, built)
        spent_s = time.perf_counter() - began
        after = os.times()
        size = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
        cpu_s = sum(after[:2]) - sum(before[:2])
        done.write_text(json.dumps({"seconds": spent_s, "cpu_seconds": cpu_s, "bytes": size}))
    reply: dict[str, Any] = json.loads(done.read_text())
    return reply


def _search(engine: Engine, data: vector_data.VectorSet, order: dict[str, Any]) -> dict[str, Any]:
    spent_s, found = [], []
    for number in order["queries"]:
        wanted = vector_data.filter_for(
            order["kind"], order["share"], group=int(data.group[number])
        )
        query = data.queries[number]
        began = time.perf_counter()
        ids = engine.search(query, wanted, k=order["k"])
        spent_s.append(time.perf_counter() - began)
        found.append(ids.tolist())
    return {"seconds": spent_s, "found": found}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


if __name__ == "__main__":
    main()
