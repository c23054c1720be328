"""Settings of the encoder-decoder transformer, with its exact size, its cost and the shape that suits a size; no torch.

The network is T5's of version 1.1: RMSNorm with gains, relative positions in buckets, gated feed-forward parts, no biases; here the gate is
a SiLU, which costs less than a GELU, and embeddings may be shared with the output layer. It learns from pairs of texts, or from one text of
which it takes spans out and fills them in again.

Source: Raffel et al. 2020, arXiv 1910.10683, sections 2.1 and 3.3; Shazeer 2020, arXiv 2002.05202 (gates).
"""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import END_TOKEN, SOURCE, TARGET, Slot, TensorSpec

HEAD_WIDTH = 32
"""Width of a head below 512 channels; 64 from there on."""

PAIRS, SPANS = "pairs", "spans"

COPIED_SHARE = 1 / 3
"""Share of the target's tokens that stand in the source, from which on they are copied: 0.11 in translations (multi30k), 0.5 in code
(django), 0.75 in summaries (dialogsum), 0.81 in answers (fairytaleqa)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seq2seqConfig(FamilyConfig):
    """An encoder that reads a text and a decoder that writes another."""

    kind: ClassVar[str] = "seq2seq"
    target: ClassVar[str] = "makar.families.seq2seq.family:Seq2seqFamily"
    item_name: ClassVar[str] = "token"

    learns: str = setting(PAIRS, meaning="from pairs of texts, or from a text without spans", choices=(PAIRS, SPANS))
    vocabulary: int = setting(0, meaning="number of tokens; 0 takes it from the codec", unit="tokens", minimum=0)
    encoder_depth: int = setting(4, meaning="blocks that read", minimum=1)
    decoder_depth: int = setting(4, meaning="blocks that write", minimum=1)
    width: int = setting(128, meaning="channels of the residual stream", minimum=2)
    heads: int = setting(4, meaning="attention heads a block", minimum=1)
    hidden: int = setting(0, meaning="channels inside the feed-forward part; 0 is 2 x width", minimum=0)
    tied: bool = setting(True, meaning="whether the output layer shares the embeddings' weights")
    copies: bool | None = setting(
        None,
        meaning="whether tokens may be taken over from the source, which T5 cannot; none: where many of the target's stand in the source",
    )
    buckets: int = setting(32, meaning="classes of distances between two positions", minimum=4, maximum=1024)
    farthest: int = setting(
        128, meaning="distance from which on all are one class", unit="tokens", minimum=8, maximum=1 << 20
    )
    dropout: float = setting(0.1, meaning="share of channels dropped while training", minimum=0.0, maximum=0.9)
    smoothing: float = setting(
        0.1,
        meaning="share of the probability that all tokens get alike in what is to be learned",
        minimum=0.0,
        maximum=0.9,
    )
    norm_epsilon: float = setting(1e-6, meaning="added to the mean square in norms", minimum=0.0, maximum=1.0)
    source_length: int = setting(
        32, meaning="usual length of a source; 0 takes it from the codec", unit="tokens", minimum=0, maximum=1 << 20
    )
    target_length: int = setting(
        32, meaning="usual length of a target; 0 takes it from the codec", unit="tokens", minimum=0, maximum=1 << 20
    )
    context: int = setting(
        256, meaning="spans: positions of a text that are read at a time", unit="tokens", minimum=16, maximum=1 << 16
    )
    noise_share: float = setting(0.15, meaning="spans: share of the tokens taken out", minimum=0.01, maximum=0.9)
    span_length: float = setting(3.0, meaning="spans: mean length of one", unit="tokens", minimum=1.0)
    marks: int = setting(0, meaning="spans: tokens that stand for one, after padding and end", minimum=0, maximum=1000)

    def check(self) -> None:
        """Check the fields, that the width divides, and that there are marks enough for the spans of a window."""
        super().check()
        if self.width % self.heads:
            raise ConfigError(
                f"width {self.width} does not divide into {self.heads} heads", expected="a multiple of the heads"
            )
        if self.buckets % 4:
            raise ConfigError(f"{self.buckets} buckets", expected="a multiple of 4: two directions, near and far")
        if self.farthest <= self.buckets:
            raise ConfigError(f"farthest is {self.farthest}", expected=f"more than the {self.buckets} buckets")
        if self.learns == SPANS and self.marks < self.spans:
            raise ConfigError(f"{self.marks} marks for {self.spans} spans", expected="one for each, or fewer spans")

    @property
    def batching(self) -> Literal["windows", "ragged"]:  # type: ignore[override]
        """Spans are taken out of windows of one stream; pairs differ in length."""
        return "windows" if self.learns == SPANS else "ragged"

    @property
    def window_length(self) -> int:
        """Positions a window, or tokens of a usual target."""
        return self.context if self.learns == SPANS else max(1, self.target_length)

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.heads

    @property
    def hidden_width(self) -> int:
        """Channels inside the feed-forward part, with the default filled in."""
        return self.hidden or 2 * self.width

    @property
    def noise(self) -> int:
        """Tokens of a window that are taken out."""
        return max(1, min(self.context - 1, round(self.context * self.noise_share)))

    @property
    def spans(self) -> int:
        """Spans of a window that are taken out."""
        return max(1, min(round(self.noise / self.span_length), self.noise, self.context - self.noise))

    @property
    def lengths(self) -> tuple[int, int]:
        """Positions of encoder and decoder for one example."""
        if self.learns == SPANS:
            return self.context - self.noise + self.spans + 1, self.noise + self.spans + 1
        return max(1, self.source_length), max(1, self.target_length)

    def accepts(self) -> TensorSpec:
        """Return source and target, or a stream of text."""
        slot = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.vocabulary or None)
        # What is learned without pairs can still be asked to fill in what is missing in a text.
        source = dataclasses.replace(slot, optional=self.learns == SPANS)
        return TensorSpec({SOURCE: source, TARGET: slot})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with the codec's vocabulary and, where it knows them, its usual lengths and whether there is much to copy."""
        found = {
            name: made[slot].usual
            for name, slot in (("source_length", SOURCE), ("target_length", TARGET))
            if slot in made and made[slot].usual is not None
        }
        shared = made[TARGET].shared or 0.0
        copies = shared > COPIED_SHARE if self.copies is None else self.copies
        return self.changed(vocabulary=made[TARGET].vocabulary, copies=copies, **found)

    def with_width(self, width: int) -> Self:
        """Return a copy of another width, with heads of the usual width and as deep as suits."""
        heads = max(1, width // (HEAD_WIDTH if width < 512 else 2 * HEAD_WIDTH))
        depth = 3 if width < 96 else 4 if width < 384 else 6
        return self.changed(width=width, heads=heads, encoder_depth=depth, decoder_depth=depth, hidden=0)

    def scaled_to(self, parameters: int) -> Self:
        """Return the shape that comes closest to so many parameters."""
        widths = [*range(HEAD_WIDTH, 512, HEAD_WIDTH), *range(512, 4097, 2 * HEAD_WIDTH)]
        return min(
            (self.with_width(width) for width in widths),
            key=lambda sized: abs(sized.parameter_count() / parameters - 1),
        )

    def encoder_weights(self) -> int:
        """Return the weights in matrices of the encoder."""
        return self.encoder_depth * (4 * self.width**2 + 3 * self.width * self.hidden_width)

    def decoder_weights(self) -> int:
        """Return the weights in matrices of the decoder that its own positions pass through."""
        return self.decoder_depth * (6 * self.width**2 + 3 * self.width * self.hidden_width)

    def parameter_count(self) -> int:
        """Return the exact number of trainable parameters."""
        gains = self.width * (2 * self.encoder_depth + 3 * self.decoder_depth + 2)
        crossing = self.decoder_depth * 2 * self.width**2
        tables = self.vocabulary * self.width * (1 if self.tied else 2)
        positions = 2 * self.buckets * self.heads
        copying = 2 * self.width**2 + self.width + 1 if self.copies else 0
        return self.encoder_weights() + self.decoder_weights() + crossing + gains + tables + positions + copying

    def training_operations(self) -> float:
        """Return operations a token of the target (of spans: of the window), forward and backward, attention over usual lengths."""
        source, target = self.lengths
        copying = self.width**2 if self.copies else 0
        crossing = self.decoder_depth * 2 * self.width**2 + copying
        matrices = source * (self.encoder_weights() + crossing) + target * (
            self.decoder_weights() + self.vocabulary * self.width + copying
        )
        attention = (
            2 * self.width * (self.encoder_depth * source**2 + self.decoder_depth * (target**2 + source * target))
        )
        if self.copies:
            attention += self.width * source * target
        return 6.0 * (matrices + attention) / self.window_length

    def activation_bytes(self) -> float:
        """Return the bytes that training keeps for one example: streams and hidden channels in 2 to 4 bytes, attention weights, logits."""
        source, target = self.lengths
        streams = 48.0 * self.width + 10.0 * self.hidden_width
        attention = 8.0 * self.heads
        encoder = self.encoder_depth * source * (streams + attention * source)
        decoder = self.decoder_depth * target * (1.6 * streams + attention * (source + target))
        return encoder + decoder + target * 12.0 * min(self.vocabulary, 16384)

    @property
    def first_mark(self) -> int:
        """The token that stands for the first span."""
        return END_TOKEN + 1
