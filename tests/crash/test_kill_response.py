"""`kill -9` of a server that writes a response: after the restart it has ended, with its text."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from handlers import handled
from openai import OpenAI

COMMAND = Path(sys.executable).with_name("sourcebook")


class Slow(BaseHTTPRequestHandler):
    """A Chat Completions server that writes a word every tenth of a second, without end."""

    def do_POST(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            while True:
                choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
                chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
                self.wfile.write(
                    f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()
                )
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            return

    def log_message(self, *_args):
        """Nothing."""


@pytest.fixture(scope="module")
def llm():
    with handled(Slow) as url:
        yield url


@contextmanager
def server(data, llm, *, end="kill"):
    environment = os.environ | {
        "SOURCEBOOK_DATA": str(data),
        "SOURCEBOOK_EMBEDDER": "hash",
        "SOURCEBOOK_LLM_BASE_URL": llm,
        "SOURCEBOOK_LLM_MODEL": "slow",
    }
    with subprocess.Popen(
        [COMMAND, "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            address = re.search(r"http://[\d.:]+", process.stdout.readline())[0]
            with OpenAI(base_url=f"{address}/v1", api_key="any", timeout=30) as client:
                yield client
        finally:
            getattr(process, end)()


@pytest.mark.parametrize(
    ("background", "end"), [(True, "kill"), (False, "kill"), (True, "terminate")]
)
def test_interrupted_response_has_ended_after_the_restart(tmp_path, llm, background, end):
    with server(tmp_path, llm, end=end) as client:
        stream = client.responses.create(
            model="slow", input="Go on for ever.", stream=True, background=background
        )
        response_id = next(iter(stream)).response.id
        n_seen = sum(
            1 for event, _ in zip(stream, range(25), strict=False) if "delta" in event.type
        )
        assert n_seen > 5
    with server(tmp_path, llm) as client:
        found = client.responses.retrieve(response_id)
        assert found.status in {"failed", "incomplete", "cancelled"}
        assert found.output_text.startswith("word word word ")
        assert found.output[-1].status == "incomplete"
        follow_up = client.responses.create(
            model="slow", input="And?", previous_response_id=response_id, background=True
        )
        assert client.responses.cancel(follow_up.id).status == "cancelled"
