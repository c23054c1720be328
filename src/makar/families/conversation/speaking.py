"""What every model that talks can do: sample an answer, save itself so that `transformers` opens it, and begin from a model of text.

The network is the decoder transformer of ``families/transformer``. A model of text becomes one that talks by four more tokens, those of the
roles: their rows of the embeddings and of the output layer begin as the mean of the others, with a little noise so that they differ.
"""

import abc
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from makar.config import Config
from makar.families.adapter_files import AdapterFile
from makar.families.conversation.config import ChatConfig, SpeakingConfig, decoder_of
from makar.families.family import Batch, Family, OnnxPart, ParameterGroup, Sampler
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.family import PRECISIONS, TransformerFamily
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.new_rows import with_new_rows
from makar.families.transformer.objective import parameter_groups
from makar.families.transformer.options import TextOptions
from makar.nn.cross_entropy import PIECE_LOGITS, capped
from makar.registry import resolve

UNIT = "nats/token"
CHAT_FAMILY = ChatConfig.target
"""What only answers: the plainest model that talks."""


class SpeakingFamily(Family, abc.ABC):
    """A decoder transformer over conversations.

    Args:
        config: Sizes, with the vocabulary known.
    """

    options: ClassVar[type[Config]] = TextOptions

    def __init__(self, config: SpeakingConfig) -> None:
        super().__init__()
        self.config: SpeakingConfig = config
        self.writer = TransformerFamily(config.decoder)

    @property
    def network(self) -> TransformerNetwork:
        """The network."""
        return self.writer.network

    @property
    def precision(self) -> str:
        """Number format of matrix products: ``"float32"`` or ``"bfloat16"``. Weights stay in float32."""
        return self.writer.precision

    @precision.setter
    def precision(self, name: str) -> None:
        self.writer.precision = name

    @property
    def dtype(self) -> torch.dtype:
        """Type of matrix products."""
        return PRECISIONS[self.precision]

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.writer.initialise(generator)

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over the weights of a model of text or of conversations; tokens that it does not know get rows of their own.

        Raises:
            TensorMismatchError: The parent is of other sizes.
        """
        del batches
        theirs = decoder_of(parent.config)
        if self.config.decoder.adapter is not None and (theirs is None or theirs.adapter is None):
            # The parent is the base itself, which the network has already; the adapter begins as it was drawn.
            return
        own = self.writer.tensors()
        self.writer.load_tensors(with_new_rows(network_tensors(parent), own))

    @property
    def computing(self) -> dict[str, Any]:
        """The adapters that were added to the network."""
        return self.writer.computing

    def add_adapters(self, adapters: Sequence[AdapterFile]) -> None:
        """Add adapters to the network."""
        self.writer.add_adapters(adapters)

    def merged(self) -> "SpeakingFamily":
        """Return a model of its own weights that computes the same."""
        decoder = self.config.decoder
        if decoder.adapter is None:
            return self
        config = self.config.with_decoder(decoder.changed(adapter=None))
        whole: SpeakingFamily = resolve(config.target)(config)
        whole.writer.load_tensors(self.network.saved_tensors())
        return whole.eval()

    def groups(self) -> list[ParameterGroup]:
        """Return the parameters of the network: matrices, which decay, and others."""
        return parameter_groups(self.network)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of answers over a copy of the current weights."""
        return self.writer.sampler(codec, hook=hook)

    def conversation_sampler(self, codec: Any) -> Sampler:
        """Return a sampler for one conversation, which does not read again what it has read."""
        return self.writer.conversation_sampler(codec)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of transformers."""
        return self.writer.tensors()

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every weight by its name in ``tensors``.

        Raises:
            TensorMismatchError: Some are missing, unexpected or of another shape; the message lists them.
        """
        self.writer.load_tensors(tensors)

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return the files of transformers, the chat template in them."""
        files = self.writer.files(codec)
        settings = json.loads(files["tokenizer_config.json"])
        files["tokenizer_config.json"] = json.dumps(
            settings | {"chat_template": codec.chat_template}, indent=2
        ).encode()
        return files

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from tokens to logits, with batch and length free."""
        return self.writer.onnx_parts()

    def stream(
        self, tokens: Int[Tensor, "batch length"], generator: torch.Generator | None
    ) -> Float[Tensor, "batch length width"]:
        """Return the normed stream after the last block."""
        return self.network.stream(tokens, dtype=self.dtype, generator=generator)

    def log_probabilities(
        self,
        tokens: Int[Tensor, "batch length"],
        learned: Int[Tensor, "batch length"],
        generator: torch.Generator | None = None,
        *,
        temperature: float = 1.0,
    ) -> Float[Tensor, "batch length_less_one"]:
        """Return the log-probability of every learned token after the first, 0 elsewhere.

        Args:
            tokens: Rows, filled up at their ends.
            learned: 1 where a token counts.
            generator: Source of dropout's masks; ``None`` drops nothing.
            temperature: What the logits are divided by, as where tokens are drawn.
        """
        stream = self.stream(tokens[:, :-1], generator)
        counted = learned[:, 1:] > 0
        found = token_log_probabilities(stream[counted], self.network, tokens[:, 1:][counted], temperature=temperature)
        return torch.zeros(counted.shape, device=stream.device).masked_scatter(counted, found)


def token_log_probabilities(
    stream: Float[Tensor, "tokens width"],
    network: TransformerNetwork,
    targets: Int[Tensor, " tokens"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, " tokens"]:
    """Return the log-probability of each target, in pieces, so that few logits exist at a time without gradients."""
    head = network.head
    rows = max(1, PIECE_LOGITS // len(head)) if not torch.is_grad_enabled() else max(1, len(targets))
    cast = head.to(stream.dtype)
    parts = []
    for part, right in zip(stream.split(rows), targets.split(rows)):
        logits = capped((part @ cast.T).float(), network.logit_cap)
        # Division by 1 would be one more copy of the largest tensor there is.
        logits = logits if temperature == 1.0 else logits / temperature
        parts.append(-functional.cross_entropy(logits, right, reduction="none"))
    return torch.cat(parts) if parts else stream.new_zeros(0, dtype=torch.float32)


def network_tensors(parent: Family) -> dict[str, Tensor]:
    """Return the tensors of a model's decoder under their saved names."""
    return parent.writer.tensors() if isinstance(parent, SpeakingFamily) else parent.tensors()


def marked_mean(values: Float[Tensor, "batch length"], marks: Tensor) -> Float[Tensor, ""]:
    """Return the mean over marked places; 0 where there are none."""
    return (values * marks).sum() / marks.sum().clamp(min=1)


def as_talking(found: Family, config: SpeakingConfig) -> "SpeakingFamily":
    """Return a model as one that talks: itself, or a model of text with rows for the tokens that it lacks.

    Args:
        found: A model of text or of conversations.
        config: That of the model whose tokens it is to know.
    """
    if isinstance(found, SpeakingFamily):
        return found
    assert isinstance(found, TransformerFamily), "asked for models of text"
    decoder = found.config.changed(vocabulary=config.decoder.vocabulary)
    family: SpeakingFamily = resolve(CHAT_FAMILY)(ChatConfig(decoder=decoder, usual=config.usual))
    family.begin_from(found, [])
    return family.to(found.network.embeddings.device).eval()
