"""Who may come in: keys once there is one, and no page of another site before that."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import openai
import pytest
from http_service import Service, serving
from test_api_files import refused, upload

from api.app import create_app
from api.auth import PUBLIC
from api.engine import Engine
from api.settings import Settings
from retrieval.errors import Conflict, NotFound


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    """A server of its own without a key yet."""
    settings = Settings(data=tmp_path, embedder="hash")
    with Engine.open(settings=settings) as engine, serving(engine) as found:
        yield found


def with_key(service: Service, key: str) -> openai.OpenAI:
    return service.client.with_options(api_key=key)


def test_a_loopback_server_without_keys_takes_any_or_none(guarded):
    assert guarded.client.files.list().data == []
    assert guarded.raw.get("/v1/files").status_code == 200


def test_once_there_is_a_key_it_is_demanded(guarded):
    key, sent = guarded.engine.create_key("laptop")
    assert re.fullmatch(r"sk-sb-[0-9a-f]{16}-[\w-]{43}", sent)
    assert key.id.removeprefix("key_") in sent
    error = refused(guarded.raw.get("/v1/files"), 401)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)
    with pytest.raises(openai.AuthenticationError) as caught:
        guarded.client.files.list()
    assert caught.value.code == "invalid_api_key"
    assert caught.value.body["message"].startswith("Incorrect API key provided: ***. ")
    assert caught.value.response.headers["www-authenticate"] == "Bearer"
    file = with_key(guarded, sent).files.create(file=("a.txt", b"x"), purpose="assistants")
    assert with_key(guarded, sent).files.retrieve(file.id) == file


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Basic dXNlcjpw", "sk-sb-x", "Bearer sk-sb-", "Bearer \u00fc"],
)
def test_what_is_no_key_is_refused(guarded, authorization):
    guarded.engine.create_key("k")
    headers = [(b"authorization", authorization.encode())] if authorization else []
    refused(guarded.raw.get("/v1/files", headers=headers), 401)


def test_a_key_that_is_nearly_right_is_refused_and_not_echoed(guarded):
    _, sent = guarded.engine.create_key("k")
    other_id, _ = guarded.engine.create_key("other")
    swapped = f"sk-sb-{other_id.id.removeprefix('key_')}-{sent.rsplit('-', 1)[-1][:43]}"
    for wrong in (sent[:-1], sent + "A", sent.upper(), swapped):
        reply = guarded.raw.get("/v1/files", headers={"authorization": f"Bearer {wrong}"})
        message = refused(reply, 401)["message"]
        assert wrong not in message
        assert wrong[-4:] in message
    for right in (f"Bearer {sent}", f"bearer  {sent}"):
        assert guarded.raw.get("/v1/files", headers={"authorization": right}).status_code == 200


def routes(engine: Engine) -> list[tuple[str, str]]:
    """Every method and path of the application, with an id in each gap."""
    paths: dict[str, dict[str, object]] = create_app(engine).openapi()["paths"]
    return [
        (method, re.sub(r"\{\w+\}", "x", path))
        for path, methods in paths.items()
        for method in methods
    ]


def test_every_call_but_the_static_pages_needs_the_key(guarded):
    guarded.engine.create_key("k")
    calls = [*routes(guarded.engine), ("get", "/v1/nothing"), ("put", "/v1/files")]
    assert len(calls) > 30
    for method, path in calls:
        reply = guarded.raw.request(method.upper(), path)
        if path in PUBLIC:
            assert reply.status_code == 200
        else:
            refused(reply, 401)
    refused(guarded.raw.post("/"), 401)


def test_the_static_pages_hold_no_data(guarded):
    name = "a name that must not show"
    guarded.client.vector_stores.create(name=name)
    upload(guarded, name=f"{name}.txt")
    guarded.engine.create_key(name)
    for path in PUBLIC:
        assert name not in guarded.raw.get(path).text


def test_a_revoked_key_is_refused_at_once_and_the_server_stays_closed(guarded, tmp_path):
    key, sent = guarded.engine.create_key("k")
    client = with_key(guarded, sent)
    assert client.files.list().data == []
    with Engine.open(settings=Settings(data=tmp_path, embedder="hash")) as another_process:
        assert another_process.revoke_key(key.id).revoked_at is not None
    with pytest.raises(openai.AuthenticationError):
        client.files.list()
    refused(guarded.raw.get("/v1/files"), 401)
    with pytest.raises(Conflict, match="revoked"):
        guarded.engine.revoke_key(key.id)
    with pytest.raises(NotFound):
        guarded.engine.revoke_key("key_x")


def test_keys_are_stored_hashed(guarded, tmp_path):
    key, sent = guarded.engine.create_key("k")
    secret = sent.removeprefix(f"sk-sb-{key.id.removeprefix('key_')}-")
    assert len(secret) == 43
    with closing(sqlite3.connect(tmp_path / "sourcebook.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert connection.execute("SELECT project_id FROM api_keys").fetchone() == ("default",)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8377", "localhost.evil.example"])
def test_another_name_for_this_machine_is_refused(guarded, host):
    error = refused(guarded.raw.get("/v1/files", headers={"host": host}), 403)
    assert host in error["message"]
    refused(guarded.raw.get("/", headers={"host": host}), 403)
    assert guarded.raw.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:8377", "10.0.0.7"]
)
def test_localhost_and_addresses_are_right(guarded, host):
    assert guarded.raw.get("/v1/files", headers={"host": host}).status_code == 200


def test_configured_names_are_right(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", hosts="books.local, Other")
    with Engine.open(settings=settings) as engine, serving(engine) as service:
        for host in ("books.local", "BOOKS.local:80", "other:1"):
            headers = {"host": host, "origin": f"https://{host}"}
            assert service.raw.post("/v1/vector_stores", headers=headers).status_code == 200
        headers = {"host": "127.0.0.1", "origin": "https://books.local"}  # behind a proxy
        assert service.raw.post("/v1/vector_stores", headers=headers).status_code == 200
        refused(service.raw.get("/v1/files", headers={"host": "third"}), 403)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", "null", "x"])
def test_a_page_of_another_site_may_not_change_anything(guarded, origin):
    headers = {"origin": origin}
    form = {"file": ("a.txt", b"planted"), "purpose": (None, "assistants")}
    error = refused(guarded.raw.post("/v1/files", files=form, headers=headers), 403)
    assert origin in error["message"]
    refused(guarded.raw.delete("/v1/files/file-x", headers=headers), 403)
    assert guarded.client.files.list().data == []


def test_our_own_page_may(guarded):
    reply = guarded.raw.post("/v1/vector_stores", json={}, headers={"origin": guarded.url})
    assert reply.status_code == 200


def test_with_a_key_neither_name_nor_origin_matter(guarded):
    _, sent = guarded.engine.create_key("k")
    headers = {
        "authorization": f"Bearer {sent}",
        "host": "x.example",
        "origin": "https://y.example",
    }
    assert guarded.raw.post("/v1/vector_stores", json={}, headers=headers).status_code == 200


def test_beyond_this_machine_a_server_is_closed_unless_opened(tmp_path):
    wide = Settings(data=tmp_path, embedder="hash", host="0.0.0.0")
    with Engine.open(settings=wide) as engine, serving(engine) as service:
        refused(service.raw.get("/v1/files"), 401)
    opened = Settings(data=tmp_path, embedder="hash", host="0.0.0.0", open=True)
    with Engine.open(settings=opened) as engine, serving(engine) as service:
        assert service.raw.get("/v1/files").status_code == 200
        key, _ = engine.create_key("k")
        refused(service.raw.get("/v1/files"), 401)
        engine.revoke_key(key.id)
        assert service.raw.get("/v1/files").status_code == 200
