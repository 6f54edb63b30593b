"""What holds for every endpoint: paths, methods, media types, ids, headers, crashes, the page."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import httpx2
import openai
import pytest
from http_service import running, serving
from test_api_files import refused, upload

from api.app import create_app
from api.engine import Engine
from api.settings import Settings
from retrieval.errors import StoreBusy

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/x"),
        ("GET", "/v1"),
        ("GET", "/nothing"),
        ("GET", "/v1/files/"),
        ("GET", "/v1/files/file-a/more"),
        ("POST", "/v1/vector_stores/vs_a/b/c"),
    ],
)
def test_unknown_path_is_404_in_hosted_words(service, method, path):
    error = refused(service.raw.request(method, path), 404)
    assert error["message"] == f"Invalid URL ({method} {path})"
    assert (error["code"], error["param"]) == (None, None)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/files", "GET, POST"),
        ("PATCH", "/v1/files/file-a", "DELETE, GET"),
        ("PUT", "/v1/vector_stores/vs_a", "DELETE, GET, POST"),
        ("GET", "/v1/vector_stores/vs_a/search", "POST"),
        ("DELETE", "/v1/models", "GET"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_wrong_method_is_405_with_all_methods_of_the_path(service, method, path, allow):
    reply = service.raw.request(method, path)
    refused(reply, 405)
    assert reply.headers["allow"] == allow


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_wrong_content_type_is_415(service, content_type):
    headers = {"content-type": content_type} if content_type else {}
    refused(service.raw.post("/v1/vector_stores", content=b"{}", headers=headers), 415)


def test_charset_parameter_is_fine(service):
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert service.raw.post("/v1/vector_stores", content=b"{}", headers=headers).is_success


@pytest.mark.parametrize("body", [b"{", b'{"name": NaN}', b"\xff\xfe", b'{"name": "\\ud800"}'])
def test_json_that_does_not_parse_is_400(service, body):
    error = refused(service.raw.post("/v1/vector_stores", content=body, headers=JSON), 400)
    assert error["message"].startswith("We could not parse the JSON body of your request:")
    assert (error["code"], error["param"]) == (None, None)


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"1", b"null"])
def test_json_that_is_no_object_is_400(service, body):
    error = refused(service.raw.post("/v1/vector_stores", content=body, headers=JSON), 400)
    assert error["code"] == "invalid_type"


IDS = [
    ("/v1/files/vs_1", "file_id", "'vs_1'. Expected an ID that begins with 'file-'."),
    ("/v1/vector_stores/file-1", "vector_store_id", "begins with 'vs_'."),
    ("/v1/vector_stores/vs_1/file_batches/vs_1", "batch_id", "begins with 'vsfb_'."),
    ("/v1/vector_stores/vsfb_1/files", "vector_store_id", "begins with 'vs_'."),
    ("/v1/vector_stores/vs_1/files/vs_2", "file_id", "begins with 'file-'."),
    ("/v1/vector_stores/vs%201", "vector_store_id", "additional characters."),
    ("/v1/files/file-%C3%A4", "file_id", "additional characters."),
]


@pytest.mark.parametrize(("path", "param", "words"), IDS)
def test_ids_of_another_kind_or_alphabet_are_400(service, path, param, words):
    error = refused(service.raw.get(path), 400)
    assert (error["code"], error["param"]) == ("invalid_value", param)
    assert error["message"].startswith(f"Invalid '{param}': ")
    assert error["message"].endswith(words)


@pytest.mark.parametrize(
    "path",
    ["/v1/files/abc", "/v1/files/file-none/content", "/v1/vector_stores/abc", "/v1/models/none"],
)
def test_other_unknown_ids_are_404(service, path):
    error = refused(service.raw.get(path), 404)
    assert error["type"] == "invalid_request_error"
    assert error["code"] is None


LISTS = ["/v1/files", "/v1/vector_stores", "/v1/vector_stores/{store}/files"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "0"}, "integer_below_min_value"),
        ({"limit": "10001"}, "integer_above_max_value"),
        ({"limit": "x"}, "invalid_type"),
        ({"order": "best"}, "invalid_value"),
        ({"after": "neverissued"}, "invalid_value"),
    ],
)
def test_bad_list_parameters_are_400_everywhere(service, path, query, code):
    store = service.client.vector_stores.create()
    error = refused(service.raw.get(path.format(store=store.id), params=query), 400)
    assert (error["code"], error["param"]) == (code, next(iter(query)))


def test_bad_status_filter_is_400(service):
    store = service.client.vector_stores.create()
    reply = service.raw.get(f"/v1/vector_stores/{store.id}/files", params={"filter": "done"})
    assert refused(reply, 400)["message"] == (
        "Invalid value: 'done'. Supported values are: "
        "'in_progress', 'completed', 'failed', and 'cancelled'."
    )


def test_every_reply_has_its_own_request_id(service):
    replies = [service.raw.get(path) for path in ("/v1/models", "/v1/x", "/healthz", "/")]
    ids = {reply.headers["x-request-id"] for reply in replies}
    assert len(ids) == 4
    assert {reply.headers["openai-version"] for reply in replies} == {"2020-10-01"}
    assert all(reply.headers["openai-processing-ms"].isdecimal() for reply in replies)
    assert service.client.models.list()._request_id.startswith("req_")


def test_models_are_listed_and_retrieved(service):
    (model,) = service.client.models.list()
    assert model.id == "extractive"
    assert service.client.models.retrieve("extractive") == model
    with pytest.raises(openai.NotFoundError) as caught:
        service.client.models.retrieve("vendor/none")
    assert caught.value.body["message"] == "The model 'vendor/none' does not exist"


def test_health(service):
    assert service.raw.get("/healthz").json() == {"status": "ok"}


def test_page_needs_no_other_server(service):
    reply = service.raw.get("/")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert re.findall(r"(?:https?:)?//[a-z]", reply.text) == []
    assert "innerHTML" not in reply.text


def test_file_past_the_limit_is_413(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", max_file_bytes=1000)
    with Engine.open(settings=settings) as engine, serving(engine) as service:
        files = {"file": ("a.txt", b"x" * 1001), "purpose": (None, "assistants")}
        refused(service.raw.post("/v1/files", files=files), 413)
        files["file"] = ("a.txt", b"x" * 1000)
        assert service.raw.post("/v1/files", files=files).json()["bytes"] == 1000


def test_declared_length_past_the_limit_is_refused_unread(tmp_path):
    settings = Settings(data=tmp_path, embedder="hash", max_file_bytes=1000)
    with (
        Engine.open(settings=settings) as engine,
        serving(engine) as service,
        closing(HTTPConnection(service.url.removeprefix("http://"))) as connection,
    ):
        connection.putrequest("POST", "/v1/files")
        connection.putheader("content-type", "multipart/form-data; boundary=b")
        connection.putheader("content-length", str(2**40))
        connection.endheaders()  # and not one byte of the body
        assert connection.getresponse().status == 413


def test_async_client_sees_the_same(service):
    made = service.client.vector_stores.create(name="async")

    async def found():
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="any") as client:
            return [store.id async for store in client.vector_stores.list(limit=1)]

    assert made.id in asyncio.run(found())


def test_many_clients_at_once_get_whole_answers(service):
    def work(number):
        store = service.client.vector_stores.create(name=f"at once {number}")
        file = upload(service, name=f"{number}.txt", content=f"Number {number}.".encode())
        service.client.vector_stores.files.create(store.id, file_id=file.id)
        service.client.files.delete(file.id)
        return service.client.vector_stores.retrieve(store.id).file_counts.total

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [0] * 16


@pytest.fixture
def broken(service):
    """The application with two routes that fail as a bug and as a lock would."""
    app = create_app(service.engine)

    @app.get("/v1/bug")
    def bug() -> None:
        raise KeyError("secret of the trace")

    @app.get("/v1/busy")
    def busy() -> None:
        raise StoreBusy("The store is busy; try again.", retry_after_s=2)

    with running(app) as url, httpx2.Client(base_url=url) as client:
        yield client


def test_bug_is_a_plain_500_without_a_trace(broken, caplog):
    reply = broken.get("/v1/bug")
    error = refused(reply, 500)
    assert (error["type"], error["code"]) == ("server_error", "server_error")
    assert "secret" not in reply.text
    assert reply.headers["x-request-id"].startswith("req_")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "request_failed"
    ]


def test_busy_store_is_503_and_says_when_to_come_back(broken):
    reply = broken.get("/v1/busy")
    assert refused(reply, 503)["type"] == "server_error"
    assert reply.headers["retry-after"] == "2"
    assert reply.headers["retry-after-ms"] == "2000"
