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
@pytest.mark.parametrize("program", ["walk.mjs", "streams.mjs"])
def test_the_node_client_walks(program):
    assert run(["node", str(NODE / program)]) == 0
