"""What is known of a checkpoint of transformers without opening it: the hash of its folder, its class, its task and its sizes; no torch.

The configuration names the folder by the hash of its content and never by a path: where it is on this machine stands in the private
ledger. What follows from the folder is compared with it when it is opened, so that a forged configuration is found. Nothing of it is
trained as it came: an adapter of it is learned (``adapter``), or all of its weights (``network``), which are then those of a model that
needs the folder no more.
"""

import dataclasses
from typing import Any, ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.adapter_config import ADAPTER_FILE, FROZEN_BYTES, AdapterConfig
from makar.families.decoder_config import DecoderConfig
from makar.tensor_spec import SOURCE, TARGET, Slot, TensorSpec

CAUSAL, SEQ2SEQ, VECTORS = "causal", "seq2seq", "vectors"
PREDICTS = {
    "masked": "mask",
    "classification": "label",
    "tagging": "entities",
    "answers": "answer",
    VECTORS: "vector",
}
"""By task of an encoder: what ``predict`` says of a text."""
TASKS = (CAUSAL, SEQ2SEQ, *PREDICTS)
MEANINGS = {
    CAUSAL: "continues text",
    SEQ2SEQ: "writes a text from a text",
    "masked": "fills in masked words",
    "classification": "says the label of a text",
    "tagging": "marks entities in a text",
    "answers": "finds answers in a text",
    VECTORS: "makes vectors of texts",
}
"""By task: what such a checkpoint does, for messages."""
MOST_WINDOW = 1024
"""Positions of a window that a text is measured with, where the network has no fewer."""
WEIGHT_BYTES = 4.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedTextConfig(DecoderConfig):
    """A checkpoint of transformers."""

    kind: ClassVar[str] = "pretrained-text"
    engine: ClassVar[str] = "transformers"
    target: ClassVar[str] = "makar.families.pretrained.text_family:text_family_of"
    item_name: ClassVar[str] = "token"
    batching: ClassVar[Literal["items", "windows"]] = "windows"

    base: str = setting("", meaning="sha256 of the files of the folder, as makar.provenance.pipelines counts it")
    architecture: str = setting("GPT2LMHeadModel", meaning="class of transformers that the folder names")
    task: str = setting(CAUSAL, meaning="what the head of that class is for", choices=TASKS)
    vocabulary: int = setting(0, meaning="tokens that the network has rows for", unit="tokens", minimum=0)
    context: int = setting(0, meaning="positions that it was made for; 0 is any number", unit="tokens", minimum=0)
    weights: int = setting(0, meaning="weights of the network", minimum=0)
    labels: tuple[str, ...] = setting((), meaning="names of what a classifier or a tagger tells apart")
    linears: tuple[str, ...] = setting((), meaning="names of the layers in the blocks, which an adapter may change")
    inputs: tuple[int, ...] = setting((), meaning="inputs of the layers of each of these names, summed over the blocks")
    outputs: tuple[int, ...] = setting((), meaning="outputs of them")
    width: int = setting(
        0, meaning="numbers of its stream at a position, or of the vector of a text where it makes such", minimum=0
    )
    adapter: AdapterConfig | None = setting(None, meaning="what is learned over the checkpoint; none learns nothing")
    network: str = setting(
        "", meaning="its config.json, where all of its weights are learned and kept; empty: they stay in the folder"
    )
    recompute: bool = setting(
        False, meaning="whether blocks are computed again on the way back: less memory for a third more time"
    )

    def check(self) -> None:
        """Check the fields, and that the layers that an adapter changes are there."""
        super().check()
        if self.adapter is not None and self.network:
            raise ConfigError("an adapter of weights that are learned themselves", expected="adapter, or network")
        if self.adapter is not None:
            self.adapter.chosen(self.linear_sizes())
            if self.adapter.whole:
                raise ConfigError(
                    "layers of a checkpoint of others that are learned as a whole", expected="none: whole []"
                )
            if self.adapter.base != self.base:
                raise ConfigError("an adapter of another checkpoint", expected=f"that of {self.base[:16]}")

    def linear_sizes(self) -> dict[str, tuple[int, int]]:
        """Return inputs and outputs of the layers in the blocks by name, summed over the blocks."""
        return {name: (one, other) for name, one, other in zip(self.linears, self.inputs, self.outputs)}

    def with_adapter(self, adapter: AdapterConfig) -> Self:
        """Return a copy that learns an adapter; only of what continues text."""
        if self.task != CAUSAL:
            return super().with_adapter(adapter)
        return self.changed(adapter=adapter.changed(base=self.base))

    def seen_at(self, usual: int) -> Self:
        """Return a copy whose windows are usual rows."""
        return self.changed(context=usual)

    def judging(self) -> Self:
        """Return itself: its output layer is not trained by a judge, and its folder keeps it."""
        return self

    @property
    def steps_back(self) -> bool:
        """An adapter computes without its changes."""
        return self.adapter is not None

    @property
    def learns(self) -> bool:
        """Whether anything is learned of it: an adapter, or all of its weights."""
        return self.adapter is not None or bool(self.network)

    @property
    def window_length(self) -> int:
        """Positions that a text is measured with at a time."""
        return min(self.context or MOST_WINDOW, MOST_WINDOW)

    @property
    def predictions(self) -> tuple[str, ...]:  # type: ignore[override]  # of each checkpoint its own
        """What ``predict`` can say: that of the head."""
        return (PREDICTS[self.task],) if self.task in PREDICTS else ()

    @property
    def tensors_name(self) -> str:
        """A checkpoint as it came has no tensors of its own: they stay in its folder."""
        if self.network:
            return super().tensors_name
        return "" if self.adapter is None else ADAPTER_FILE

    def accepts(self) -> TensorSpec:
        """Return tokens along ``length``: to be continued, or to be read."""
        slot = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.vocabulary or None)
        if self.task == SEQ2SEQ:
            return TensorSpec({TARGET: slot, SOURCE: dataclasses.replace(slot, optional=True)})
        return TensorSpec({TARGET: slot})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the codec's vocabulary."""
        return self.changed(vocabulary=made[TARGET].vocabulary)

    def scaled_to(self, parameters: int) -> Self:
        """Return itself, its size is what it is; or with the rank that has about so many parameters."""
        if self.adapter is None:
            return self
        return self.changed(adapter=self.adapter.scaled_to(parameters, self.linear_sizes()))

    def parameter_count(self) -> int:
        """Return 0, nothing of it is trained; or the parameters of the adapter, or all."""
        if self.network:
            return self.weights
        return 0 if self.adapter is None else self.adapter.parameter_count(self.linear_sizes())

    def computed_weights(self) -> int:
        """Return the weights of the network."""
        return self.weights + (0 if self.network else self.parameter_count())

    def training_operations(self) -> float:
        """Return the operations of a token forward, and where anything is learned of the way back through what is frozen or not."""
        if self.network:
            return (8.0 if self.recompute else 6.0) * self.weights
        if self.adapter is None:
            return 2.0 * self.weights
        return (6.0 if self.recompute else 4.0) * self.weights + 6.0 * self.parameter_count()

    def activation_bytes(self) -> float:
        """Return an estimate of what a window takes: the logits of its positions, and where it learns what its layers keep."""
        logits = WEIGHT_BYTES * self.window_length * max(1, self.vocabulary)
        if not self.learns:
            return logits
        kept = sum(self.inputs) + sum(self.outputs)
        # The logits and their gradient twice over, as transformers computes them.
        return 3.0 * logits + WEIGHT_BYTES * self.window_length * kept / (4.0 if self.recompute else 1.0)

    def frozen_bytes(self) -> float:
        """Return the memory of the network itself; where its weights are learned, of the one that they began from, which lies beside."""
        if self.adapter is None:
            return WEIGHT_BYTES * self.weights
        # It is opened as a whole before its layers are put into 4 bits.
        return max(WEIGHT_BYTES, FROZEN_BYTES[self.adapter.bits]) * self.weights

    def memory_plan(self, device: str, free_bytes: int) -> dict[str, Any]:
        """Return the number format that fits into the memory there is; weights that learn stay exact."""
        if self.network:
            return {"device": device, "precision": "float32"}
        return {"device": device, "precision": fitting_precision(self.weights, device=device, free_bytes=free_bytes)}


def fitting_precision(weights: int, *, device: str, free_bytes: int) -> str:
    """Return the number format of weights: float32 on a CPU where it fits, else bfloat16, in which most checkpoints are published.

    >>> fitting_precision(1_000_000, device="cpu", free_bytes=8_000_000)
    'float32'
    """
    if device == "cuda" or WEIGHT_BYTES * weights > 0.8 * free_bytes:
        return "bfloat16"
    return "float32"
