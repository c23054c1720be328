"""What every model that talks can do: sample an answer, save itself so that `transformers` opens it, and begin from a model of text.

The network is the decoder transformer of ``families/transformer``, or a checkpoint of transformers (``families/pretrained``), and either
is asked through ``token_scores``. A model of text becomes one that talks by four more tokens, those of the roles: their rows of the
embeddings and of the output layer begin as the mean of the others, with a little noise so that they differ. A checkpoint gets no tokens.
"""

import abc
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.config import Config
from makar.families.adapter_files import AdapterFile
from makar.families.conversation.config import ChatConfig, SpeakingConfig, decoder_of
from makar.families.conversation.token_scores import TokenScores, Writer, scores_of
from makar.families.family import Batch, Family, OnnxPart, ParameterGroup, Sampler, build_family
from makar.families.logits_hook import LogitsHook
from makar.families.pretrained.text_family import CausalCheckpoint
from makar.families.transformer.family import TransformerFamily
from makar.families.transformer.new_rows import with_new_rows
from makar.families.transformer.objective import parameter_groups
from makar.families.transformer.options import TextOptions
from makar.registry import resolve

UNIT = "nats/token"
CHAT_FAMILY = ChatConfig.target
"""What only answers: the plainest model that talks."""


class SpeakingFamily(Family, abc.ABC):
    """A decoder over conversations.

    Args:
        config: Sizes, with the vocabulary known.
        writer: The network, where it is there already; by default that of the configuration is built.
    """

    options: ClassVar[type[Config]] = TextOptions

    def __init__(self, config: SpeakingConfig, *, writer: Writer | None = None) -> None:
        super().__init__()
        self.config: SpeakingConfig = config
        built = build_family(config.decoder) if writer is None else writer
        assert isinstance(built, Writer), "decoders are of these families"
        self.writer: Writer = built

    @property
    def network(self) -> Any:
        """The network: a ``TransformerNetwork``, or one of transformers."""
        return self.writer.network

    @property
    def token_scores(self) -> TokenScores:
        """Who is asked about the tokens of rows."""
        return scores_of(self.writer)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.token_scores.device

    @property
    def precision(self) -> str:
        """Number format of matrix products: ``"float32"`` or ``"bfloat16"``. Weights stay in float32."""
        return self.writer.precision

    @precision.setter
    def precision(self, name: str) -> None:
        self.writer.precision = name

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.writer.initialise(generator)

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over the weights of a model of text or of conversations; tokens that it does not know get rows of their own.

        Raises:
            TensorMismatchError: The parent is of other sizes.
        """
        del batches
        if isinstance(self.writer, CausalCheckpoint):
            self.writer.begin_from(writer_in(parent), [])
            return
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
        if self.config.decoder.adapter is None:
            return self
        writer = self.writer.merged()
        config = self.config.with_decoder(writer.config)
        whole: SpeakingFamily = resolve(config.target)(config)
        whole.writer.load_tensors(writer.tensors())
        return whole.eval()

    def groups(self) -> list[ParameterGroup]:
        """Return the parameters of the network: matrices, which decay, and others."""
        return self.writer.groups() if isinstance(self.writer, CausalCheckpoint) else parameter_groups(self.network)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of answers over a copy of the current weights."""
        return self.writer.sampler(codec, hook=hook)

    def conversation_sampler(self, codec: Any) -> Sampler:
        """Return a sampler for one conversation, which does not read again what it has read, where the network is ours."""
        if isinstance(self.writer, CausalCheckpoint):
            return self.writer.sampler(codec)
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
        """Return the stream before the output layer."""
        return self.token_scores.stream(tokens, generator)

    def log_probabilities(
        self,
        tokens: Int[Tensor, "batch length"],
        learned: Int[Tensor, "batch length"],
        generator: torch.Generator | None = None,
        *,
        temperature: float = 1.0,
    ) -> Float[Tensor, "batch length_less_one"]:
        """Return the log-probability of every learned token after the first, 0 elsewhere; see ``TokenScores``."""
        return self.token_scores.log_probabilities(tokens, learned, generator, temperature=temperature)


def writer_in(parent: Family) -> Family:
    """Return the network of a model: of one that talks its decoder."""
    return parent.writer if isinstance(parent, SpeakingFamily) else parent


def network_tensors(parent: Family) -> dict[str, Tensor]:
    """Return the tensors of a model's decoder under their saved names."""
    return writer_in(parent).tensors()


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
    if isinstance(found, CausalCheckpoint):
        return over_checkpoint(found, usual=config.usual)
    assert isinstance(found, TransformerFamily), "asked for models of text"
    decoder = found.config.changed(vocabulary=config.decoder.vocabulary)
    family: SpeakingFamily = resolve(CHAT_FAMILY)(ChatConfig(decoder=decoder, usual=config.usual))
    family.begin_from(found, [])
    return family.to(found.network.embeddings.device).eval()


def over_checkpoint(found: CausalCheckpoint, *, usual: int) -> "SpeakingFamily":
    """Return a checkpoint of text as one that talks: it is the same network, which writes turns as text."""
    family: SpeakingFamily = resolve(CHAT_FAMILY)(ChatConfig(decoder=found.config, usual=usual), writer=found)
    return family.eval()
