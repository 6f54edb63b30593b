"""safetensors → ONNX with 8-bit integer matrix products: faster, and close to the float32 graph.

Plain dynamic quantization takes one scale for a whole activation, so that a few channels of
large values cost all others their precision. Two things are done about it, from the largest
values that each channel takes on a calibration text:

- The inputs of attention and of the wide layer are divided channel by channel, and the rows of
  the weights multiplied by the same, so that large values move where every column has a scale of
  its own (SmoothQuant, https://arxiv.org/abs/2211.10438).
- After the GELU one or two channels in 1,536 reach five times as far as the rest and carry nine
  tenths of the error. The `_N_OUTLIERS` furthest are left out of the integer product and computed in
  float32, as two thin products of their own (as LLM.int8() does, https://arxiv.org/abs/2208.07339).

Weights are signed, symmetric, with a scale a column. Measured in docs/decisions/0012.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.model_graph import (
    FUSED,
    BertShape,
    Graph,
    Weights,
    add_and_norm,
    build,
    float_matmul,
    packed_attention,
)

if TYPE_CHECKING:
    from onnx import ModelProto

_SMOOTHING = 0.7  # how much of a channel's reach moves into the weights; best of 0.3-0.85
_N_OUTLIERS = 16
# Processors without VNNI add products in pairs of 16 bits, which overflow where codes are large on
# both sides. With weights of up to 127 the worst product would be off by a sixth, with 96 it is by
# under a hundredth. After the GELU codes are small, as nearly all values are, and 127 is safe.
_MAX_CODE = 96
_MAX_CODE_AFTER_GELU = 127
_LEAST = np.float32(1e-5)

# The largest absolute value of each channel of a tensor, by the tensor's name in the float graph.
Peaks = Mapping[str, NDArray[np.float32]]


def peaks(weights: Weights, shape: BertShape, texts: Sequence[Sequence[int]]) -> Peaks:
    """How far each channel goes while the float32 model reads `texts`, given as token ids."""
    import onnxruntime  # noqa: PLC0415  only preparing needs it here

    names = [name for layer in range(shape.n_layers) for name in _watched(layer)]
    model = build(weights, shape, outputs=names).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found: dict[str, NDArray[np.float32]] = {}
    for ids in texts:
        values = session.run(names, {"ids": np.array([ids], dtype=np.int32)})
        for name, value in zip(names, values, strict=True):
            highest = np.abs(value[0]).max(axis=0)
            found[name] = np.maximum(found.get(name, highest), highest)
    return found


def build_int8(weights: Weights, shape: BertShape, *, reach: Peaks) -> ModelProto:
    """The graph with integer products in all layers; same input and output as the float one."""
    return build(weights, shape, layer=_Int8Layers(reach))


@dataclass(frozen=True, slots=True)
class _Int8Layers:
    """Makes transformer blocks, as `model_graph.float_layer` does."""

    reach: Peaks

    def __call__(
        self, graph: Graph, weights: Weights, shape: BertShape, layer: int, hidden: str
    ) -> str:
        at = f"encoder.layer.{layer}"
        attended = self._attention(graph, weights, shape, layer=layer, hidden=hidden)
        name = f"{at}.attention.output"
        attended = _product(graph, name, attended, weights[f"{name}.dense.weight"].T)
        hidden = add_and_norm(graph, weights, shape, name=name, parts=(attended, hidden))
        narrow = self._feed_forward(graph, weights, at=at, hidden=hidden)
        return add_and_norm(graph, weights, shape, name=f"{at}.output", parts=(narrow, hidden))

    def _attention(
        self, graph: Graph, weights: Weights, shape: BertShape, *, layer: int, hidden: str
    ) -> str:
        at = f"encoder.layer.{layer}"
        weight, bias = packed_attention(weights, at)
        smooth, weight = self._smoothed(graph, hidden, weight)
        name = f"{at}.qkv"
        codes, scale, zero = _quantized(graph, name, weight, most=_MAX_CODE)
        parts = [f"{name}.{part}" for part in ("codes", "code_scale", "code_zero")]
        graph.add_node("DynamicQuantizeLinear", [smooth], parts)
        bias_name = graph.constant(f"{name}.bias", bias)
        return graph.add(
            "QAttention",
            [parts[0], codes, bias_name, parts[1], scale, "", parts[2], zero],
            f"{at}.attended",
            domain=FUSED,
            num_heads=shape.n_heads,
        )

    def _feed_forward(self, graph: Graph, weights: Weights, *, at: str, hidden: str) -> str:
        order = np.argsort(-self.reach[f"{at}.gelu"], kind="stable")
        far, near = np.sort(order[:_N_OUTLIERS]), np.sort(order[_N_OUTLIERS:])
        widen = weights[f"{at}.intermediate.dense.weight"].T
        narrow = weights[f"{at}.output.dense.weight"].T
        bias = weights[f"{at}.intermediate.dense.bias"]
        smooth, smoothed = self._smoothed(graph, hidden, widen[:, near])
        wide = _product(graph, f"{at}.wide", smooth, smoothed)
        wide = _gelu(graph, f"{at}.near", wide, bias[near])
        outer = float_matmul(graph, f"{at}.far.wide", hidden, widen[:, far])
        outer = _gelu(graph, f"{at}.far", outer, bias[far])
        parts = [
            _product(graph, f"{at}.narrow", wide, narrow[near], most=_MAX_CODE_AFTER_GELU),
            float_matmul(graph, f"{at}.far.narrow", outer, narrow[far]),
        ]
        return graph.add("Add", parts, f"{at}.narrowed")

    def _smoothed(
        self, graph: Graph, hidden: str, weight: NDArray[np.float32]
    ) -> tuple[str, NDArray[np.float32]]:
        """The same product with its input's channels evened out."""
        reach = np.maximum(self.reach[hidden], _LEAST)
        rows = np.maximum(np.abs(weight).max(axis=1), _LEAST)
        factors = (reach**_SMOOTHING / rows ** (1 - _SMOOTHING)).astype(np.float32)
        name = f"{hidden}.factors.{weight.shape[1]}"
        smooth = graph.add("Mul", [hidden, graph.constant(name, 1 / factors)], f"{name}.smooth")
        return smooth, weight * factors[:, None]


