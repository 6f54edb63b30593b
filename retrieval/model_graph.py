"""safetensors → ONNX: the embedding model as a graph of ONNX Runtime's fused operators.

Written straight from the weights, so that nobody needs PyTorch to prepare a model. The graph
is what ONNX Runtime's own transformer optimizer makes of an exported BERT: attention with
packed query, key and value, bias folded into the GELU (the exact one, by erf) and into the
layer normalisation, and pooling inside, so that one row per text comes out.

Input ``ids``, int32 (n_texts, n_tokens): texts of equal length, so there is no padding and nothing
to mask, which saves the attention a tenth of the model's time. Output ``vectors``, float32
(n_texts, dim), unit rows.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import CorruptStore

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

GRAPH_VERSION = 2  # in the prepared folder's name: raise it when the graph changes
GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.bin"

FUSED = "com.microsoft"
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
class Graph:
    """Nodes and constants while they are put together."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, kind: str, inputs: list[str], output: str, **options: Any) -> str:
        """Append a node with one output and return that output's name."""
        self.add_node(kind, inputs, [output], **options)
        return output

    def add_node(self, kind: str, inputs: list[str], outputs: list[str], **options: Any) -> None:
        """Append a node with any number of outputs."""
        from onnx import helper  # noqa: PLC0415  half a second that only preparing needs

        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **options))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Keep an array under a name and return the name."""
        self.constants[name] = np.ascontiguousarray(values)
        return name


# Adds block `layer` on top of the tensor `hidden` and returns the name of its output.
Layer = Callable[[Graph, Weights, "BertShape", int, str], str]


def prepare(
    source: Path, folder: Path, *, sha256: str, make: Callable[[Weights], ModelProto]
) -> None:
    """Write the graph `make` gives of the weights in `source`; it appears whole or not at all.

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
        _write(make(_read(source)), scratch)
        _move_into_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def build(
    weights: Weights,
    shape: BertShape,
    *,
    layer: Layer | None = None,
    outputs: Sequence[str] = ("vectors",),
) -> ModelProto:
    """The graph of a BERT with mean pooling.

    Args:
        weights: under the names transformers gives them.
        shape: what they do not say.
        layer: makes one transformer block; by default in float32.
        outputs: tensors to give out, the first of them (n_texts, dim).
    """
    graph = Graph()
    hidden = _embedding(graph, weights, shape)
    for number in range(shape.n_layers):
        hidden = (layer or float_layer)(graph, weights, shape, number, hidden)
    _pooling(graph, hidden)
    return _model(graph, outputs)


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_N_HASHED_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _embedding(graph: Graph, weights: Weights, shape: BertShape) -> str:
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


def _embed_node(graph: Graph, inputs: list[str], epsilon: float) -> str:
    from onnx import helper  # noqa: PLC0415

    graph.nodes.append(
        helper.make_node(
            "EmbedLayerNormalization",
            inputs,
            ["embedded", "unused_mask_index"],  # the operator insists on its second output
            domain=FUSED,
            epsilon=epsilon,
        )
    )
    return "embedded"


def float_layer(graph: Graph, weights: Weights, shape: BertShape, layer: int, hidden: str) -> str:
    """One transformer block: attention, then the feed-forward part, each added and normalised."""
    at = f"encoder.layer.{layer}"
    weight, bias = packed_attention(weights, at)
    qkv = graph.constant(f"{at}.qkv.weight", weight)
    qkv_bias = graph.constant(f"{at}.qkv.bias", bias)
    attended = graph.add(
        "Attention",
        [hidden, qkv, qkv_bias],
        f"{at}.attended",
        domain=FUSED,
        num_heads=shape.n_heads,
    )
    attended = _dense(graph, weights, f"{at}.attention.output.dense", attended)
    hidden = add_and_norm(
        graph, weights, shape, name=f"{at}.attention.output", parts=(attended, hidden)
    )
    wide = _dense(graph, weights, f"{at}.intermediate.dense", hidden)
    wide_bias = graph.constant(f"{at}.wide.bias", weights[f"{at}.intermediate.dense.bias"])
    wide = graph.add("BiasGelu", [wide, wide_bias], f"{at}.gelu", domain=FUSED)
    narrow = _dense(graph, weights, f"{at}.output.dense", wide)
    return add_and_norm(graph, weights, shape, name=f"{at}.output", parts=(narrow, hidden))


def packed_attention(weights: Weights, at: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Query, key and value side by side: weights (dim, 3 dim) and biases (3 dim,)."""
    names = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
    return (
        np.concatenate([weights[f"{name}.weight"].T for name in names], axis=1),
        np.concatenate([weights[f"{name}.bias"] for name in names]),
    )


def float_matmul(graph: Graph, name: str, hidden: str, weight: NDArray[np.float32]) -> str:
    """`hidden` times `weight` (n_in, n_out)."""
    return graph.add(
        "MatMul", [hidden, graph.constant(f"{name}.weight", weight)], f"{name}.product"
    )


def _dense(graph: Graph, weights: Weights, name: str, hidden: str) -> str:
    """A dense layer's product; its bias goes into the operator after it."""
    return float_matmul(graph, name, hidden, weights[f"{name}.weight"].T)


def add_and_norm(
    graph: Graph, weights: Weights, shape: BertShape, *, name: str, parts: tuple[str, str]
) -> str:
    """LayerNorm(product + bias + what went in)."""
    product, skipped = parts
    scale, shift = _norm(graph, weights, f"{name}.LayerNorm")
    bias = graph.constant(f"{name}.dense.bias", weights[f"{name}.dense.bias"])
    return graph.add(
        "SkipLayerNormalization",
        [product, skipped, scale, shift, bias],
        f"{name}.normed",
        domain=FUSED,
        epsilon=shape.norm_epsilon,
    )


def _norm(graph: Graph, weights: Weights, name: str) -> tuple[str, str]:
    """The scale and shift of a layer normalisation, as constants."""
    scale = graph.constant(f"{name}.scale", weights[f"{name}.weight"])
    return scale, graph.constant(f"{name}.shift", weights[f"{name}.bias"])


def _pooling(graph: Graph, hidden: str) -> None:
    """Mean over the tokens, to unit length.

    The sum does for the mean: both point the same way, and only the direction is kept.
    """
    axis = graph.constant("axis.1", np.array([1], dtype=np.int64))
    graph.add("ReduceSum", [hidden, axis], "pooled", keepdims=0)
    graph.add("LpNormalization", ["pooled"], "vectors", axis=-1, p=2)


def _model(graph: Graph, outputs: Sequence[str]) -> ModelProto:
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    body = helper.make_graph(
        graph.nodes,
        "sentence_embedding",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, ["n_texts", "n_tokens"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in graph.constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(FUSED, 1)]
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
