"""One decoding step on the CPU in NumPy: for each row one new token in, its next-token logits out.

At a width of a few hundred the cost of calling an operation is as large as its work. A NumPy call with ``out`` costs a third of a
torch call when its operands have one shape and no scalar is among them, so the whole step is NumPy on buffers and views that are made
once. Rows go through each matrix one after the other while it is in the cache, what is done to every number is done to all rows in one
call, and attention is computed row by row over exactly the positions that the row has, so neither padding nor masks exist and a row's bits
do not depend on its neighbours.

Attention is softmax(q k) v (Vaswani et al. 2017, arXiv:1706.03762, equation 1), with normalised queries and keys where the model has
them; the division by the sum comes after the product with the values, on fewer numbers, and the usual subtraction of the maximum is left
out where the norms bound every score so that no exponential overflows.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.decoder import DecoderWeights, LayerWeights

SAFE_SCORE = 60.0
"""exp(60) times any context length is far below the largest float32."""


class RowDecoder:
    """Advances rows by one token.

    Args:
        weights: Packed weights on the CPU.
        cache: Where keys and values of every slot are.
    """

    def __init__(self, weights: DecoderWeights, cache: KeyValueCache) -> None:
        self.weights = weights
        self.cache = cache
        shape = weights.shape
        self._embedding = weights.embedding.numpy()
        self._rotations = weights.rotations.numpy()
        # Dividing by sqrt(sum + n * epsilon) instead of sqrt(mean + epsilon) saves a call; the gain takes up the sqrt(n).
        scale = np.float32(shape.head_width**0.5 if shape.normed else 1.0)
        self._gains = [layer.gain.numpy() * scale for layer in weights.layers]
        self._biases = [None if layer.bias is None else layer.bias.numpy() for layer in weights.layers]
        self._epsilon = np.full(shape.heads + shape.key_value_heads, shape.norm_epsilon * shape.head_width, np.float32)
        self._one = np.ones(1, np.float32)
        self._is_normed = shape.normed
        self._needs_maximum = weights.score_bound > SAFE_SCORE
        self._buffers: dict[int, _Buffers] = {}

    def step(self, tokens: Sequence[int], slots: Sequence[int]) -> Float32[np.ndarray, "rows vocabulary"]:
        """Append one token to each slot and return the logits that follow; the array is overwritten by the next call.

        Args:
            tokens: One token a row.
            slots: The cache slot of each row; each has a position left. Rows of the same slot follow each other in it.
        """
        return self.step_vectors([self._embedding[token] for token in tokens], slots)

    def step_vectors(
        self, vectors: Sequence[Float32[np.ndarray, " width"]], slots: Sequence[int]
    ) -> Float32[np.ndarray, "rows vocabulary"]:
        """Append what stands in the place of an embedded token to each slot; otherwise like ``step``.

        Args:
            vectors: One a row.
            slots: The cache slot of each row; each has a position left. Rows of the same slot follow each other in it.
        """
        shape = self.weights.shape
        buffers = self._buffers.get(len(slots))
        if buffers is None:
            buffers = self._buffers[len(slots)] = _Buffers(len(slots), self.weights)
        stream, change = buffers.stream, buffers.change
        lengths = self.cache.lengths
        ends = []
        for row, vector, slot in zip(buffers.rows, vectors, slots):
            row.stream[:] = vector
            row.rotation[:] = self._rotations[lengths[slot]]
            lengths[slot] += 1
            ends.append(lengths[slot])
        # An overflowing exponential in the gate is a zero after the division: that is the right limit, not a problem.
        with np.errstate(over="ignore"):
            for index, layer in enumerate(self.weights.layers):
                self._normalise(buffers)
                layer.attend.rows(buffers.normal, buffers.attend)
                if (bias := self._biases[index]) is not None:
                    np.add(buffers.attend, bias, buffers.attend)
                self._turn(buffers, self._gains[index])
                stores = self.cache.arrays[index]
                # In their order: a row attends to those before it in the same slot, whose keys are stored by then.
                for row, slot, end in zip(buffers.rows, slots, ends):
                    self._attend(row, stores[slot], end)
                layer.merge.rows(buffers.merged, change)
                np.add(stream, change, stream)
                self._normalise(buffers)
                self._feed_forward(layer, buffers)
                np.add(stream, change, stream)
        self._normalise(buffers)
        self.weights.head.rows(buffers.normal, buffers.logits)
        if shape.softcap:
            np.multiply(buffers.logits, 1 / shape.softcap, buffers.logits)
            np.tanh(buffers.logits, buffers.logits)
            np.multiply(buffers.logits, shape.softcap, buffers.logits)
        return buffers.logits

    def _normalise(self, buffers: "_Buffers") -> None:
        width, epsilon = self.weights.shape.width, self.weights.shape.norm_epsilon
        if len(buffers.rows) == 1:
            # The same numbers as below, in a third of the time.
            (row,) = buffers.rows
            buffers.scale[0, 0] = 1 / math.sqrt(row.stream.dot(row.stream) / width + epsilon)
        else:
            squares = np.vecdot(buffers.stream, buffers.stream)
            np.divide(
                1.0, np.sqrt(squares / np.float32(width) + np.float32(epsilon), dtype=np.float64), buffers.scale[:, 0]
            )
        np.multiply(buffers.stream, buffers.scale, buffers.normal)

    def _turn(self, buffers: "_Buffers", gain: np.ndarray) -> None:
        """Normalise, scale and rotate the queries and keys of all rows."""
        query_key, lengths = buffers.query_key, buffers.lengths
        if self._is_normed:
            np.vecdot(query_key, query_key, lengths)
            np.add(lengths, self._epsilon, lengths)
            np.sqrt(lengths, lengths)
            np.divide(query_key, buffers.lengths_column, query_key)
        np.multiply(query_key, gain, query_key)
        np.multiply(buffers.query_key_complex, buffers.rotation, buffers.query_key_complex)

    def _attend(self, row: "_Row", store: np.ndarray, end: int) -> None:
        store[:, end - 1] = row.key_value
        past = store[:, :end]
        shared = self.weights.shape.key_value_heads
        scores = np.matmul(row.query, past[:shared].transpose(0, 2, 1))
        if self._needs_maximum:
            np.subtract(scores, scores.max(axis=-1, keepdims=True), scores)
        np.exp(scores, scores)
        np.add.reduce(scores, axis=-1, out=row.total, keepdims=True)
        np.matmul(scores, past[shared:], row.merged)
        np.divide(row.merged, row.total, row.merged)

    def _feed_forward(self, layer: LayerWeights, buffers: "_Buffers") -> None:
        layer.expand.rows(buffers.normal, buffers.expanded)
        hidden = buffers.hidden
        if self.weights.shape.layout == "compact":
            np.maximum(buffers.expanded, 0.0, out=hidden)
            np.multiply(hidden, hidden, hidden)
        else:
            np.negative(buffers.gate, hidden)
            np.exp(hidden, hidden)
            np.add(hidden, self._one, hidden)
            np.divide(buffers.gate, hidden, hidden)
            np.multiply(hidden, buffers.up, hidden)
        layer.contract.rows(hidden, buffers.change)


class _Buffers:
    """Memory for a number of rows, made once."""

    def __init__(self, count: int, weights: DecoderWeights) -> None:
        shape = weights.shape

        def empty(size: int) -> np.ndarray:
            return np.zeros((count, size), dtype=np.float32)

        self.stream, self.normal, self.change = (empty(shape.width) for _ in range(3))
        self.attend = empty((shape.heads + 2 * shape.key_value_heads) * shape.head_width)
        self.merged = empty(shape.heads * shape.head_width)
        self.expanded = empty(shape.hidden_width * (1 if shape.layout == "compact" else 2))
        self.gate, self.up = self.expanded[:, : shape.hidden_width], self.expanded[:, shape.hidden_width :]
        self.hidden = empty(shape.hidden_width)
        self.logits = empty(shape.vocabulary)
        heads, shared, size = shape.heads, shape.key_value_heads, shape.head_width
        self.scale = np.zeros((count, 1), dtype=np.float32)
        self.query_key = self.attend.reshape(count, heads + 2 * shared, size)[:, : heads + shared]
        self.query_key_complex = self.query_key.view(np.complex64)
        self.lengths = np.zeros((count, heads + shared), dtype=np.float32)
        self.lengths_column = self.lengths[:, :, None]
        # One copy a head: an operand of the same shape is faster than one that is broadcast.
        self.rotation = np.zeros((count, heads + shared, size // 2), dtype=np.complex64)
        self.rows = [_Row(self, row, weights) for row in range(count)]


class _Row:
    """Views of one row in the shapes that the operations want."""

    def __init__(self, buffers: _Buffers, row: int, weights: DecoderWeights) -> None:
        shape = weights.shape
        heads, shared, size = shape.heads, shape.key_value_heads, shape.head_width
        self.stream = buffers.stream[row]
        by_head = buffers.attend[row].reshape(heads + 2 * shared, size)
        self.query = by_head[:heads].reshape(shared, heads // shared, size)
        self.key_value = by_head[heads:]
        self.rotation = buffers.rotation[row]
        self.merged = buffers.merged[row].reshape(shared, heads // shared, size)
        self.total = np.zeros((shared, heads // shared, 1), dtype=np.float32)
