"""Keys from the command line, and servers that will not start without one."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx2
import pytest

COMMAND = Path(sys.executable).with_name("sourcebook")


@pytest.fixture
def keys(sourcebook):
    return partial(sourcebook, "keys")


@contextlib.contextmanager
def serving(environment, *options):
    """A server on a free port, and the address to call it by."""
    with subprocess.Popen(
        [COMMAND, "serve", "--port", "0", *options],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        try:
            port = re.search(r"http://[\d.]+:(\d+)", server.stdout.readline())[1]
            yield f"http://127.0.0.1:{port}/v1/files"
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=20) == 0


def status(url, key=None):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx2.get(url, headers=headers, timeout=30).status_code


def test_keys_are_made_listed_and_revoked_while_a_server_runs(keys, environment):
    with serving(environment) as url:
        assert status(url) == 200
        made = keys("create", "--name", "laptop")
        sent = made.stdout.strip()
        assert sent not in made.stderr
        assert (status(url), status(url, "sk-other"), status(url, sent)) == (401, 401, 200)
        (row,) = json.loads(keys("list", "--json").stdout)
        assert (row["name"], row["revoked"]) == ("laptop", None)
        assert sent not in keys("list").stdout
        keys("revoke", row["id"])
        assert (status(url), status(url, sent)) == (401, 401)
        assert json.loads(keys("list", "--json").stdout)[0]["revoked"] is not None
    assert "revoked already" in keys("revoke", row["id"], expect=2).stderr
    assert "No such key" in keys("revoke", "key_0", expect=2).stderr


def test_beyond_this_machine_a_server_starts_with_a_key_or_on_purpose(keys, environment):
    wide = ("--host", "0.0.0.0")
    done = subprocess.run(
        [COMMAND, "serve", "--port", "0", *wide],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "sourcebook keys create" in done.stderr
    assert "--open" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with serving(environment, *wide, "--open") as url:
        assert status(url) == 200
    with serving(environment | {"SOURCEBOOK_OPEN": "true"}, *wide) as url:
        assert status(url) == 200
    sent = keys("create", "--name", "k").stdout.strip()
    with serving(environment, *wide) as url:
        assert (status(url), status(url, sent)) == (401, 200)