def _product(
    graph: Graph, name: str, hidden: str, weight: NDArray[np.float32], *, most: int = _MAX_CODE
) -> str:
    """`hidden` times `weight` in integers; the activation's scale is found as it runs."""
    inputs = [hidden, *_quantized(graph, name, weight, most=most)]
    return graph.add("DynamicQuantizeMatMul", inputs, f"{name}.product", domain=FUSED)


def _quantized(
    graph: Graph, name: str, weight: NDArray[np.float32], *, most: int
) -> tuple[str, str, str]:
    """Constants: codes of `weight` from -`most` to `most`, a scale a column, zero points."""
    scale = np.maximum(np.abs(weight).max(axis=0), _LEAST) / np.float32(most)
    codes = np.rint(weight / scale).astype(np.int8)
    return (
        graph.constant(f"{name}.weight", codes),
        graph.constant(f"{name}.scale", scale.astype(np.float32)),
        graph.constant(f"{name}.zero", np.zeros(scale.shape, dtype=np.int8)),
    )


def _gelu(graph: Graph, name: str, wide: str, bias: NDArray[np.float32]) -> str:
    inputs = [wide, graph.constant(f"{name}.bias", bias)]
    return graph.add("BiasGelu", inputs, f"{name}.gelu", domain=FUSED)


def _watched(layer: int) -> tuple[str, str, str]:
    """Tensors of the float graph whose reach a block of ours asks for."""
    before = "embedded" if layer == 0 else f"encoder.layer.{layer - 1}.output.normed"
    at = f"encoder.layer.{layer}"
    return before, f"{at}.attention.output.normed", f"{at}.gelu"
