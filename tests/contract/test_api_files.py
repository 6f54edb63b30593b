"""/v1/files with the unmodified client, and with forms no client would send."""

from __future__ import annotations

import io

import httpx2
import openai
import pytest

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")


def upload(service, name="a.txt", content=b"some text", **changes):
    fields = {"file": (name, content), "purpose": "assistants", **changes}
    return service.client.files.create(**fields)


def refused(reply: httpx2.Response, status: int) -> dict:
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return body["error"]


def test_file_is_stored_listed_read_and_deleted(service):
    made = upload(service, content=b"four")
    assert made.bytes == 4
    assert made.status == "processed"
    assert made.id.startswith("file-")
    assert made.expires_at is None
    assert service.client.files.retrieve(made.id) == made
    assert made.id in {file.id for file in service.client.files.list()}
    assert service.client.files.content(made.id).read() == b"four"
    assert service.client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError) as caught:
        service.client.files.retrieve(made.id)
    assert caught.value.body == {
        "message": f"No such File object: {made.id}",
        "type": "invalid_request_error",
        "param": "id",
        "code": None,
    }
    with pytest.raises(openai.NotFoundError):
        service.client.files.delete(made.id)


NAMES = [
    "你好.txt",
    "naïve résumé.txt",
    'a "quoted" b.txt',
    "two\nlines.txt",
    "a;b=c.txt",
    "1%.txt",
]


@pytest.mark.parametrize("name", NAMES)
def test_filenames_round_trip(service, name):
    made = upload(service, name=name)
    assert service.client.files.retrieve(made.id).filename == name
    reply = service.client.files.with_raw_response.content(made.id)
    assert reply.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")


def test_extended_filename_wins_over_the_plain_one(service):
    body = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="_.bin"; '
        b"filename*=utf-8''%E4%BD%A0.bin\r\ncontent-type: application/octet-stream\r\n\r\n"
        b"\x00\xff\r\n\r\n--b--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    made = service.raw.post("/v1/files", content=body, headers=headers).json()
    assert made["filename"] == "你.bin"
    assert service.raw.get(f"/v1/files/{made['id']}/content").content == b"\x00\xff\r\n"


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_purpose_is_taken_and_filters_the_list(service, purpose):
    made = upload(service, purpose=purpose)
    assert made.purpose == purpose
    found = service.client.files.list(purpose=purpose)
    assert made.id in {file.id for file in found}
    assert {file.purpose for file in found} == {purpose}


def test_unknown_purpose_in_a_list_is_an_empty_page(service):
    reply = service.raw.get("/v1/files", params={"purpose": "nothing"}).json()
    assert reply == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


def test_expiry_counts_from_creation(service):
    made = upload(service, expires_after={"anchor": "created_at", "seconds": 3600})
    assert made.expires_at == made.created_at + 3600


def test_large_file_comes_back_byte_for_byte(service):
    content = bytes(range(256)) * 20_000  # 5 MB, past what is kept in memory
    made = upload(service, name="big.bin", content=io.BytesIO(content))
    assert made.bytes == len(content)
    assert service.client.files.content(made.id).read() == content


def test_walk_over_pages_meets_every_file_once_newest_first(service):
    made = [upload(service, purpose="vision").id for _ in range(7)]
    walked = [f.id for f in service.client.files.list(limit=3, purpose="vision", order="desc")]
    assert [each for each in walked if each in made] == made[::-1]
    assert len(walked) == len(set(walked))
    back = [f.id for f in service.client.files.list(limit=3, purpose="vision", order="asc")]
    assert back == walked[::-1]


def test_cursor_of_a_deleted_file_keeps_its_place(service):
    made = [upload(service, purpose="batch").id for _ in range(4)]
    service.client.files.delete(made[2])
    page = service.client.files.list(purpose="batch", after=made[2], limit=1)
    assert [file.id for file in page.data] == [made[1]]


def test_cursor_that_was_never_issued_is_refused(service):
    error = refused(service.raw.get("/v1/files", params={"after": "file-never"}), 400)
    assert (error["code"], error["param"]) == ("invalid_value", "after")


FILE = ("file", ("a.txt", b"text"))
PURPOSE = ("purpose", (None, "assistants"))


@pytest.mark.parametrize(
    ("parts", "code", "param"),
    [
        ([FILE], "missing_required_parameter", "purpose"),
        ([PURPOSE], "missing_required_parameter", "file"),
        ([PURPOSE, ("file", (None, "text"))], "invalid_type", "file"),
        ([FILE, PURPOSE, ("colour", (None, "red"))], "unknown_parameter", "colour"),
        ([FILE, ("purpose", (None, "x"))], None, "purpose"),
        ([PURPOSE, ("file", ("a.txt", b""))], None, "file"),
        ([FILE, FILE, PURPOSE], None, None),
        ([FILE, ("purpose", ("p.txt", b"assistants"))], None, None),
        (
            [FILE, PURPOSE, ("expires_after[seconds]", (None, "3600"))],
            "missing_required_parameter",
            "expires_after.anchor",
        ),
        (
            [
                FILE,
                PURPOSE,
                ("expires_after[anchor]", (None, "created_at")),
                ("expires_after[seconds]", (None, "1")),
            ],
            "integer_below_min_value",
            "expires_after.seconds",
        ),
    ],
)
def test_bad_forms_are_refused(service, parts, code, param):
    error = refused(service.raw.post("/v1/files", files=parts), 400)
    assert (error["code"], error["param"]) == (code, param)


def test_bad_purpose_has_the_files_services_words(service):
    reply = service.raw.post("/v1/files", files=[FILE, ("purpose", (None, "x"))])
    assert reply.json()["error"]["message"] == (
        "'x' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] "
        "- 'purpose'"
    )


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("text/plain", 415),
        (None, 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=zz", 400),
    ],
)
def test_what_is_not_a_form_is_refused(service, content_type, status):
    headers = {"content-type": content_type} if content_type else {}
    refused(service.raw.post("/v1/files", content=b"{}", headers=headers), status)


def test_no_body_at_all_lacks_the_file(service):
    error = refused(service.raw.post("/v1/files"), 400)
    assert (error["code"], error["param"]) == ("missing_required_parameter", "file")


def test_form_that_breaks_off_is_refused(service):
    body = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    refused(service.raw.post("/v1/files", content=body, headers=headers), 400)
