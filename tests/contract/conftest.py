"""A server for each test module."""

from __future__ import annotations

from collections.abc import Iterator

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
