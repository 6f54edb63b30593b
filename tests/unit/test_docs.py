"""Documents say what the code says: settings, links, and the Python in the README."""

import ast
import dataclasses
import doctest
import importlib
import re
from pathlib import Path

import pytest

from api.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if "node_modules" not in path.parts),
]
DOCTESTED = [
    "api.auth",
    "api.batch.find",
    "api.batch.label",
    "api.batch.path_patterns",
    "api.batch.scalars",
    "api.batch.watch",
    "api.commands.eval",
    "api.evaluate.report",
    "api.printing",
    "api.snippet",
    "ingest.failures",
    "retrieval.fuse",
    "retrieval.sentences",
    "api.pages",
]


def settings_table():
    """The table of the README, as the settings say it."""
    rows = ["| variable | default | |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        default = "~/.cache/sourcebook" if field.name == "cache" else field.default
        shown = "" if default is None else f"`{default}`"
        rows.append(f"| `{PREFIX}{field.name.upper()}` | {shown} | {field.metadata['help']} |")
    return "\n".join(rows)


def test_the_readme_lists_the_settings():
    between = re.search(r"<!-- settings -->\n(.*?)<!-- /settings -->", README, re.DOTALL)[1]
    assert between.strip() == settings_table()


def test_the_python_in_the_readme_parses():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        ast.parse(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    prose = re.sub(r"`[^`]*`", "", document.read_text("utf-8"))  # code may look like a link
    for target in re.findall(r"\]\(([^)#]+)\)", prose):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_every_path_in_the_architecture_exists():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    names = set(re.findall(r"`([a-z_/]+\.(?:py|sql))`", text))
    known = {path.name for path in ROOT.rglob("*.py")} | {"schema.sql"}
    assert len(names) > 20
    assert {name for name in names if name.split("/")[-1] not in known} == set()


@pytest.mark.parametrize("name", DOCTESTED)
def test_examples_in_docstrings_hold(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_changelog_starts_with_unreleased():
    assert re.search(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[
        1
    ] == ("Unreleased")
