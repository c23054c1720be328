"""OpenVINO as the reader of a running batch: it computes logits from our own weights, and everything else stays ours.

Decisions. (1) As with llama.cpp only what is computed comes from there, so nothing of the contract has to be refused. (2) The runtime
``openvino`` alone, on the processor: OpenVINO GenAI draws by itself and gives no logits. (3) Every slot is a request of its own, whose keys
and values grow with its text, so the company of a text cannot change it and a long context costs nothing before it is used. (4) In
float32 everything is float32: products, keys and values; nothing is quantised unasked. (5) Its import sends word to its makers
(``openvino_telemetry``) unless that package is missing, so it is missing for whoever imports it through here.

Source: the Python API of OpenVINO 2026.4 (stateful models, ``query_state``).
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.errors import MakarError, MissingExtraError
from makar.families.transformer.decoder import DecoderShape, pack_weights
from makar.families.transformer.openvino_graph import decoder_graph
from makar.families.transformer.reading import EngineReaders, Reader
from makar.nn.rotary import rotary_table

NAME = "openvino"
PACKAGE, EXTRA, TELEMETRY = "openvino", "openvino", "openvino_telemetry"
TABLE_STEP = 1024
"""Positions by which the table of rotations grows."""
SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "KV_CACHE_PRECISION": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    # Whoever started this process says on which cores it runs.
    "ENABLE_CPU_PINNING": False,
}


class OpenVinoReaders(EngineReaders):
    """The readers of one model.

    Args:
        shape: Its numbers.
        tensors: Returns its tensors by their names in transformers; asked once for every arithmetic.

    Raises:
        MissingExtraError: The package is absent.
        MakarError: It cannot be loaded.
    """

    def __init__(self, shape: DecoderShape, tensors: Callable[[], Mapping[str, Tensor]]) -> None:
        if importlib.util.find_spec(PACKAGE) is None:
            raise MissingExtraError(PACKAGE, extra=EXTRA)
        self.stated = {"engine": NAME, "engine_version": str(_library().__version__).split("-")[0]}
        self._shape = shape
        self._tensors = tensors
        self._compiled: dict[str, tuple[int, Any, np.ndarray]] = {}

    def prepare(self, precision: str) -> None:
        """Compile the model in an arithmetic for the number of threads that torch has now; of each that is compiled last is kept.

        Raises:
            MakarError: OpenVINO does not compile it.
        """
        threads = torch.get_num_threads()
        if precision in self._compiled and self._compiled[precision][0] == threads:
            return
        openvino = _library()
        weights = pack_weights(self._shape, self._tensors(), positions=0)
        try:
            graph = decoder_graph(openvino, weights, precision=precision)
            settings = {**SETTINGS, "INFERENCE_NUM_THREADS": threads}
            compiled = openvino.Core().compile_model(graph, "CPU", settings)
        except RuntimeError as error:
            raise MakarError(f"OpenVINO does not compile this model: {_short(error)}", do="--engine torch") from error
        self._compiled[precision] = (threads, compiled, weights.embedding.numpy())

    def reader(self, precision: str, *, slots: int, stretch: float) -> Reader:
        """Return a reader of the whole context; every layout and every stretch has one."""
        self.prepare(precision)
        _, compiled, embedding = self._compiled[precision]
        # Not kept: whoever asks may stretch to any number.
        table = _Table(self._shape, stretch)
        capacity = int(self._shape.context_length * stretch)
        return OpenVinoReader(compiled, embedding, table, slots=slots, capacity=capacity)


class _Table:
    """Cosines and signed sines of positions, for heads whose planes are neighbours.

    Args:
        shape: The numbers of the model.
        stretch: How many times longer than trained the context is taken; see ``DecoderWeights.stretched``.
    """

    def __init__(self, shape: DecoderShape, stretch: float) -> None:
        self._shape = shape
        self._base = shape.rope_theta * stretch ** (shape.head_width / max(1, shape.head_width - 2))
        self._made = self._until(TABLE_STEP)

    def between(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Return both for some positions, float32 ``[1, length, 1, head_width]``."""
        if end > len(self._made[0]):
            self._made = self._until(-(-end // TABLE_STEP) * TABLE_STEP)
        cosines, sines = (made[None, start:end, None] for made in self._made)
        return cosines, sines

    def _until(self, positions: int) -> tuple[np.ndarray, np.ndarray]:
        shape = self._shape
        cosines, sines = rotary_table(
            torch.arange(positions),
            head_width=shape.head_width,
            base=self._base,
            clockwise=shape.layout == "compact",
            scaling=shape.rope_scaling,
        )
        neighbours = torch.arange(shape.head_width).view(2, -1).t().reshape(-1)
        return cosines[:, neighbours].numpy(), sines[:, neighbours].numpy()


class OpenVinoReader(Reader):
    """Slots of one compiled model.

    Args:
        compiled: The model.
        embedding: What enters the first layer, by token, float32 ``[vocabulary, width]``.
        table: Its rotations.
        slots: Number of slots.
        capacity: Positions a slot.
    """

    def __init__(
        self,
        compiled: Any,
        embedding: np.ndarray,
        table: _Table,
        *,
        slots: int,
        capacity: int,
    ) -> None:
        self.slots = slots
        self.capacity = capacity
        self.lengths = [0] * slots
        self._there = [0] * slots
        """By slot: positions that have keys and values, those included that ``lengths`` forgot."""
        self._compiled = compiled
        self._embedding = embedding
        self._table = table
        self._requests: dict[int, Any] = {}

    def read(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after the last of each, float32 ``[vocabulary]``."""
        return [self._computed(row, slot, wanted=[len(row) - 1])[0] for row, slot in zip(rows, slots)]

    def append(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after every one of them, ``[tokens, vocabulary]`` a row."""
        return [self._computed(row, slot, wanted=range(len(row))) for row, slot in zip(rows, slots)]

    def _computed(self, tokens: Sequence[int], slot: int, *, wanted: Sequence[int]) -> Tensor:
        start = self.lengths[slot]
        end = start + len(tokens)
        cosines, sines = self._table.between(start, end)
        inputs = {
            "vectors": self._embedding[None, list(tokens)],
            "cosines": cosines,
            "sines": sines,
            "mask": np.triu(np.full((1, 1, len(tokens), end), -np.inf, np.float32), start + 1),
            "texts": np.zeros(1, np.int32),
            "wanted": np.array(wanted, np.int64),
        }
        try:
            request = self._request(slot, start)
            found = request.infer(inputs, share_inputs=True, share_outputs=True)[0]
        except RuntimeError as error:
            # What stands there is not known any more.
            self._requests.pop(slot, None)
            self.lengths[slot] = self._there[slot] = 0
            raise MakarError(f"OpenVINO ended with: {_short(error)}", do="ask again, or --engine torch") from error
        self.lengths[slot] = self._there[slot] = end
        return torch.from_numpy(found[0].copy())

    def _request(self, slot: int, start: int) -> Any:
        """Return the request of a slot, without what was forgotten."""
        request = self._requests.get(slot)
        if request is None:
            request = self._requests[slot] = self._compiled.create_infer_request()
        elif start == 0:
            request.reset_state()
        elif start < self._there[slot]:
            for state in request.query_state():
                state.state = _library().Tensor(np.ascontiguousarray(state.state.data[:, :, :start]))
        return request


def _short(error: RuntimeError) -> str:
    """Return the last words of an error of OpenVINO, which begin with places in its source."""
    return " ".join(str(error).split())[-200:]


def _library() -> Any:
    if PACKAGE not in sys.modules:
        # Its tools take a stub that sends nothing where this cannot be imported.
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    except (ImportError, OSError, RuntimeError) as error:
        # Its shared library is missing, or was made for another machine.
        raise MakarError(
            f"OpenVINO cannot be loaded: {error}", do=f"pip install --force-reinstall 'makar[{EXTRA}]'"
        ) from error
    return openvino
