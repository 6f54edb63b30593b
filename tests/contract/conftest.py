"""A server for each test module, and the command for each test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from http_service import Service, serving

from api.engine import Engine
from api.settings import Settings


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with an empty store and a worker, one for each test module."""
    settings = Settings(data=tmp_path_factory.mktemp("data"), embedder="hash")
    with Engine.open(settings=settings, work=True) as engine, serving(engine) as found:
        yield found


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """That of a command with a data folder of its own."""
    return os.environ | {"SOURCEBOOK_DATA": str(tmp_path / "data"), "SOURCEBOOK_EMBEDDER": "hash"}


@pytest.fixture
def sourcebook(
    environment: Mapping[str, str],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `sourcebook` with some arguments, and `expect` an exit status."""
    command = Path(sys.executable).with_name("sourcebook")

    def run(*arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [command, *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        return done

    return run
