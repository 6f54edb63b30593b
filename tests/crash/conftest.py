"""Child processes that die on purpose, and what must hold after each death."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Indexes a folder like the command line does, but dies at a named point when told to.
CHILD = """
import sys
from pathlib import Path
from api.engine import Engine
from api.settings import Settings
from retrieval import faults

data, folder, name, after = sys.argv[1:5]
if name:
    faults.arm(name, after=int(after))
with Engine.open(settings=Settings(data=Path(data), embedder="hash")) as engine:
    engine.add(folder, store="s")
"""


@pytest.fixture
def run_child():
    """Start the child; it is ended with the test whatever happens."""
    started = []

    def run(data, folder, *, point="", after=0, program=CHILD):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(data), str(folder), point, str(after)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        started.append(child)
        return child

    yield run
    for child in started:
        child.kill()
        child.communicate()
