"""One decoding step on the CPU in NumPy: for each row one new token in, its next-token logits out.

At a width of a few hundred the cost of calling an operation is as large as its work: a NumPy call with ``out`` costs a third of a torch
call, so the whole step is NumPy on buffers that are made once, about thirty calls a layer. Rows go through each matrix one after the
other while it is in the cache, and attention is computed row by row over exactly the positions that the row has, so neither padding
nor masks exist and a row's bits do not depend on its neighbours.

Attention is softmax(q k) v (Vaswani et al. 2017, arXiv:1706.03762, equation 1) with normalised queries and keys; the division by the
sum comes after the product with the values, on fewer numbers, and the usual subtraction of the maximum is left out where the norms
bound every score so that no exponential overflows.
"""

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
        self._gains = [layer.gain.numpy() * np.float32(shape.head_width**0.5) for layer in weights.layers]
        self._needs_maximum = weights.score_bound > SAFE_SCORE
        self._buffers: dict[int, _Buffers] = {}

    def step(self, tokens: Sequence[int], slots: Sequence[int]) -> Float32[np.ndarray, "rows vocabulary"]:
        """Append one token to each slot and return the logits that follow; the array is overwritten by the next call.

        Args:
            tokens: One token a row.
            slots: The cache slot of each row; each has a position left.
        """
        shape = self.weights.shape
        rows = len(tokens)
        buffers = self._buffers.get(rows)
        if buffers is None:
            buffers = self._buffers[rows] = _Buffers(rows, self.weights)
        positions = [self.cache.lengths[slot] for slot in slots]
        stream = buffers.stream
        for row in range(rows):
            stream[row] = self._embedding[tokens[row]]
            buffers.rotation[row, 0] = self._rotations[positions[row]]
        # An overflowing exponential in the gate is a zero after the division: that is the right limit, not a problem.
        with np.errstate(over="ignore"):
            for index, layer in enumerate(self.weights.layers):
                self._normalise(buffers)
                layer.attend.rows(buffers.normal, buffers.attend)
                self._attend(index, buffers, positions, slots)
                layer.merge.rows(buffers.merged, buffers.change)
                np.add(stream, buffers.change, out=stream)
                self._normalise(buffers)
                self._feed_forward(layer, buffers)
                np.add(stream, buffers.change, out=stream)
        self._normalise(buffers)
        self.weights.head.rows(buffers.normal, buffers.logits)
        if shape.softcap:
            np.multiply(buffers.logits, 1 / shape.softcap, out=buffers.logits)
            np.tanh(buffers.logits, out=buffers.logits)
            np.multiply(buffers.logits, shape.softcap, out=buffers.logits)
        for row in range(rows):
            self.cache.lengths[slots[row]] = positions[row] + 1
        return buffers.logits

    def _normalise(self, buffers: "_Buffers") -> None:
        shape = self.weights.shape
        squares = np.vecdot(buffers.stream, buffers.stream, out=buffers.squares)
        np.multiply(squares, 1 / shape.width, out=squares)
        np.add(squares, shape.norm_epsilon, out=squares)
        np.sqrt(squares, out=squares)
        np.divide(buffers.stream, buffers.squares_column, out=buffers.normal)

    def _attend(self, index: int, buffers: "_Buffers", positions: list[int], slots: Sequence[int]) -> None:
        shape = self.weights.shape
        lengths = np.vecdot(buffers.query_key, buffers.query_key, out=buffers.lengths)
        np.add(lengths, shape.norm_epsilon * shape.head_width, out=lengths)
        np.sqrt(lengths, out=lengths)
        np.divide(buffers.query_key, buffers.lengths_column, out=buffers.query_key)
        np.multiply(buffers.query_key, self._gains[index], out=buffers.query_key)
        np.multiply(buffers.query_key_complex, buffers.rotation, out=buffers.query_key_complex)
        stores, shared = self.cache.arrays[index], shape.key_value_heads
        for row, slot in enumerate(slots):
            store, end = stores[slot], positions[row] + 1
            store[:, end - 1] = buffers.key_value[row]
            scores = np.matmul(buffers.query[row], store[:shared, :end].transpose(0, 2, 1))
            if self._needs_maximum:
                np.subtract(scores, scores.max(axis=-1, keepdims=True), out=scores)
            np.exp(scores, out=scores)
            total = np.add.reduce(scores, axis=-1, keepdims=True)
            merged = np.matmul(scores, store[shared:, :end], out=buffers.merged_heads[row])
            np.divide(merged, total, out=merged)

    def _feed_forward(self, layer: LayerWeights, buffers: "_Buffers") -> None:
        layer.expand.rows(buffers.normal, buffers.expanded)
        if self.weights.shape.layout == "compact":
            hidden = np.maximum(buffers.expanded, 0.0, out=buffers.hidden)
            np.multiply(hidden, hidden, out=hidden)
        else:
            hidden = np.negative(buffers.gate, out=buffers.hidden)
            np.exp(hidden, out=hidden)
            np.add(hidden, 1.0, out=hidden)
            np.divide(buffers.gate, hidden, out=hidden)
            np.multiply(hidden, buffers.up, out=hidden)
        layer.contract.rows(hidden, buffers.change)


class _Buffers:
    """Memory and views for a number of rows, made once."""

    def __init__(self, rows: int, weights: DecoderWeights) -> None:
        shape = weights.shape
        heads, shared, size = shape.heads, shape.key_value_heads, shape.head_width

        def empty(*sizes: int) -> np.ndarray:
            return np.zeros(sizes, dtype=np.float32)

        self.stream, self.normal, self.change = (empty(rows, shape.width) for _ in range(3))
        self.squares = empty(rows)
        self.squares_column = self.squares[:, None]
        self.attend = empty(rows, (heads + 2 * shared) * size)
        by_head = self.attend.reshape(rows, heads + 2 * shared, size)
        self.query_key = by_head[:, : heads + shared]
        self.query_key_complex = self.query_key.view(np.complex64)
        self.lengths = empty(rows, heads + shared)
        self.lengths_column = self.lengths[..., None]
        self.rotation = np.zeros((rows, 1, size // 2), dtype=np.complex64)
        self.query = [by_head[row, :heads].reshape(shared, heads // shared, size) for row in range(rows)]
        self.key_value = [by_head[row, heads:] for row in range(rows)]
        self.merged = empty(rows, heads * size)
        self.merged_heads = [self.merged[row].reshape(shared, heads // shared, size) for row in range(rows)]
        self.expanded = empty(rows, shape.hidden_width * (1 if shape.layout == "compact" else 2))
        self.gate, self.up = self.expanded[:, : shape.hidden_width], self.expanded[:, shape.hidden_width :]
        self.hidden = empty(rows, shape.hidden_width)
        self.logits = empty(rows, shape.vocabulary)
