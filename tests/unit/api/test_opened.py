"""What a data folder opens: the model once, however many threads ask first."""

import threading
from concurrent.futures import ThreadPoolExecutor

from api.engine import Engine
from api.settings import Settings


def test_the_model_is_loaded_once_by_many_threads(tmp_path):
    gate = threading.Barrier(8)
    with Engine.open(settings=Settings(data=tmp_path, embedder="hash")) as engine:

        def ask(_):
            gate.wait()
            return engine.embedder

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(8)))
    assert all(each is found[0] for each in found)
