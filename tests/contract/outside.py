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

from conformance import Exchange, check_exchange
from http_service import running

from api.app import create_app
from api.engine import Engine
from api.settings import Settings

MAX_SHOWN = 10


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
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder) / "data", embedder="hash")
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


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
