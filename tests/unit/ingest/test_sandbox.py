import io
import os
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ingest
from ingest.parse import parse
from ingest.parse.parts import joined
from ingest.sandbox import Limits, Sandbox, _request, parse_in_child
from retrieval.errors import Encrypted, NoText, OverBudget, Unreadable, UnsupportedFile


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as open_sandbox:
        yield open_sandbox


def written(folder: Path, content: bytes | str, name: str = "blob") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def bomb(n_bytes: int) -> bytes:
    """A small DOCX whose only part unpacks to `n_bytes`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", b"<d><body>" + b"<p><t>xx</t></p>" * (n_bytes // 16))
    return buffer.getvalue()


def test_document_is_the_same_as_without_a_child(sandbox, tmp_path):
    path = written(tmp_path, "# Title\n\nText with ümlauts.\n\n| a | b |\n")
    assert sandbox.parse(path, filename="a.md") == parse(path, filename="a.md")


@pytest.mark.parametrize(
    ("content", "filename", "kind"),
    [
        (b" \n", "a.txt", NoText),
        (b"%PDF-1.4 broken", "a.pdf", Unreadable),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            Encrypted,
        ),
    ],
)
def test_failure_crosses_with_class_and_message(sandbox, tmp_path, content, filename, kind):
    path = written(tmp_path, content)
    with pytest.raises(kind) as direct:
        parse(path, filename=filename)
    with pytest.raises(kind) as crossed:
        sandbox.parse(path, filename=filename)
    assert str(crossed.value) == str(direct.value)


def test_unsupported_type_crosses_with_its_field(sandbox, tmp_path):
    path = written(tmp_path, b"%!PS-Adobe-3.0")
    with pytest.raises(UnsupportedFile, match="Convert it to PDF and add that") as caught:
        sandbox.parse(path, filename="a.ps")
    assert caught.value.media_type == "application/postscript"


def test_error_that_no_parser_meant_fails_the_file_and_is_logged_without_its_text(
    sandbox, tmp_path, caplog
):
    with pytest.raises(Unreadable, match="crash"):
        sandbox.parse(tmp_path, filename="a.txt")  # a folder: reading it raises
    assert [record.message for record in caplog.records] == ["parser_crashed"]
    assert caplog.records[0].crash.startswith("IsADirectoryError at ")


def test_missing_file_is_the_callers_error(sandbox, tmp_path):
    with pytest.raises(FileNotFoundError):
        sandbox.parse(tmp_path / "missing", filename="a.txt")


def test_healthy_child_is_used_again(tmp_path):
    path = written(tmp_path, "text")
    with Sandbox() as sandbox:
        sandbox.parse(path, filename="a.txt")
        child = sandbox._child
        sandbox.parse(path, filename="a.txt")
        assert sandbox._child is child


def test_killed_child_fails_the_file_and_the_next_one_gets_a_new_child(tmp_path):
    path = written(tmp_path, "text")
    with Sandbox() as sandbox:
        sandbox.parse(path, filename="a.txt")
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)  # reading it keeps the child busy until it is killed
        killer = threading.Timer(0.3, sandbox._child.kill)
        killer.start()
        with pytest.raises(Unreadable, match="crash"):
            sandbox.parse(fifo, filename="a.txt", limits=Limits(seconds=30))
        assert sandbox.parse(path, filename="a.txt").text == "text"


def test_hang_ends_at_the_time_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.sandbox._GRACE_S", 0.2)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # nobody writes: the read never ends and takes no processor time
    with Sandbox() as sandbox, pytest.raises(OverBudget, match=r"0\.3 seconds") as caught:
        sandbox.parse(fifo, filename="a.txt", limits=Limits(seconds=0.3))
    assert (caught.value.what, caught.value.limit) == ("seconds", 0.3)


def test_busy_loop_ends_at_the_processor_limit(tmp_path):
    path = written(tmp_path, bomb(80_000_000))
    with Sandbox() as sandbox, pytest.raises(OverBudget, match="seconds"):
        sandbox.parse(path, filename="a.docx", limits=Limits(seconds=1, memory_bytes=8 << 30))


def test_memory_bomb_ends_at_the_memory_limit(tmp_path):
    path = written(tmp_path, bomb(80_000_000))
    with Sandbox() as sandbox:
        with pytest.raises(OverBudget, match="memory"):
            sandbox.parse(path, filename="a.docx", limits=Limits(memory_bytes=32 << 20))
        assert sandbox.parse(written(tmp_path, "text"), filename="a.txt").text == "text"


def test_too_much_text_is_refused(sandbox, tmp_path):
    path = written(tmp_path, "word " * 1000)
    with pytest.raises(OverBudget, match="100 characters of text"):
        sandbox.parse(path, filename="a.txt", limits=Limits(text_chars=100))


def test_threads_share_one_child_and_get_their_own_documents(sandbox, tmp_path):
    paths = [written(tmp_path, f"text {n}", f"blob{n}") for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: sandbox.parse(path, filename="a.txt").text, paths))
    assert found == [f"text {n}" for n in range(40)]


def test_works_from_a_script_without_a_main_guard(tmp_path):
    path = written(tmp_path, "from a script")
    script = written(
        tmp_path,
        "from pathlib import Path\n"
        "from ingest.sandbox import parse_in_child\n"
        f"print(parse_in_child(Path({str(path)!r}), filename='a.txt').text)\n",
        "script.py",
    )
    root = Path(ingest.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert done.stdout == "from a script\n"


def test_shared_child_parses_too(tmp_path):
    assert parse_in_child(written(tmp_path, "shared"), filename="a.txt").text == "shared"


def test_child_does_not_load_what_only_other_stages_need():
    code = (
        "import sys, ingest.sandbox\n"
        "heavy = {'onnxruntime', 'tokenizers', 'faiss', 'fastapi', 'openpyxl', 'pypdfium2', 'lxml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(ingest.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "[]\n"


# --- parts of a long text ---------------------------------------------------------------------


def long_text(n_chars: int) -> str:
    line = "1. A heading of sorts\n\nWords of a paragraph, \u00e4 and all.\nIts second line.\n\n"
    return line * (n_chars // len(line))


def test_a_long_text_comes_in_parts_that_make_the_same_document(sandbox, tmp_path):
    path = written(tmp_path, long_text(5_000_000))
    parts = list(sandbox.parse_parts(path, filename="a.txt"))
    assert len(parts) > 1
    assert max(len(part.text) for part in parts) < 4_000_000
    whole = joined(parts)
    assert whole == parse(path, filename="a.txt")
    assert whole.text == long_text(5_000_000)
    lines = whole.text.split("\n")
    for block in (whole.blocks[0], whole.blocks[len(whole.blocks) // 2], whole.blocks[-1]):
        text = whole.text[block.start_char : block.end_char]
        assert text.split("\n")[0] == lines[block.place.first_line - 1]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_a_long_text_in_another_encoding_is_the_same_text(sandbox, tmp_path, encoding):
    text = long_text(3_000_000)
    path = written(tmp_path, text.replace("\n", "\r\n").encode(encoding))
    assert sandbox.parse(path, filename="a.txt").text == text


def test_a_long_text_that_turns_binary_has_no_text(sandbox, tmp_path):
    path = written(tmp_path, b"text " * 500_000 + bytes(range(32)) * 50_000)
    with pytest.raises(Unreadable, match="not look like text"):
        sandbox.parse(path, filename="a.txt")


def test_a_line_without_an_end_or_a_space_is_read(sandbox, tmp_path):
    path = written(tmp_path, "x" * 5_000_000)
    assert sandbox.parse(path, filename="a.txt").text == "x" * 5_000_000


def test_parts_beyond_the_limit_fail_the_file(sandbox, tmp_path):
    path = written(tmp_path, long_text(6_000_000))
    parts = sandbox.parse_parts(path, filename="a.txt", limits=Limits(text_chars=4_000_000))
    with pytest.raises(OverBudget, match="characters of text"):
        list(parts)


def test_parts_left_unread_cost_the_child_and_no_more(tmp_path):
    path, short = written(tmp_path, long_text(8_000_000)), written(tmp_path, "short", "short")
    with Sandbox() as sandbox:
        parts = sandbox.parse_parts(path, filename="a.txt")
        next(parts)
        parts.close()
        assert sandbox.parse(short, filename="a.txt").text == "short"


def test_a_long_file_has_a_second_more_for_every_megabyte(tmp_path):
    path = written(tmp_path, "x" * 3_000_000)
    assert _request(path, {}, Limits(seconds=10))["seconds"] == 13.0


# --- what a library may do to its process -------------------------------------------------------

CRASHES = {
    "segmentation fault": "import ctypes; ctypes.string_at(0)",
    "abort": "import os; os.abort()",
    "exit": "import os; os._exit(0)",
    "stack overflow in C": (
        "import ctypes\n"
        "hit = ctypes.CFUNCTYPE(None)(lambda: hit())\n"
        "import sys; sys.setrecursionlimit(10**9); hit()"
    ),
    "a lie in the frames": "import os; os.write(3, b'\\xff' * 64)\nwhile True: os.write(3, b'x' * 64)",
}


@pytest.mark.parametrize("code", CRASHES.values(), ids=CRASHES)
def test_a_native_crash_costs_one_file(tmp_path, monkeypatch, code):
    """A parser that does it: the child's own module with one parser put in the place of another."""
    broken = written(
        tmp_path,
        "import ingest.parse, ingest.parser_process as process\n"
        "def parts(path, filename):\n"
        f"    if filename == 'broken.txt':\n        exec({code!r}, {{}})\n"
        "    return ingest.parse.parse_parts(path, filename=filename)\n"
        "process.parse_parts = parts\n"
        "process._serve()\n",
        "broken_parser.py",
    )
    start = subprocess.Popen

    def swapped(command, **others):
        return start([command[0], "-P", str(broken)], **others)

    monkeypatch.setattr("ingest.sandbox.subprocess.Popen", swapped)
    path = written(tmp_path, "text")
    with Sandbox() as sandbox:
        assert sandbox.parse(path, filename="a.txt").text == "text"
        with pytest.raises(Unreadable, match="crash"):
            sandbox.parse(path, filename="broken.txt", limits=Limits(seconds=20))
        assert sandbox.parse(path, filename="a.txt").text == "text"
