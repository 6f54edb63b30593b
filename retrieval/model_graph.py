"""safetensors → ONNX: the embedding model as a graph of ONNX Runtime's fused operators.

Written straight from the weights, so that nobody needs PyTorch to prepare a model. The graph
is what ONNX Runtime's own transformer optimizer makes of an exported BERT: attention with
packed query, key and value, bias folded into the GELU (the exact one, by erf) and into the
layer normalisation, and pooling inside, so that one row per text comes out.

Inputs ``ids`` and ``mask``, both int32 (n_texts, n_tokens), mask 1 on tokens and 0 on padding;
output ``vectors``, float32 (n_texts, dim), unit rows.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import CorruptStore

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

GRAPH_VERSION = 1  # in the prepared folder's name: raise it when the graph changes
GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.bin"

_FUSED = "com.microsoft"
_OPSET = 17
_IR_VERSION = 8  # of ONNX 1.13, which has opset 17: old enough for every ONNX Runtime we allow
_N_HASHED_BYTES = 1 << 20

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class BertShape:
    """What the weights do not say of themselves, from the model's ``config.json``."""

    n_layers: int
    n_heads: int
    max_tokens: int  # positions kept, special tokens included
    norm_epsilon: float


@dataclass(slots=True)
class _Graph:
    """Nodes and constants while they are put together."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def add(self, kind: str, inputs: list[str], output: str, **options: Any) -> str:
        """Append a node with one output and return that output's name."""
        from onnx import helper  # noqa: PLC0415  half a second that only preparing needs

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **options))
        return output

    def constant(self, name: str, values: NDArray[np.float32]) -> str:
        """Keep an array under a name and return the name."""
        self.constants[name] = np.ascontiguousarray(values, dtype=np.float32)
        return name


