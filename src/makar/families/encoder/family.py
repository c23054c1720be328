"""What families of encoders share: the network with its head, weights that another may lend, names for transformers; none writes."""

import copy
import json
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from makar.families.encoder.config import EncoderConfig
from makar.families.encoder.layouts import encoder_settings, saved_name, tokenizer_files
from makar.families.encoder.network import EncoderNetwork, ReadingHead
from makar.families.encoder.options import EncoderOptions, EncoderSampler
from makar.families.encoder.reading import hidden_tokens, take_encoder
from makar.families.family import Batch, Family, OnnxPart
from makar.families.logits_hook import LogitsHook, refuse_hook


class HeadedNetwork(nn.Module):
    """An encoder with a head.

    Args:
        config: Sizes.
        outputs: Numbers that the head says; 0 for one whose last layer are the vectors of the tokens.
    """

    def __init__(self, config: EncoderConfig, outputs: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = EncoderNetwork(config)
        self.head = ReadingHead(config, outputs)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.encoder.initialise(generator)
        self.head.initialise(generator)

    def vectors(
        self,
        tokens: Int[Tensor, "batch length"],
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> tuple[Float[Tensor, "batch length width"], Bool[Tensor, "batch length"]]:
        """Return one vector a token, and which tokens are there; see ``read_with_hidden``."""
        return read_with_hidden(self.encoder, tokens, dtype, generator)


def read_with_hidden(
    encoder: EncoderNetwork,
    tokens: Int[Tensor, "batch length"],
    dtype: torch.dtype,
    generator: torch.Generator | None,
    *,
    added: Float[Tensor, "batch length width"] | None = None,
) -> tuple[Float[Tensor, "batch length width"], Bool[Tensor, "batch length"]]:
    """Return one vector a token, and which tokens are there.

    Args:
        encoder: The encoder.
        tokens: Filled up with the padding token.
        dtype: Type of the products.
        generator: Source of dropout's masks and of hidden tokens; ``None`` as outside training.
        added: Added to the vectors of the tokens; ``None`` for nothing.
    """
    config = encoder.config
    exists = tokens != config.padding_token
    hidden = hidden_tokens(tokens, config.hidden_share, generator, mask=config.mask_token)
    read = torch.where(hidden & exists, config.mask_token, tokens)
    return encoder(read, dtype=dtype, generator=generator, added=added), exists


class EncodingNetwork(Protocol):
    """A network with an encoder, whatever its head is."""

    encoder: EncoderNetwork

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""


class EncoderFamily(Family):
    """A family of one encoder of text with a head.

    Args:
        config: Sizes, bound to what the codec makes.
        network: The network, with an ``encoder``.
    """

    options: ClassVar[type[EncoderOptions]] = EncoderOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True
    architecture: ClassVar[str]
    """Class of transformers that opens the saved model."""

    def __init__(self, config: EncoderConfig, network: nn.Module) -> None:
        super().__init__()
        self.config: EncoderConfig = config
        self.precision = "float32"
        self.network = network

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        cast(EncodingNetwork, self.network).initialise(generator)

    @property
    def encoders(self) -> list[EncoderNetwork]:
        """The encoders that may begin from another."""
        return [cast(EncodingNetwork, self.network).encoder]

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over a model of the same family whole, and of any other encoder what reads."""
        if type(parent) is type(self):
            super().begin_from(parent, batches)
        else:
            for encoder in self.encoders:
                take_encoder(encoder, parent)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> EncoderSampler:
        """Return a sampler that says what writes texts."""
        del codec
        refuse_hook(hook)
        return EncoderSampler()

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights, those of the encoder and its head under the names of ``architecture``."""
        return {saved_name(name): value for name, value in self.state_dict().items()}

    @property
    def is_known(self) -> bool:
        """Whether ``architecture`` says the same: not where something that transformers does not know takes part."""
        return True

    def settings(self, codec: Any) -> dict[str, Any]:
        """Return what ``config.json`` says beyond sizes; nothing by default."""
        del codec
        return {}

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return config.json, tokenizer.json and tokenizer_config.json; nothing where transformers would say something else."""
        if not self.is_known:
            return {}
        settings = encoder_settings(self.config, architecture=self.architecture, end_token=codec.end_token)
        said = json.dumps(settings | self.settings(codec), indent=2)
        return {"config.json": said.encode(), **tokenizer_files(self.config, codec)}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from tokens to what it says."""
        tokens = torch.arange(8).view(2, 4) % max(1, self.config.vocabulary)
        module, output, further = self.onnx_module()
        names = {name: {0: "batch", 1: name} for name in further}
        return [
            OnnxPart(
                name="model",
                module=copy.deepcopy(module).eval(),
                inputs={"tokens": tokens, **further},
                outputs=(output,),
                dynamic={"tokens": {0: "batch", 1: "length"}, **names},
            )
        ]

    def onnx_module(self) -> tuple[nn.Module, str, dict[str, Tensor]]:
        """Return what is exported, the name of what it says, and examples of inputs beside tokens; by default the network's logits."""
        return self.network, "logits", {}
