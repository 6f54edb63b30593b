"""The sample corpus indexed once with the default model, and its judged questions."""

import json
from pathlib import Path

import pytest

from api.batch.manifest import read_manifest
from api.batch.types import Selection
from api.engine import Engine
from api.settings import Settings

CORPUS = Path(__file__).parents[2] / "sample_corpus"
STORE = "sample-corpus"


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    with Engine.open(settings=Settings(data=tmp_path_factory.mktemp("data"))) as engine:
        report = engine.add(
            CORPUS / "files",
            store=STORE,
            selection=Selection(manifest=read_manifest(CORPUS / "manifest.jsonl")),
        )
        assert report.failures == ()
        yield engine


@pytest.fixture(scope="session")
def judgments():
    lines = (CORPUS / "judgments.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]
