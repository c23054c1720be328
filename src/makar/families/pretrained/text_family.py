"""A checkpoint of transformers as a family: it samples, predicts and is measured as it came, and what continues text learns adapters.

The network is that of transformers; its tensors stay in their folder and are none of the family's own, which are those of an adapter
alone. What the head of a checkpoint is not for is refused with the name of its class. A network of mainstream layout becomes one of ours,
with training and fast decoding, by ``makar import``.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.errors import UnsupportedError
from makar.families.adapter_config import ADAPTER_SETTINGS
from makar.families.adapter_files import AdapterFile, with_adapters
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.checkpoint_folder import CheckpointFolder
from makar.families.pretrained.memory import free_bytes_of
from makar.families.pretrained.text_adapter import adapt, layers_in_blocks
from makar.families.pretrained.text_config import (
    CAUSAL,
    MEANINGS,
    SEQ2SEQ,
    VECTORS,
    PretrainedTextConfig,
    fitting_precision,
)
from makar.families.pretrained.text_opening import TURNED_TYPES, checkpoint_of, open_network
from makar.families.pretrained.text_options import AnswerOptions
from makar.families.pretrained.text_sampler import Answering, PretrainedTextSampler
from makar.families.transformer.adapted import peft_settings
from makar.families.transformer.options import TextOptions
from makar.nn.device import working_device
from makar.nn.low_rank import AdaptedLinear
from makar.tensor_spec import TARGET

UNIT = "nats/token"


class PretrainedTextFamily(Family):
    """A checkpoint whatever its head is for; subclasses sample or predict.

    Args:
        config: Names the folder by its hash.

    Raises:
        ArtifactError: The folder is not on this machine, or another one.
        MissingExtraError: transformers is absent.
    """

    options: ClassVar[type[TextOptions]] = TextOptions

    def __init__(self, config: PretrainedTextConfig) -> None:
        super().__init__()
        self.config: PretrainedTextConfig = config
        # A sentence encoder is opened without the head that its folder may name.
        self.folder: CheckpointFolder = dataclasses.replace(checkpoint_of(config), architecture=config.architecture)
        device = working_device().type
        self._precision = fitting_precision(config.weights, device=device, free_bytes=free_bytes_of(device))
        network, self._unused = open_network(self.folder, precision=self._precision)
        self.network = network

    @property
    def computing(self) -> dict[str, Any]:
        """The number format of the weights, and the tensors of the folder that the network has no place for."""
        return {"precision": self._precision, "unused_tensors": list(self._unused)}

    def initialise(self, generator: torch.Generator) -> None:
        """Draw nothing: the weights came with the folder."""
        del generator

    def phases(self) -> list[Phase]:
        """Refuse: a checkpoint as it came learns nothing."""
        raise UnsupportedError(
            f"a {self.config.architecture} as it came has nothing to learn",
            expected="an adapter of it, or a model of ours",
            do="--adapter lora; or makar import FOLDER -o NAME, where its layout is known, and train --from NAME",
        )

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Refuse: this head does not say how likely a text is."""
        del batch, generator
        raise self._wrong_head("how likely a text is", CAUSAL)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Refuse: this head writes nothing."""
        del codec
        refuse_hook(hook)
        raise self._wrong_head("new text", CAUSAL, SEQ2SEQ)

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: the tensors stay in their folder."""
        return {}

    def onnx_parts(self) -> list[OnnxPart]:
        """Refuse: the folder is in a standard format already."""
        raise UnsupportedError(
            f"{self.folder.path.name} is in the format of transformers already", expected="a model of ours"
        )

    def _wrong_head(self, wanted: str, *able: str) -> UnsupportedError:
        config = self.config
        do = f"makar predict {self.folder.path} TEXT" if config.predictions else ""
        return UnsupportedError(
            f"{self.folder.path.name} is a {config.architecture}, which {MEANINGS[config.task]}; {wanted} was asked for",
            expected=f"a checkpoint that {' or '.join(MEANINGS[task] for task in able)}",
            do=do or ("makar generate " + str(self.folder.path) + " TEXT"),
        )


