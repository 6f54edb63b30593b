"""Runs a program that knows nothing of us against a real server that checks its own replies.

`python tests/contract/outside.py COMMAND...` starts a server with an empty store and runs COMMAND
with OPENAI_BASE_URL and OPENAI_API_KEY set to it, `{origin}` in its words standing for the
server's address. It ends with the command's status, or with 1
if a reply broke the published schema or ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "support"))

from chat_server import Script, calling, chat_server
from conformance import Exchange, check_exchange
from http_service import running

from api.app import create_app
from api.engine import Engine
from api.settings import Settings

MAX_SHOWN = 10
# What the input asks the language model for → what it does.
ANSWERS: dict[str, dict[str, Any]] = {
    "call weather": {"deltas": calling("weather", '{"city": "Pa', 'ris"}')},
    "refuse": {"deltas": [{"refusal": "I cannot "}, {"refusal": "help with that."}]},
    "stop early": {"deltas": ["Paris ", "is"], "finish_reason": "length"},
    "give JSON": {"deltas": ['{"city"', ': "Paris"}']},
    "take long": {"deltas": [f"word{n} " for n in range(40)], "pause_s": 0.02},
    "fail": {
        "pieces": [
            b'data: {"choices": [{"index": 0, "delta": {"content": "Before it "}}]}\n\n',
            b'data: {"error": {"message": "too many", "code": "rate_limit_exceeded"}}\n\n',
        ]
    },
}
CITED = ["Paris is the capital", " of France", " [", "1]", ". So it", " is."]


class Watched:
    """The application, and a list of what was wrong with its replies."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.problems: list[str] = []
        self.n_replies = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request and look at the reply."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked, replied, start = [scope["query_string"]], [], {}

        async def read() -> Any:
            message = await receive()
            asked.append(message.get("body", b"")[:1_000_000])
            return message

        async def write(message: Any) -> None:
            start.update(message if message["type"] == "http.response.start" else {})
            replied.append(message.get("body", b""))
            await send(message)

        await self.app(scope, read, write)
        if start and scope["method"] != "HEAD":  # a client that left, and a reply without a body
            extended = b"sourcebook" in b"".join(asked)
            self._look(scope, start, b"".join(replied), extended=extended)

    def _look(self, scope: Any, start: Any, body: bytes, *, extended: bool) -> None:
        headers = {key.decode(): value.decode() for key, value in start["headers"]}
        seen = Exchange(
            scope["method"].lower(), scope["path"], start["status"], headers, body, extended
        )
        self.n_replies += 1
        try:
            check_exchange(seen)
        except AssertionError as exc:
            self.problems.append(str(exc)[:500])


def run(command: list[str]) -> int:
    """Run `command` against a fresh server; gives its status, or 1 for a wrong reply."""
    with tempfile.TemporaryDirectory() as folder, chat_server(Script(hear=_obey)) as llm:
        settings = Settings(
            data=Path(folder) / "data", embedder="hash", llm_base_url=llm, llm_model="scripted"
        )
        with Engine.open(settings=settings, work=True) as engine:
            watched = Watched(create_app(engine))
            with running(watched) as url:
                given = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-any"}
                words = [word.replace("{origin}", url) for word in command]
                status = subprocess.run(words, env=os.environ | given, check=False).returncode
    print(f"{watched.n_replies} replies, {len(watched.problems)} of them wrong")
    for problem in watched.problems[:MAX_SHOWN]:
        print(" ", problem)
    return status or min(1, len(watched.problems))


def _obey(script: Script) -> None:
    """Do what the newest message asks for; cite the first source otherwise."""
    asked = str(script.requests[-1]["messages"][-1]["content"])
    wanted = next((answer for words, answer in ANSWERS.items() if words in asked), {})
    for name, value in {**vars(Script(CITED)), **wanted}.items():
        if name not in {"hear", "requests", "times"}:
            setattr(script, name, value)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
