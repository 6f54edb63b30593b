"""Imports go api → ingest → retrieval, never back; the core knows no web framework.

Function bodies are walked too: a late import is still an import.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for name in ("api", "ingest", "retrieval") for path in (ROOT / name).rglob("*.py")
)

# What the pure files may know: values, errors, and each other.
PURE = {
    "retrieval/types.py": {"retrieval.errors", "retrieval.boxes"},
    "retrieval/boxes.py": set(),
    "retrieval/errors.py": set(),
    "retrieval/filters.py": {"retrieval.errors", "retrieval.types", "retrieval.attributes"},
    "retrieval/plan.py": {"retrieval.errors", "retrieval.types"},
    "retrieval/queries.py": {
        "retrieval.errors",
        "retrieval.types",
        "retrieval.boxes",
        "retrieval.filters",
    },
    "retrieval/fuse.py": {"retrieval.errors", "retrieval.queries"},
    "retrieval/threshold.py": {"retrieval.errors", "retrieval.types"},
    "retrieval/sentences.py": set(),
}
STORE_USERS_IN_INGEST = {"ingest/pipeline.py", "ingest/reembed.py", "ingest/worker.py"}
SHARED_WITH_INGEST = {
    "retrieval.types",
    "retrieval.boxes",
    "retrieval.errors",
    "retrieval.embedder",
    "retrieval.faults",
    "retrieval.sentences",
}
WEB = {"fastapi", "starlette", "pydantic", "uvicorn"}
WEB_FILES = (
    "api/app.py",
    "api/auth.py",
    "api/openapi.py",
    "api/request.py",
    "api/serve.py",
    "api/stream.py",
    "api/routes/",
    "api/wire/",
)


def imported(path):
    """Full dotted names of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            for alias in node.names:  # `from retrieval import store` names a module
                name = f"{node.module}.{alias.name}"
                if (ROOT / (name.replace(".", "/") + ".py")).exists():
                    yield name


def relative(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_go_one_way(path):
    package = relative(path).split("/")[0]
    forbidden = {"retrieval": {"api", "ingest"}, "ingest": {"api"}, "api": set()}[package]
    assert forbidden.isdisjoint(name.split(".")[0] for name in imported(path))


@pytest.mark.parametrize(
    "path", [p for p in FILES if relative(p).startswith("ingest/")], ids=relative
)
def test_only_the_pipeline_and_the_worker_touch_the_store(path):
    names = {name for name in imported(path) if name.startswith("retrieval.")}
    if relative(path) not in STORE_USERS_IN_INGEST:
        assert names <= SHARED_WITH_INGEST


@pytest.mark.parametrize("name", PURE)
def test_pure_files_know_only_values(name):
    names = {each for each in imported(ROOT / name) if each.split(".")[0] == "retrieval"}
    assert names <= PURE[name]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_the_web_framework_stays_in_the_web_files(path):
    if not relative(path).startswith(WEB_FILES):
        assert WEB.isdisjoint(name.split(".")[0] for name in imported(path))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_the_settings_read_the_environment(path):
    # The sandbox hands its environment on to its child, and decides nothing by it.
    if relative(path) not in {"api/settings.py", "ingest/sandbox.py"}:
        names = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Attribute)
        }
        assert names.isdisjoint({"environ", "getenv"})
