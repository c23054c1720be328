"""The decoder as a graph of OpenVINO, made from the packed weights: vectors of some tokens in, logits out, keys and values stay inside.

Decisions. (1) It is written in OpenVINO's own operations, and not converted: a file of ONNX has no keys and values, GGUF is read by
OpenVINO GenAI only with a vocabulary that it knows, and every layout of ours has a graph, ``compact`` too. (2) What ``pack_weights`` fused,
folded and interleaved is taken as it is, in float32, so the two decoders cannot differ in what they mean. (3) Norms, attention and the
appending of keys and values are written in the shape in which OpenVINO finds them and has one kernel for each. That shape wants an index
of texts (``texts``, always 0) before new keys are appended. (4) Rotations and the mask come from outside, so that a stretched context is
the same graph. (5) int8 are the weights of our own int8, a scale a row, multiplied with activations in float32; bfloat16 rounds the
weights and multiplies in float32 too, on every processor in the same way.

Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1; the operations of openvino.opset15 (OpenVINO 2026.4).
"""

from typing import Any

import numpy as np
import torch

from makar.families.transformer.decoder import DecoderWeights, LayerWeights
from makar.families.transformer.integers import quantise
from makar.families.transformer.product import Product
from makar.families.transformer.quantised import BATCHED, Float32Product

INPUTS = ("vectors", "cosines", "sines", "mask", "texts", "wanted")


def decoder_graph(openvino: Any, weights: DecoderWeights, *, precision: str) -> Any:
    """Return the graph of a decoder.

    Its inputs are ``INPUTS``: vectors ``[1, length, width]`` float32, cosines and signed sines of the interleaved rotation
    ``[1, length, 1, head_width]``, what is added to the scores ``[1, 1, length, past + length]``, ``[0]`` int32, and the positions whose
    logits are wanted ``[wanted]`` int64. Its output is their logits ``[1, wanted, vocabulary]``.

    Args:
        openvino: The package.
        weights: Packed weights in float32 on the CPU.
        precision: Of ``quantised.PRECISIONS``; how many texts there are at once matters nothing here.
    """
    shape = weights.shape
    drawn = _Drawn(openvino, weights, precision)
    vectors = drawn.parameter("vectors", [1, -1, shape.width], np.float32)
    x = vectors
    for index, layer in enumerate(weights.layers):
        x = drawn.operation.add(x, drawn.attention(x, layer, index))
        x = drawn.operation.add(x, drawn.feed_forward(x, layer))
    wanted = drawn.parameter("wanted", [-1], np.int64)
    x = drawn.operation.gather(x, wanted, drawn.constant(np.int64(1)))
    logits = drawn.product(drawn.normed(x), weights.head)
    if shape.softcap:
        cap = drawn.constant(np.float32(shape.softcap))
        logits = drawn.operation.multiply(drawn.operation.tanh(drawn.operation.divide(logits, cap)), cap)
    parameters = [drawn.parameters[name] for name in INPUTS]
    return openvino.Model([drawn.operation.result(logits)], drawn.appended, parameters, "decoder")


