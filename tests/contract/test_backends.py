"""Several language models, each on its own server, told apart by the name in the request."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
from chat_server import Script, chat_server
from http_service import Service, serving

from api.answer.backends import backends
from api.engine import Engine
from api.settings import Settings
from retrieval.errors import InvalidRequest

TABLE = """
[[server]]
models = ["vendor/exact", "family-*"]
base_url = "{family}"
api_key_variable = "TEST_BACKEND_KEY"

[[server]]
models = ["family-special"]
base_url = "{special}"
served_as = "special:7b"
timeout_s = 2.5
retrieval = "forced"
context_tokens = 4096
"""


@dataclass(frozen=True)
class Setup:
    service: Service
    default: Script
    family: Script
    special: Script


class Models(BaseHTTPRequestHandler):
    """Answers GET /v1/models as a server with many models does."""

    def do_GET(self) -> None:
        ids = ["family-a", "family-b", "other"]
        body = json.dumps({"object": "list", "data": [{"id": each} for each in ids]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def setup(tmp_path) -> Iterator[Setup]:
    scripts = [Script(["From the first."]), Script(["From the family."]), Script(["Special."])]
    with ExitStack() as stack:
        urls = [stack.enter_context(chat_server(script)) for script in scripts]
        file = tmp_path / "llm.toml"
        file.write_text(TABLE.format(family=urls[1], special=urls[2]))
        settings = Settings(
            data=tmp_path / "data", embedder="hash", llm_base_url=urls[0], llm_model="first",
            llm_servers=file,
        )  # fmt: skip
        os.environ["TEST_BACKEND_KEY"] = "secret-of-the-family"
        try:
            engine = stack.enter_context(Engine.open(settings=settings, work=True))
            yield Setup(stack.enter_context(serving(engine)), *scripts)
        finally:
            del os.environ["TEST_BACKEND_KEY"]


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("first", "From the first."),
        ("vendor/exact", "From the family."),
        ("family-anything:8b", "From the family."),
        ("family-special", "Special."),
    ],
)
def test_each_model_answers_from_its_own_server(setup, model, answer):
    response = setup.service.client.responses.create(model=model, input="Hello?")
    assert (response.output_text, response.model) == (answer, model)


def test_a_server_is_asked_by_the_name_it_knows(setup):
    setup.service.client.responses.create(model="family-special", input="Hello?")
    setup.service.client.responses.create(model="family-x", input="Hello?")
    assert setup.special.requests[-1]["model"] == "special:7b"
    assert setup.family.requests[-1]["model"] == "family-x"


def test_each_server_gets_its_own_key_and_limits(setup):
    first, family, special = backends(setup.service.engine.settings)
    assert (first.api_key, family.api_key, special.api_key) == (
        None, "secret-of-the-family", None,
    )  # fmt: skip
    assert (first.timeout_s, special.timeout_s) == (120.0, 2.5)
    assert (family.context_tokens, special.context_tokens) == (None, 4096)
    assert (family.retrieval, special.retrieval) == ("auto", "forced")


def test_context_of_a_model_is_its_own(setup):
    long = [{"role": "user", "content": "word " * 5000}]
    client = setup.service.client
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="family-special", input=long)
    assert caught.value.code == "context_length_exceeded"
    assert client.responses.create(model="family-x", input=long).status == "completed"


def test_models_are_listed_and_found(setup):
    client = setup.service.client
    names = [model.id for model in client.models.list()]
    assert names == ["extractive", "first", "vendor/exact", "family-special"]
    assert client.models.retrieve("vendor/exact").owned_by == "operator"
    assert client.models.retrieve("family-any").id == "family-any"
    assert client.models.retrieve("extractive").owned_by == "sourcebook"


def test_names_that_only_the_server_knows_are_listed_too(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        file = tmp_path / "llm.toml"
        url = f"http://127.0.0.1:{server.server_port}/v1"
        file.write_text(f'[[server]]\nmodels = ["family-*"]\nbase_url = "{url}"\n')
        settings = Settings(data=tmp_path / "data", embedder="hash", llm_servers=file)
        with Engine.open(settings=settings) as engine, serving(engine) as service:
            names = [model.id for model in service.client.models.list()]
        assert names == ["extractive", "family-a", "family-b"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_unknown_models_are_refused(setup):
    client = setup.service.client
    with pytest.raises(openai.BadRequestError) as bad:
        client.responses.create(model="nobody", input="Hello?")
    assert (bad.value.code, bad.value.param) == ("model_not_found", "model")
    assert "The requested model 'nobody' does not exist." in bad.value.message
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("nobody")
    assert missing.value.code is None
    assert "The model 'nobody' does not exist" in missing.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models = 1", "[[server]]"),
        ('[[server]]\nmodels = ["a"]', "'base_url' is missing"),
        ('[[server]]\nmodels = ["a"]\nbase_url = "x"\nkey = "k"', "there is no 'key'"),
        ('[[server]]\nmodels = ["a"]\nbase_url = 3', "'base_url' is 3"),
        ('[[server]]\nmodels = [1]\nbase_url = "x"', "something else than names"),
        ('[[server]]\nmodels = ["a"]\nbase_url = "x"\nretrieval = "no"', "'retrieval'"),
        ('[[server]]\nmodels = ["a*"]\nbase_url = "x"\nserved_as = "b"', "'served_as'"),
        ("[[server", "cannot be read"),
    ],
)
def test_a_wrong_file_is_told_when_the_server_starts(tmp_path, text, told):
    file = tmp_path / "llm.toml"
    file.write_text(text)
    settings = Settings(data=tmp_path / "data", embedder="hash", llm_servers=file)
    with (
        Engine.open(settings=settings) as engine,
        pytest.raises(InvalidRequest, match="LLM_SERVERS") as caught,
        serving(engine),
    ):
        pass
    assert told in str(caught.value)
