"""Several processes on one queue: nothing is done twice, and any of them may be killed."""

import os
import random
import re
import subprocess
import sys
import time
from contextlib import closing, contextmanager

from test_kill import ROOT, assert_whole_or_absent, found, open_engine

from retrieval.types import PageRequest

N_KILLS = int(os.environ.get("SOURCEBOOK_SOAK_KILLS", "8"))

# Works on the queue, telling on stdout what it did, and how far it is many times a second.
WORKER = """
import logging
import sys
from pathlib import Path
from api.engine import Engine
from api.settings import Settings
from ingest import worker

worker._NOTE_S = worker._LOOK_S = 0.01
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
data, folder = sys.argv[1:3]
with Engine.open(settings=Settings(data=Path(data), embedder="hash"), work=not folder) as engine:
    if folder:
        engine.add(folder, store="s")
    else:
        sys.stdin.read()
"""


def notes(folder, count, *, n_sentences):
    """A folder of files, each with a word of its own."""
    folder.mkdir()
    for n in range(count):
        word = f"{folder.name}{n}x"
        text = f"# Note {n}\n\n" + f"The word of note {n} is {word}. " * n_sentences
        (folder / f"{folder.name}-{n}.md").write_text(text)
    return folder


@contextmanager
def working(data, folder=""):
    """A process that works on the queue; one without a folder does until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(data), str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_several_processes_share_the_work_and_do_none_of_it_twice(tmp_path):
    data = tmp_path / "data"
    folders = [notes(tmp_path / name, 40, n_sentences=300) for name in ("one", "two")]
    with closing(open_engine(data)) as engine:
        engine.create_vector_store(name="s")
    with working(data) as idle, working(data, folders[0]) as one, working(data, folders[1]) as two:
        told = [process.communicate(timeout=180)[0] for process in (one, two)]
        told.append(idle.communicate(timeout=60)[0])
    counts = [text.split().count("file_indexed") for text in told]
    assert sum(counts) == 80
    assert sum(text.split().count("job_lost") for text in told) == 0
    assert sum(count > 0 for count in counts) >= 2, "one process did it all"
    assert_all_found(data, {f"{folder.name}{n}x" for folder in folders for n in range(40)})


def test_any_of_several_processes_may_be_killed_at_any_moment(tmp_path):
    rng = random.Random(5)
    data = tmp_path / "data"
    folder = notes(tmp_path / "one", 60, n_sentences=1500)
    for n in range(N_KILLS):
        if n % 10 == 9:  # new work, so that the last kills still meet some
            for path in sorted(folder.iterdir()):
                path.write_text(path.read_text() + "\n\nAnd this as well.\n")
        with working(data) as idle, working(data, folder) as adding:
            time.sleep(rng.uniform(0.3, 2.0))
            for process in rng.sample([idle, adding], 2):
                process.kill()
                time.sleep(rng.uniform(0.0, 0.3))
        if (data / "sourcebook.db").exists():
            assert_whole_or_absent(data)
    with working(data, folder) as process:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert_all_found(data, {f"one{n}x" for n in range(60)})


def filename(word):
    """Of the file that has the word.

    >>> filename("one12x")
    'one-12.md'
    """
    return re.sub(r"([a-z]+)([0-9]+)x", r"\1-\2.md", word)


def assert_all_found(data, words):
    with closing(open_engine(data)) as engine:
        store = engine.resolve_store("s")
        assert store.counts.completed == store.counts.total == len(words)
        for word in sorted(words):
            assert found(engine, word, filename(word)) >= 1
        engine.store.sweep()
        with engine.store.read() as view:
            assert engine.store.blobs.names() == view.files.hashes()
            files = view.files.page(PageRequest(limit=1000), purpose=None).items
            assert len(files) == len(words)
            assert view.jobs.waiting() == 0