class _Drawn:
    """A graph in the making.

    Args:
        openvino: The package.
        weights: Packed weights.
        precision: Number format of the matrices.
    """

    def __init__(self, openvino: Any, weights: DecoderWeights, precision: str) -> None:
        self.operation = openvino.opset15
        self.parameters: dict[str, Any] = {}
        self.appended: list[Any] = []
        self._openvino = openvino
        self._shape = weights.shape
        self._precision = precision
        # Neighbours share a plane.
        self._swapped = self.constant(np.arange(self._shape.head_width) ^ 1)
        self._turns = [
            self.parameter(name, [1, -1, 1, self._shape.head_width], np.float32) for name in ("cosines", "sines")
        ]
        self._mask = self.parameter("mask", [1, 1, -1, -1], np.float32)
        self._texts = self.parameter("texts", [1], np.int32)

    def parameter(self, name: str, sizes: list[int], kind: type) -> Any:
        """Return an input; -1 is any size."""
        made = self.parameters[name] = self.operation.parameter(sizes, kind, name)
        made.output(0).set_names({name})
        return made

    def constant(self, values: Any) -> Any:
        """Return a constant of the type of the values."""
        return self.operation.constant(np.ascontiguousarray(values))

    def integers(self, *values: int) -> Any:
        """Return a row of int64."""
        return self.constant(np.array(values, dtype=np.int64))

    def normed(self, x: Any) -> Any:
        """Return vectors whose mean square is 1."""
        operation = self.operation
        square = operation.power(x, self.constant(np.float32(2)))
        mean = operation.reduce_mean(square, self.integers(-1), keep_dims=True)
        root = operation.sqrt(operation.add(mean, self.constant(np.float32(self._shape.norm_epsilon))))
        return operation.multiply(x, operation.divide(self.constant(np.float32(1)), root))

    def product(self, x: Any, packed: Product) -> Any:
        """Return the product with a matrix in the number format of the graph."""
        assert isinstance(packed, Float32Product), "weights that are packed in float32"
        weight = packed.transposed.t()
        if self._precision == "int8":
            numbers, scale = quantise(weight)
            plain = self.operation.convert(self.constant(numbers.numpy()), self._openvino.Type.f32)
            matrix = self.operation.multiply(plain, self.constant(scale[:, None].numpy()))
        else:
            kept = weight if self._precision in ("float32", BATCHED) else weight.to(torch.bfloat16).float()
            matrix = self.constant(kept.numpy())
        return self.operation.matmul(x, matrix, False, True)

    def attention(self, x: Any, layer: LayerWeights, index: int) -> Any:
        """Return what the attention of a layer adds to the stream."""
        operation, shape = self.operation, self._shape
        heads, shared, size = shape.heads, shape.key_value_heads, shape.head_width
        projected = self.product(self.normed(x), layer.attend)
        if layer.bias is not None:
            projected = operation.add(projected, self.constant(layer.bias.numpy()))
        by_head = operation.reshape(projected, self.integers(0, 0, heads + 2 * shared, size), True)
        axis = self.constant(np.int64(2))
        turning, values = operation.variadic_split(by_head, axis, self.integers(heads + shared, shared)).outputs()
        if shape.normed:
            turning = self.normed(turning)
        turning = operation.multiply(turning, self.constant(layer.gain.numpy()))
        swapped = operation.gather(turning, self._swapped, self.constant(np.int64(3)))
        cosines, sines = self._turns
        turned = operation.add(operation.multiply(turning, cosines), operation.multiply(swapped, sines))
        queries, keys = operation.variadic_split(turned, axis, self.integers(heads, shared)).outputs()
        order = self.integers(0, 2, 1, 3)
        mixed = operation.scaled_dot_product_attention(
            operation.transpose(queries, order),
            self._all(operation.transpose(keys, order), f"keys {index}"),
            self._all(operation.transpose(values, order), f"values {index}"),
            self._mask,
            # It is part of the gain of the queries.
            self.constant(np.float32(1)),
        )
        merged = operation.reshape(operation.transpose(mixed, order), self.integers(0, 0, heads * size), True)
        return self.product(merged, layer.merge)

    def feed_forward(self, x: Any, layer: LayerWeights) -> Any:
        """Return what the feed-forward part of a layer adds to the stream."""
        operation, hidden = self.operation, self._shape.hidden_width
        expanded = self.product(self.normed(x), layer.expand)
        if self._shape.layout == "compact":
            positive = operation.relu(expanded)
            return self.product(operation.multiply(positive, positive), layer.contract)
        sizes = self.integers(hidden, hidden)
        gate, up = operation.variadic_split(expanded, self.constant(np.int64(2)), sizes).outputs()
        return self.product(operation.multiply(operation.swish(gate), up), layer.contract)

    def _all(self, new: Any, name: str) -> Any:
        """Append keys or values ``[1, shared, length, size]`` to those that stand there, and return all, one for every query head."""
        operation, shape = self.operation, self._shape
        shared, size = shape.key_value_heads, shape.head_width
        # How OpenVINO calls what stays inside.
        states = self._openvino.op.util
        info = states.VariableInfo()
        info.data_shape = self._openvino.PartialShape([1, shared, -1, size])
        info.data_type = self._openvino.Type.f32
        info.variable_id = name
        variable = states.Variable(info)
        past = operation.read_value(self.constant(np.zeros((1, shared, 0, size), np.float32)), variable)
        past = operation.gather(past, self._texts, self.constant(np.int64(0)))
        whole = operation.concat([past, new], 2)
        self.appended.append(operation.assign(whole, variable))
        group = shape.heads // shared
        if group == 1:
            return whole
        apart = operation.reshape(whole, self.integers(1, shared, 1, -1, size), False)
        each = operation.multiply(apart, self.constant(np.ones((1, 1, group, 1, 1), np.float32)))
        return operation.reshape(each, self.integers(1, shape.heads, -1, size), False)
