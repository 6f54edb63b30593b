"""No parser opens the network or a file outside its input, whatever the input refers to."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from packages import NAMESPACES, book, zipped

import ingest
from ingest.sandbox import Limits, Sandbox
from retrieval.errors import FileFailed

SECRET = "the-secret-outside"
ROOT = Path(ingest.__file__).parent.parent


@pytest.fixture
def listener():
    """A port of this machine and the list of connections that came to it."""
    came: list[tuple[str, int]] = []
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    closing = threading.Event()

    def listen() -> None:
        while not closing.is_set():
            try:
                connection, address = server.accept()
            except TimeoutError:
                continue
            came.append(address)
            connection.close()

    thread = threading.Thread(target=listen)
    thread.start()
    yield server.getsockname()[1], came
    closing.set()
    thread.join()
    server.close()


def references(url: str) -> dict[str, bytes]:
    """Files of every XML-like format that refer to `url` in all the ways the format knows."""
    entity = (
        f'<!DOCTYPE d SYSTEM "{url}" [<!ENTITY x SYSTEM "{url}"><!ENTITY % p SYSTEM "{url}"> %p;]>'
    )
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{url}" parse="text"/>'
    page = (
        f'<html><head><base href="{url}"><link rel="stylesheet" href="{url}"><script src="{url}">'
        f'</script><meta http-equiv="refresh" content="0;url={url}"></head><body><p>own text</p>'
        f'<iframe src="{url}"></iframe><img src="{url}"><object data="{url}"></object>{include}'
        "</body></html>"
    )
    style = f'<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="{url}"?>{entity}'
    document = (
        f"{entity}<document><body><p><r><t>own text &x;</t></r></p>{include}</body></document>"
    )
    outside = (
        f'<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="{url}" '
        f'TargetMode="External"/><Relationship Id="r2" Type="x/header" Target="{url}"/>'
        "</Relationships>"
    )
    odf = (
        f"{entity}<office:document-content {NAMESPACES}><office:body><office:text>"
        f"<text:p>own text &x;</text:p>{include}</office:text></office:body>"
        "</office:document-content>"
    )
    item = f'<item id="out" href="{url}" media-type="application/xhtml+xml"/>'
    mail = (
        f"Subject: own text\nContent-Type: message/external-body; access-type=URL; URL={url}\n\n"
    )
    return {
        "a.html": page.encode(),
        "a.xml": f"{style}<a>{include}<b>own text &x;</b></a>".encode(),
        "a.docx": zipped({
            "word/document.xml": document,
            "_rels/.rels": outside,
            "word/_rels/document.xml.rels": outside,
        }),
        "a.odt": zipped({
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": odf,
        }),
        "a.epub": book({"one": f"{entity}{page}", "two": "own text"}, opf_extra=item),
        "a.eml": mail.encode() + page.encode(),
        "a.svg.xml": f'{entity}<svg><image href="{url}"/><text>own text &x;</text></svg>'.encode(),
        "a.rtf": rb'{\rtf1 own text {\field{\*\fldinst INCLUDETEXT "' + url.encode() + b'"}}}',
        "a.md": f"own text ![x]({url}) <img src='{url}'>".encode(),
        "a.ipynb": b'{"cells": [{"cell_type": "markdown", "source": "own text ![x]('
        + url.encode() + b')"}]}',
        "a.tex": rb"own text \input{" + url.encode() + b"}",
        "a.rst": f"own text\n\n.. include:: {url}\n\n.. raw:: html\n   :url: {url}\n".encode(),
    }  # fmt: skip


def outcome(sandbox: Sandbox, path: Path, name: str) -> str:
    """The file's text, or why it has none."""
    try:
        text = sandbox.parse(path, filename=name, limits=Limits(seconds=20)).text
    except FileFailed as error:
        return str(error)
    assert "own text" in text
    return text


def test_listener_hears_who_comes(listener):
    port, came = listener
    socket.create_connection(("127.0.0.1", port)).close()
    for _ in range(100):
        if came:
            return
        time.sleep(0.02)
    raise AssertionError("nobody heard")


@pytest.mark.parametrize("name", references("x"))
def test_nothing_that_a_file_refers_to_is_read(tmp_path, listener, name):
    port, came = listener
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    own = tmp_path / "own"
    with Sandbox() as sandbox:
        for url in (f"http://127.0.0.1:{port}/x", secret.as_uri(), str(secret)):
            own.write_bytes(references(url)[name])
            text = outcome(sandbox, own, name)
            assert SECRET not in text
            assert "crash" not in text
    assert came == []


def confined(code: str, *arguments: str) -> str:
    """What a confined process prints that may read its first argument."""
    lead = "import sys\nfrom ingest.confine import Confinement\nlock = Confinement()\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{lead}lock.allow(sys.argv[1])\n{code}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return done.stdout + done.stderr.rsplit("\n", 2)[-2] if done.stderr else done.stdout


def test_the_input_and_the_code_can_be_read(tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("own text")
    code = "import lxml.etree, pypdf, wave\nprint(open(sys.argv[1]).read())"
    assert confined(code, str(own)) == "own text\n"


@pytest.mark.parametrize(
    "code",
    [
        "open(sys.argv[2])",
        "import os; os.open(sys.argv[2], os.O_RDONLY)",
        "open(sys.argv[1], 'a')",
        "open(sys.argv[1] + '.new', 'w')",
        "lock.allow(sys.argv[2]); open(sys.argv[1])",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.fork()",
    ],
)
def test_everything_else_is_refused(tmp_path, code):
    own, other = tmp_path / "own.txt", tmp_path / "other.txt"
    own.write_text("own text")
    other.write_text(SECRET)
    printed = confined(code, str(own), str(other))
    assert printed.startswith("PermissionError: ")
    assert own.read_text() == "own text"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.txt", "own.txt"]


def test_the_callers_folder_lends_no_modules(tmp_path):
    (tmp_path / "email.py").write_text("raise SystemExit('taken from the folder')")
    (tmp_path / "a.eml").write_text("From: x\nTo: y\nSubject: z\n\ntext")
    code = (
        "from pathlib import Path\nfrom ingest.sandbox import parse_in_child\n"
        "print(parse_in_child(Path('a.eml'), filename='a.eml').title)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "z\n"
