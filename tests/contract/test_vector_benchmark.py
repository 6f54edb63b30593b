"""What the comparison with other engines rests on: its vectors, its filters, and our adapter."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import vector_data
import vectors
from engines import load
from vector_data import VectorSet, filter_for

N, DIM = 12_000, 32


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Clusters along axes of falling weight, as embeddings have them."""
    rng = np.random.default_rng(3)
    spread = (1 / np.sqrt(np.arange(1, DIM + 1))).astype(np.float32)
    centres = rng.standard_normal((60, DIM), dtype=np.float32) * spread
    rows = np.repeat(centres, 40, axis=0)
    rows += 0.6 * rng.standard_normal(rows.shape, dtype=np.float32) * spread
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked = rows[rng.permutation(len(rows))[:200]] + 0.1
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    folder = tmp_path_factory.mktemp("keep") / "real"
    vector_data._write(folder, rows, np.full(len(rows) // 8, 8), asked.astype(np.float32))
    return vector_data.load(folder)


@pytest.fixture(scope="module")
def made(real, tmp_path_factory) -> VectorSet:
    return vector_data.make(tmp_path_factory.mktemp("made"), N, real=real)


def test_made_vectors_are_unit_and_of_their_files(made):
    assert made.vectors.shape == (N, DIM)
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-5)
    assert made.file_n_windows.min() >= 1
    assert made.file_n_windows.sum() == N


def test_the_same_seed_gives_the_same_vectors(real, made, tmp_path):
    again = vector_data.make(tmp_path, N, real=real)
    assert np.array_equal(again.vectors, made.vectors)


def test_made_vectors_keep_the_spectrum(real, made):
    before, after = (vector_data.statistics_of(each, n_sample=2000) for each in (real, made))
    assert after["spectrum: first 10 axes"] == pytest.approx(
        before["spectrum: first 10 axes"], abs=0.1
    )


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("kind", ["random", "near", "far"])
def test_filters_leave_the_share_they_say(made, kind, share):
    wanted = filter_for(kind, share, group=1)
    kept = wanted.keeps(made.of_windows(wanted.attribute)).mean()
    assert kept == pytest.approx(share, abs=0.1 * share + 60 / N)


def test_near_files_are_nearer_than_far_ones(made):
    asked = made.queries[made.group == 0].mean(axis=0)
    sims = made.vectors @ asked
    near, far = (filter_for(kind, 0.1, group=0) for kind in ("near", "far"))
    mean = [sims[each.keeps(made.of_windows(each.attribute))].mean() for each in (near, far)]
    assert mean[0] > sims.mean() > mean[1]


def test_ours_finds_what_brute_force_finds_at_every_selectivity(made, tmp_path):
    engines = [load(name) for name in ("numpy", "sourcebook")]
    for i, engine in enumerate(engines):
        folder = tmp_path / str(i)
        folder.mkdir()
        engine.build(made, folder)
        engine.open(made, folder)
    truth = vectors._truth(made, range(20))
    for kind, share in vectors.levels(N):
        recalls = []
        for number in range(20):
            wanted = filter_for(kind, share, group=int(made.group[number]))
            exact, ours = (engine.search(made.queries[number], wanted, k=10) for engine in engines)
            assert len(exact) == len(ours) == len(set(ours.tolist()))
            assert truth.recall(number, exact.tolist(), kind=kind, share=share) == 1
            recalls.append(truth.recall(number, ours.tolist(), kind=kind, share=share))
        assert np.mean(recalls) >= 0.99


def test_recall_counts_what_is_found_and_what_the_filter_forbids(made):
    truth = vectors._truth(made, [0])
    best = np.argsort(-truth.sims[0])[:20].tolist()
    assert truth.recall(0, best[:10], kind="open", share=1.0) == 1
    assert truth.recall(0, [*best[:5], *best[15:]], kind="open", share=1.0) == 0.5
    wanted = filter_for("far", 0.5, group=int(made.group[0]))
    forbidden = np.flatnonzero(~wanted.keeps(made.of_windows(wanted.attribute)))[:10]
    assert truth.recall(0, forbidden.tolist(), kind="far", share=0.5) == 0
