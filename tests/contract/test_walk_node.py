"""The official Node client walks over every method, where it is installed (`make walk-node`)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from outside import run

NODE = Path(__file__).parent / "node"


@pytest.mark.skipif(
    not (shutil.which("node") and (NODE / "node_modules" / "openai").exists()),
    reason="needs Node and its client: make walk-node",
)
def test_the_node_client_walks():
    assert run(["node", str(NODE / "walk.mjs")]) == 0