class CausalCheckpoint(PretrainedTextFamily):
    """A checkpoint that continues text: GPT-2, Llama, Qwen, Gemma, Mistral and those after them; or an adapter of one.

    Args:
        config: Names the folder by its hash.
    """

    def __init__(self, config: PretrainedTextConfig) -> None:
        super().__init__(config)
        self._learned: dict[str, nn.Parameter] = {}
        self._added: tuple[AdapterFile, ...] = ()
        self._product = "float32"
        if config.adapter is not None:
            self._learned = adapt(self.network, config.adapter, config.adapter.chosen(config.linear_sizes()))
            if config.recompute:
                self.network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    @property
    def computing(self) -> dict[str, Any]:
        """The number format, tensors without a place, and the adapters that were added."""
        added = {"adapters": [one.to_dictionary() for one in self._added]} if self._added else {}
        return super().computing | added

    @property
    def precision(self) -> str:
        """Number format of products while an adapter learns."""
        return self._product

    @precision.setter
    def precision(self, name: str) -> None:
        self._product = name
        if self.config.adapter is not None and self.config.adapter.bits == 4:
            for layer in self._layers():
                layer.frozen.keep_as("normal-float")

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the first matrices of an adapter; the weights came with the folder."""
        for layer in self._layers():
            layer.initialise(generator)

    def phases(self) -> list[Phase]:
        """Return the one phase of an adapter: it minimises the next-token loss."""
        if self.config.adapter is None:
            return super().phases()
        groups = [ParameterGroup(parameters=list(self._learned.values()))]
        return [Phase(name="next_token", groups=groups, loss=self._loss)]

    def tensors(self) -> dict[str, Tensor]:
        """Return what an adapter has learned, as PEFT names it; the others stay in their folder."""
        return {name: value.detach() for name, value in self._learned.items()}

    def files(self, codec: PretrainedTextCodec) -> dict[str, bytes]:
        """Return the settings by which PEFT opens an adapter, and the tokenizer that it was learned over."""
        adapter, config = self.config.adapter, self.config
        if adapter is None:
            return {}
        is_turned = self.folder.model_type in TURNED_TYPES
        settings = peft_settings(adapter, names=adapter.chosen(config.linear_sizes()), is_turned=is_turned)
        return {ADAPTER_SETTINGS: settings, "tokenizer.json": codec.tokenizer_json()}

    @torch.no_grad()
    def add_adapters(self, adapters: Sequence[AdapterFile]) -> None:
        """Add adapters to the weights."""
        if self.config.adapter is not None:
            super().add_adapters(adapters)
        layers = {name: (module.weight, is_turned) for name, module, is_turned in layers_in_blocks(self.network)}
        weights = {f"{name}.weight": weight for name, (weight, _) in layers.items() if isinstance(weight, Tensor)}
        turned = {f"{name}.weight" for name, (_, is_turned) in layers.items() if is_turned}
        for name, value in with_adapters(weights, adapters, turned=turned).items():
            weights[name].copy_(value)
        self._added = (*self._added, *adapters)

    def _layers(self) -> Iterator[AdaptedLinear]:
        return (module for module in self.network.modules() if isinstance(module, AdaptedLinear))

    def sampler(self, codec: PretrainedTextCodec, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of continuations; the hook comes after the filters of the options."""
        return PretrainedTextSampler(
            self.network,
            codec=codec,
            context=self.config.context,
            vocabulary=self.config.vocabulary,
            hooks=_hooks(hook),
        )

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the mean nats of every token but the first."""
        del generator
        with torch.no_grad():
            return self._surprise(batch)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        del generator
        return self._surprise(batch)

    def _surprise(self, batch: Batch) -> Loss:
        device = self.network.device
        tokens = batch[TARGET].to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._product == "bfloat16"):
            logits = self.network(input_ids=tokens[:, :-1], use_cache=False)["logits"]
        value = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
        return Loss(value=value, count=tokens[:, 1:].numel(), unit=UNIT)


class AnsweringCheckpoint(PretrainedTextFamily):
    """A checkpoint that writes a text from a text: T5, BART, Marian and those after them."""

    options: ClassVar[type[TextOptions]] = AnswerOptions

    def sampler(self, codec: PretrainedTextCodec, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of answers; the hook comes after the filters of the options."""
        return PretrainedTextSampler(
            self.network,
            codec=codec,
            context=self.config.context,
            vocabulary=self.config.vocabulary,
            answering=self._answering(codec),
            hooks=_hooks(hook),
        )

    def _answering(self, codec: PretrainedTextCodec) -> Answering:
        said = [self.folder.generation(), self.folder.settings]
        start, forced = (
            next((values[name] for values in said if type(values.get(name)) is int), None)
            for name in ("decoder_start_token_id", "forced_bos_token_id")
        )
        return Answering(start=codec.begin_token if start is None else start, forced=forced)


def text_family_of(config: PretrainedTextConfig) -> PretrainedTextFamily:
    """Return the family of a checkpoint: what its head is for decides which."""
    from makar.families.pretrained.encoder_family import EncoderCheckpoint
    from makar.families.pretrained.sentence_family import VectorCheckpoint

    kinds = {CAUSAL: CausalCheckpoint, SEQ2SEQ: AnsweringCheckpoint, VECTORS: VectorCheckpoint}
    return kinds.get(config.task, EncoderCheckpoint)(config)


def _hooks(hook: LogitsHook | None) -> tuple[LogitsHook, ...]:
    return () if hook is None else (hook,)