def prepare(source: Path, folder: Path, *, sha256: str, shape: BertShape) -> None:
    """Write the graph of the weights in `source` into `folder`, which appears whole or not at all.

    Several processes may do it at once: each writes its own, the first to finish wins.
    On return the files are synced to disk.

    Raises:
        CorruptStore: the weights are not the ones with this hash.
    """
    found = file_sha256(source)
    if found != sha256:
        raise CorruptStore(str(source), expected=f"sha256 {sha256}", found=f"sha256 {found}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _write(build(_read(source), shape), scratch)
        _move_into_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def build(weights: Weights, shape: BertShape) -> ModelProto:
    """The graph of a BERT with mean pooling; `weights` under the names transformers gives them."""
    graph = _Graph()
    hidden = _embedding(graph, weights, shape)
    for layer in range(shape.n_layers):
        hidden = _layer(graph, weights, shape, layer=layer, hidden=hidden)
    _pooling(graph, hidden)
    return _model(graph, dim=weights["embeddings.word_embeddings.weight"].shape[1])


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_N_HASHED_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _embedding(graph: _Graph, weights: Weights, shape: BertShape) -> str:
    """Word + position + token type, normalised."""
    name = "embeddings"
    words = graph.constant("words", weights[f"{name}.word_embeddings.weight"])
    # All our tokens are of type 0, so its one row is added to every position beforehand.
    positions = weights[f"{name}.position_embeddings.weight"][: shape.max_tokens]
    places = graph.constant(
        "positions", positions + weights[f"{name}.token_type_embeddings.weight"][0]
    )
    scale, shift = _norm(graph, weights, f"{name}.LayerNorm")
    inputs = ["ids", "", words, places, "", scale, shift]
    return _embed_node(graph, inputs, shape.norm_epsilon)


def _embed_node(graph: _Graph, inputs: list[str], epsilon: float) -> str:
    from onnx import helper  # noqa: PLC0415

    graph.nodes.append(
        helper.make_node(
            "EmbedLayerNormalization",
            inputs,
            ["embedded", "unused_mask_index"],  # the operator insists on its second output
            domain=_FUSED,
            epsilon=epsilon,
        )
    )
    return "embedded"


def _layer(graph: _Graph, weights: Weights, shape: BertShape, *, layer: int, hidden: str) -> str:
    """One transformer block: attention, then the feed-forward part, each added and normalised."""
    at = f"encoder.layer.{layer}"
    packed = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
    qkv = graph.constant(
        f"{at}.qkv.weight",
        np.concatenate([weights[f"{name}.weight"].T for name in packed], axis=1),
    )
    qkv_bias = graph.constant(
        f"{at}.qkv.bias", np.concatenate([weights[f"{name}.bias"] for name in packed])
    )
    attended = graph.add(
        "Attention",
        [hidden, qkv, qkv_bias, "mask"],
        f"{at}.attended",
        domain=_FUSED,
        num_heads=shape.n_heads,
    )
    attended = _matmul(graph, weights, f"{at}.attention.output.dense", attended)
    hidden = _add_and_norm(
        graph, weights, shape, name=f"{at}.attention.output", parts=(attended, hidden)
    )
    wide = _matmul(graph, weights, f"{at}.intermediate.dense", hidden)
    wide_bias = graph.constant(f"{at}.wide.bias", weights[f"{at}.intermediate.dense.bias"])
    wide = graph.add("BiasGelu", [wide, wide_bias], f"{at}.gelu", domain=_FUSED)
    narrow = _matmul(graph, weights, f"{at}.output.dense", wide)
    return _add_and_norm(graph, weights, shape, name=f"{at}.output", parts=(narrow, hidden))


def _matmul(graph: _Graph, weights: Weights, name: str, hidden: str) -> str:
    """`hidden` times a dense layer's weight; its bias goes into the operator after it."""
    weight = graph.constant(f"{name}.weight", weights[f"{name}.weight"].T)
    return graph.add("MatMul", [hidden, weight], f"{name}.product")


def _add_and_norm(
    graph: _Graph, weights: Weights, shape: BertShape, *, name: str, parts: tuple[str, str]
) -> str:
    """LayerNorm(product + bias + what went in)."""
    product, skipped = parts
    scale, shift = _norm(graph, weights, f"{name}.LayerNorm")
    bias = graph.constant(f"{name}.dense.bias", weights[f"{name}.dense.bias"])
    return graph.add(
        "SkipLayerNormalization",
        [product, skipped, scale, shift, bias],
        f"{name}.normed",
        domain=_FUSED,
        epsilon=shape.norm_epsilon,
    )


def _norm(graph: _Graph, weights: Weights, name: str) -> tuple[str, str]:
    """The scale and shift of a layer normalisation, as constants."""
    scale = graph.constant(f"{name}.scale", weights[f"{name}.weight"])
    return scale, graph.constant(f"{name}.shift", weights[f"{name}.bias"])


def _pooling(graph: _Graph, hidden: str) -> None:
    """Mean over the tokens, to unit length.

    The sum does for the mean: both point the same way, and only the direction is kept.
    """
    graph.add("Cast", ["mask"], "mask.float", to=1)  # 1 is FLOAT
    graph.add("Unsqueeze", ["mask.float", "axis.1"], "mask.row")
    graph.add("MatMul", ["mask.row", hidden], "summed")
    graph.add("Squeeze", ["summed", "axis.1"], "pooled")
    graph.add("LpNormalization", ["pooled"], "vectors", axis=-1, p=2)


def _model(graph: _Graph, *, dim: int) -> ModelProto:
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    tokens = ["n_texts", "n_tokens"]
    constants = [numpy_helper.from_array(values, name) for name, values in graph.constants.items()]
    constants.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "axis.1"))
    body = helper.make_graph(
        graph.nodes,
        "sentence_embedding",
        [
            helper.make_tensor_value_info(name, TensorProto.INT32, tokens)
            for name in ("ids", "mask")
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n_texts", dim])],
        constants,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(
        body, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="sourcebook"
    )


def _read(source: Path) -> Weights:
    from safetensors.numpy import load_file  # noqa: PLC0415  only preparing needs it

    return load_file(source)


def _write(model: ModelProto, folder: Path) -> None:
    """Graph and weights in two files: the runtime maps the second instead of copying it."""
    import onnx  # noqa: PLC0415

    onnx.save_model(
        model,
        folder / GRAPH_FILE,
        save_as_external_data=True,
        location=WEIGHTS_FILE,
        size_threshold=1024,  # bytes; the runtime wants small constants inside the graph
    )
    for path in (*folder.iterdir(), folder):
        _sync(path)


def _move_into_place(scratch: Path, folder: Path) -> None:
    try:
        scratch.rename(folder)
    except OSError:  # renaming onto a folder with files fails: another process was first
        if not (folder / GRAPH_FILE).exists():
            raise
    else:
        _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
