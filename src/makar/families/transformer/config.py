"""Settings of the decoder transformer, with its exact size, its cost and the shape that suits a size; no torch.

Two layouts that `transformers` opens. ``mainstream`` is Qwen3's: RMSNorm with gains, SwiGLU, query and key norms, rotary positions,
grouped keys and values, embeddings shared with the output layer if wished. Without the norms of queries and keys it is Llama's and
Mistral's, with biases instead of them Qwen2's; so checkpoints of these can be brought in. ``compact`` is nanochat's: norms without gains,
squared ReLU, soft-capped logits, separate output layer.

Source: Yang et al. 2025, arXiv 2505.09388 (Qwen3); Karpathy 2025, nanochat; Kaplan et al. 2020, arXiv 2001.08361, section 2.1 (cost);
Bavarian et al. 2022, arXiv 2207.14255 (filling holes).
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.adapter_config import ADAPTER_FILE, FROZEN_BYTES, AdapterConfig
from makar.families.decoder_config import DecoderConfig
from makar.tensor_spec import TARGET, Slot, TensorSpec

LARGEST_CONTEXT = 1 << 20
"""No weight depends on it, so nothing else limits what a foreign configuration could make a program set aside."""

HEAD_WIDTH = 32
"""Width of a head below 512 channels; 64 from there on."""

FAR_BEYOND = 8
"""Times the wanted number of parameters beyond which no wider shape is tried."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig(DecoderConfig):
    """A decoder transformer: predicts each token from those before it."""

    kind: ClassVar[str] = "transformer"
    target: ClassVar[str] = "makar.families.transformer.family:TransformerFamily"
    item_name: ClassVar[str] = "token"
    batching: ClassVar[Literal["items", "windows"]] = "windows"
    predictions: ClassVar[tuple[str, ...]] = ("bugs",)

    layout: str = setting("mainstream", meaning="shape of the network", choices=("mainstream", "compact"))
    vocabulary: int = setting(0, meaning="number of tokens; 0 takes it from the codec", unit="tokens", minimum=0)
    context: int = setting(
        256, meaning="positions that a prediction can look back on", unit="tokens", minimum=1, maximum=LARGEST_CONTEXT
    )
    depth: int = setting(4, meaning="number of blocks", minimum=1)
    width: int = setting(128, meaning="channels of the residual stream", minimum=2)
    heads: int = setting(4, meaning="attention heads a block", minimum=1)
    key_value_heads: int = setting(0, meaning="heads of keys and values; 0 is as many as heads", minimum=0)
    head_channels: int = setting(0, meaning="channels of a head; 0 is width / heads", minimum=0)
    query_key_norm: bool = setting(True, meaning="whether queries and keys are normed (mainstream)")
    biased: bool = setting(False, meaning="whether queries, keys and values have biases (mainstream)")
    hidden: int = setting(
        0,
        meaning="channels inside the feed-forward part; 0 is 4 x width (compact), 8/3 x width (mainstream)",
        minimum=0,
    )
    tied: bool = setting(False, meaning="whether the output layer shares the embeddings' weights")
    dropout: float = setting(0.0, meaning="share of channels dropped while training", minimum=0.0, maximum=0.9)
    rotary_base: float = setting(10000.0, meaning="base of the rotary wavelengths", minimum=1.0)
    rotary_scaling: tuple[float, ...] = setting(
        (),
        meaning="slower turns for a longer context: a factor, or Llama 3's factor, low border, high border, old context",
    )
    logit_cap: float = setting(15.0, meaning="soft limit of the logits (compact); 0 is none", minimum=0.0)
    infill_share: float = setting(
        0.0,
        meaning="share of the training windows that are rearranged to learn to fill a hole",
        minimum=0.0,
        maximum=1.0,
    )
    infill_tokens: tuple[int, ...] = setting(
        (),
        meaning="tokens in front of what is before, after and in a hole, and the end token; none where holes are not learned",
    )
    norm_epsilon: float = setting(1e-6, meaning="added to the mean square in norms", minimum=0.0, maximum=1.0)
    adapter: AdapterConfig | None = setting(None, meaning="what is learned instead of the weights; none learns them")
    recompute: bool = setting(
        False, meaning="whether blocks are computed again on the way back: less memory for a third more time"
    )

    def check(self) -> None:
        """Check the fields and that the widths divide."""
        super().check()
        if self.head_channels % 2 or (not self.head_channels and self.width % (2 * self.heads)):
            raise ConfigError(
                f"width {self.width} does not divide into {self.heads} heads of even width",
                expected="width a multiple of 2 x heads, or an even number of head_channels",
            )
        if (self.biased and self.query_key_norm) or (self.layout == "compact" and not self.query_key_norm):
            raise ConfigError(
                f"layout {self.layout} with biased={self.biased} and query_key_norm={self.query_key_norm}",
                expected="biases only in layout mainstream without norms of queries and keys; compact always has those norms",
            )
        if len(self.rotary_scaling) not in (0, 1, 4) or any(value <= 0 for value in self.rotary_scaling):
            raise ConfigError(
                f"rotary_scaling {list(self.rotary_scaling)}",
                expected="nothing, one factor, or four numbers above 0: factor, low border, high border, old context",
            )
        if self.key_value_heads and self.heads % self.key_value_heads:
            raise ConfigError(
                f"{self.heads} heads cannot share {self.key_value_heads} heads of keys and values",
                expected="key_value_heads that divides heads",
            )
        if self.infill_share and len(set(self.infill_tokens)) != 4:
            raise ConfigError(
                f"holes are to be learned with the tokens {list(self.infill_tokens)}",
                expected="four: before, after, in the hole, end",
                do='use the recipe "code", or infill_share 0',
            )
        if self.vocabulary and not all(0 <= token < self.vocabulary for token in self.infill_tokens):
            raise ConfigError(
                f"infill_tokens are {list(self.infill_tokens)}", expected=f"tokens below {self.vocabulary}"
            )
        if self.adapter is not None:
            self.adapter.chosen(self.linear_sizes())
            if self.tied and "lm_head" in self.adapter.whole:
                raise ConfigError("the output layer shares the embeddings' weights", expected='whole ["embed_tokens"]')

    @property
    def engines(self) -> tuple[str, ...]:
        """Every engine that runs it; llama.cpp has code for the mainstream layout alone."""
        return (self.engine, *(("llama.cpp",) if self.layout == "mainstream" else ()), "openvino")

    @property
    def edits(self) -> tuple[str, ...]:
        """Filling a hole, where that was learned."""
        return ("infill",) if self.infill_share else ()

    def seen_at(self, usual: int) -> Self:
        """Return a copy whose context is that of usual rows."""
        return self.changed(context=usual)

    def judging(self) -> Self:
        """Return a copy that shares its embeddings, so that there is no output layer."""
        return self.changed(tied=True)

    @property
    def window_length(self) -> int:
        """Positions a training window: the whole context."""
        return self.context

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.head_channels or self.width // self.heads

    @property
    def shared_heads(self) -> int:
        """Heads of keys and values, with the default filled in."""
        return self.key_value_heads or self.heads

    @property
    def hidden_width(self) -> int:
        """Channels inside the feed-forward part, with the default filled in."""
        if self.hidden:
            return self.hidden
        return 4 * self.width if self.layout == "compact" else max(32, round(8 * self.width / 3 / 32) * 32)

    def accepts(self) -> TensorSpec:
        """Return one slot of tokens along ``length``."""
        slot = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.vocabulary or None)
        return TensorSpec({TARGET: slot})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the codec's vocabulary."""
        return self.changed(vocabulary=made[TARGET].vocabulary)

    def scaled_to(self, parameters: int) -> Self:
        """Return the shape whose blocks, embeddings and output layer come closest to so many parameters.

        Depth follows width as ``1.25 + width / 80``, give or take one (2 x 64, 3 x 128, 6 x 384): shallow and wide learned more in the same
        time (ten seconds: 2 x 64 1.877, 3 x 64 1.891; a minute: 2 x 96 1.657, 3 x 96 1.673, nats a character of tiny_shakespeare),
        because its operations are large enough to run at speed. Of an adapter only the rank is free.
        """
        if self.adapter is not None:
            return self.changed(adapter=self.adapter.scaled_to(parameters, self.linear_sizes()))
        candidates = []
        for width in [*range(32, 512, 32), *range(512, 1024, 64), *range(1024, 8193, 256)]:
            heads = width // (HEAD_WIDTH if width < 512 else 2 * HEAD_WIDTH)
            shared = max(1, heads * self.shared_heads // self.heads) if self.key_value_heads else 0
            while shared and heads % shared:
                shared -= 1
            for offset in (-1, 0, 1):
                depth = max(1, round(1.25 + width / 80) + offset)
                shape = {"depth": depth, "width": width, "heads": heads, "key_value_heads": shared}
                count = self.tried(**shape, hidden=0, head_channels=0).parameter_count()
                candidates.append((abs(count / parameters - 1) + 0.05 * abs(offset), width, offset, count, shape))
            if candidates[-3][3] > FAR_BEYOND * parameters:
                # The shallowest of this width is too large by far, and what is wider is larger still.
                break
        return self.changed(**min(candidates, key=lambda found: found[:3])[4], hidden=0, head_channels=0)

    def with_adapter(self, adapter: AdapterConfig) -> Self:
        """Return a copy that learns an adapter of another model of its shape."""
        return self.changed(adapter=adapter)

    def linear_sizes(self) -> dict[str, tuple[int, int]]:
        """Return inputs and outputs of the layers in the blocks by the names that others know them by, summed over the blocks."""
        queries, shared = self.heads * self.head_width, self.shared_heads * self.head_width
        sizes = {"q_proj": (self.width, queries), "k_proj": (self.width, shared), "v_proj": (self.width, shared)}
        sizes["o_proj"] = (queries, self.width)
        inputs, output = (("fc1",), "fc2") if self.layout == "compact" else (("gate_proj", "up_proj"), "down_proj")
        sizes |= dict.fromkeys(inputs, (self.width, self.hidden_width)) | {output: (self.hidden_width, self.width)}
        return {name: (self.depth * one, self.depth * other) for name, (one, other) in sizes.items()}

    @property
    def tensors_name(self) -> str:
        """An adapter is a folder that PEFT opens."""
        return "model.safetensors" if self.adapter is None else ADAPTER_FILE

    def block_matrix_count(self) -> int:
        """Return the weights in matrices of one block."""
        attention = self.width * self.head_width * (2 * self.heads + 2 * self.shared_heads)
        return attention + (2 if self.layout == "compact" else 3) * self.width * self.hidden_width

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        if self.adapter is None:
            return self.computed_weights()
        tables = len(self.adapter.whole) * self.vocabulary * self.width
        return self.adapter.parameter_count(self.linear_sizes()) + tables

    def computed_weights(self) -> int:
        """Return the weights of the whole network."""
        of_heads = 2 * self.head_width if self.query_key_norm else 0
        biases = (self.heads + 2 * self.shared_heads) * self.head_width if self.biased else 0
        gains = 0 if self.layout == "compact" else self.depth * (2 * self.width + of_heads + biases) + self.width
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        return self.depth * self.block_matrix_count() + gains + tables

    def training_operations(self) -> float:
        """Return operations a token, forward and backward: 6 a matrix weight, and 6 x depth x channels of heads x context for attention."""
        matrices = self.depth * self.block_matrix_count() + self.vocabulary * self.width
        attention = self.depth * self.heads * self.head_width * self.context
        if self.adapter is None:
            return 6.0 * (matrices + attention) + self.recompute * 2.0 * (matrices + attention)
        # No gradient of what is frozen, only through it.
        own = self.adapter.parameter_count(self.linear_sizes())
        return 4.0 * matrices + 6.0 * (attention + own) + self.recompute * 2.0 * (matrices + attention)

    def frozen_bytes(self) -> float:
        """Return the memory of the model that an adapter changes; its tables are never kept in 4 bits."""
        if self.adapter is None:
            return 0.0
        blocks = self.depth * self.block_matrix_count()
        return FROZEN_BYTES[self.adapter.bits] * blocks + FROZEN_BYTES[16] * (self.computed_weights() - blocks)

    def activation_bytes(self) -> float:
        """Return the bytes that training keeps for one window: streams and hidden channels in 2 to 4 bytes, attention weights, logits."""
        streams = 40.0 * self.width + (6.0 if self.layout == "compact" else 10.0) * self.hidden_width
        attention = 6.0 * self.heads * self.context
        blocks = self.depth * (streams + attention)
        if self.recompute:
            # What came into every block, and the inside of one.
            blocks = self.depth * 4.0 * self.width + streams + attention
        return self.context * (blocks + 8.0 * min(self.vocabulary, 8192) + 16.0 * self.width)
