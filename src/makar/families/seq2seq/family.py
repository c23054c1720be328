"""The encoder-decoder transformer as a family: one phase, pairs of texts or spans of one, saved so that `transformers` opens it."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from makar.codecs.pair import PADDING_NAME
from makar.codecs.tokenizer_codec import END
from makar.errors import ConfigError, TensorMismatchError
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler, unfit_tensors
from makar.families.logits_hook import LogitsHook
from makar.families.seq2seq.config import SPANS, Seq2seqConfig
from makar.families.seq2seq.layout import COPYING, saved_names, settings_files
from makar.families.seq2seq.network import Seq2seqNetwork
from makar.families.seq2seq.onnx import DecoderLogits, EncoderStates
from makar.families.seq2seq.options import Seq2seqOptions
from makar.families.seq2seq.sampler import Seq2seqSampler
from makar.families.seq2seq.spans import drawn_spans, without_spans
from makar.nn.cross_entropy import linear_cross_entropy
from makar.tensor_spec import END_TOKEN, PADDING_TOKEN, SOURCE, TARGET

UNIT = "nats/token"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@runtime_checkable
class KnowsRepeats(Protocol):
    """A codec that knows how its targets repeat themselves."""

    rare_run: int
    """Shortest run of tokens that hardly any target has twice; 0 for none."""


class Seq2seqFamily(Family):
    """A network that reads a text and writes another.

    Args:
        config: Sizes, with the vocabulary known.

    Raises:
        ConfigError: The vocabulary is not known yet.
    """

    options: ClassVar[type[Seq2seqOptions]] = Seq2seqOptions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: Seq2seqConfig) -> None:
        super().__init__()
        if config.vocabulary == 0:
            raise ConfigError("the vocabulary is 0", expected="a configuration bound to a fitted codec")
        self.config: Seq2seqConfig = config
        self.network = Seq2seqNetwork(config)
        self.precision = "float32"

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over every tensor of the parent; what only one of the two has for copying is new, or left behind."""
        del batches
        own, theirs = self.tensors(), parent.tensors()
        kept = {name: tensor for name, tensor in theirs.items() if name in own or not name.startswith(COPYING)}
        new = {name: tensor for name, tensor in own.items() if name not in theirs and name.startswith(COPYING)}
        self.load_tensors(kept | new)

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at what is to be written."""
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            is_matrix = name.startswith(("encoder.", "decoder.", "copying.")) and parameter.ndim == 2
            (matrices if is_matrix else others).append(parameter)
        groups = [ParameterGroup(parameters=matrices), ParameterGroup(parameters=others, weight_decay=0.0)]
        return [Phase(name="rewriting", groups=groups, loss=self._loss)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Take spans out of windows; pairs are passed on."""
        if self.config.learns != SPANS:
            return batch
        config = self.config
        windows = batch[TARGET][:, : config.context]
        taken = drawn_spans(
            len(windows), config.context, noise=config.noise, spans=config.spans, generator=generator
        ).to(windows.device)
        source, target = without_spans(windows, taken, first_mark=config.first_mark)
        return {SOURCE: source, TARGET: target}

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise without dropout and smoothing; spans are those that the generator draws."""
        with torch.no_grad():
            return self._surprise(self.prepare(batch, generator), None, smoothing=0.0)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        return self._surprise(batch, generator, smoothing=self.config.smoothing)

    def _surprise(self, batch: Batch, generator: torch.Generator | None, *, smoothing: float) -> Loss:
        source, target = batch[SOURCE], batch[TARGET]
        counted = first_text(target)
        begun = torch.nn.functional.pad(target, (1, 0), value=PADDING_TOKEN)[:, :-1]
        exists = source != PADDING_TOKEN
        states = self.network.read(source, exists, dtype=PRECISIONS[self.precision], generator=generator)
        stream = self.network.write(states, exists, begun, generator=generator)
        beside = None
        if self.network.copying is not None:
            left, found = self.network.copying.beside(stream, states, source, target)
            beside = left[counted], found[counted]
        value = linear_cross_entropy(
            stream[counted], self.network.head, target[counted], smoothing=smoothing, beside=beside
        )
        return Loss(value=value, count=int(counted.sum()), unit=UNIT)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler over the current weights; the hook comes after the filters of the options."""
        return Seq2seqSampler(
            self.network,
            decode_tokens=codec.decode_tokens,
            hooks=() if hook is None else (hook,),
            rare_run=_rare_run(codec),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of T5ForConditionalGeneration."""
        parameters = dict(self.network.named_parameters())
        saved: dict[str, Tensor] = {}
        for name, parts in saved_names(self.config):
            pieces = parameters[name].detach().split([part.rows for part in parts])
            for part, piece in zip(parts, pieces, strict=True):
                saved[part.name] = piece.contiguous() if part.scale == 1.0 else piece * part.scale
        return saved

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every weight by its name in ``tensors``.

        Raises:
            TensorMismatchError: Some are missing, unexpected or of another shape; the message lists them.
        """
        if problems := unfit_tensors(self.tensors(), tensors):
            raise TensorMismatchError(
                f"{len(problems)} tensors do not fit: " + "; ".join(problems),
                expected="exactly the tensors of its configuration",
            )
        parameters = dict(self.network.named_parameters())
        for name, parts in saved_names(self.config):
            pieces = [tensors[part.name] / part.scale for part in parts]
            parameters[name].copy_(torch.cat(pieces))

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return tokenizer.json and, where the network is of T5's shape, what `transformers` wants to know of it."""
        tokenizer = {"tokenizer.json": codec.tokenizer_json()}
        if self.config.copies:
            # Other programs would leave the copying out and write something else.
            return tokenizer
        settings = settings_files(self.config, end_name=END, padding_name=PADDING_NAME, rare_run=_rare_run(codec))
        return {**settings, **tokenizer}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the encoder, from tokens to states, and the decoder, from states and tokens to logits."""
        network = copy.deepcopy(self.network).eval()
        tokens = 2 + torch.arange(6).view(2, 3) % (self.config.vocabulary - 2)
        return [
            OnnxPart(
                name="encoder",
                module=EncoderStates(network).eval(),
                inputs={"source": tokens},
                outputs=("states",),
                dynamic={"source": {0: "batch", 1: "others"}},
            ),
            OnnxPart(
                name="decoder",
                module=DecoderLogits(network).eval(),
                inputs={
                    "states": torch.zeros(2, 3, self.config.width),
                    "source": tokens,
                    "begun": torch.nn.functional.pad(tokens, (1, 0)),
                },
                outputs=("logits",),
                dynamic={
                    "states": {0: "batch", 1: "others"},
                    "source": {0: "batch", 1: "others"},
                    "begun": {0: "batch", 1: "length"},
                },
            ),
        ]


def first_text(target: Int[Tensor, "batch length"]) -> Bool[Tensor, "batch length"]:
    """Return which tokens are learned: those of the first text of a row, its end among them.

    >>> first_text(torch.tensor([[5, 6, 1, 7, 1], [5, 1, 0, 0, 0]])).int().tolist()
    [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    """
    is_end = (target == END_TOKEN).long()
    return (target != PADDING_TOKEN) & (is_end.cumsum(1) - is_end == 0)


def _rare_run(codec: Any) -> int:
    return codec.rare_run if isinstance(codec, KnowsRepeats) else 0
