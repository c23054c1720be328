"""A checkpoint of transformers as a family: it samples, predicts and is measured as it came, and what continues text learns.

The network is that of transformers; as it came, and under an adapter, its tensors stay in their folder and are none of the family's own.
Where all of its weights are learned they are, and the folder is needed no more (``text_whole``). What the head of a checkpoint is not for
is refused with the name of its class. A network of mainstream layout becomes one of ours, with fast decoding, by ``makar import``.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.errors import UnsupportedError
from makar.families.adapter_config import ADAPTER_SETTINGS
from makar.families.adapter_files import AdapterFile, with_adapters
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.checkpoint_folder import CheckpointFolder
from makar.families.pretrained.memory import free_bytes_of
from makar.families.pretrained.text_adapter import AdaptedModule, adapt, layers_in_blocks
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
from makar.families.pretrained.text_places import logits_at, stream_of
from makar.families.pretrained.text_sampler import Answering, PretrainedTextSampler
from makar.families.pretrained.text_whole import (
    as_whole,
    classifier_settings,
    empty_network,
    every_tensor,
    stated_folder,
)
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
        self._unused: tuple[str, ...] = ()
        if config.network:
            # Weights that learn stay exact; products may be halved.
            self.folder: CheckpointFolder = stated_folder(config)
            self._precision = "float32"
            self.network = empty_network(config)
            return
        # A sentence encoder is opened without the head that its folder may name.
        self.folder = dataclasses.replace(checkpoint_of(config), architecture=config.architecture)
        device = working_device().type
        self._precision = fitting_precision(config.weights, device=device, free_bytes=free_bytes_of(device))
        network, self._unused = open_network(self.folder, precision=self._precision, learns=config.learns)
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
            expected="a checkpoint that continues text: an adapter of it, or all of its weights, can be learned",
            do=f"makar train DATA --from {self.folder.path.name} [--adapter lora]",
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
        config: Names the folder by its hash, or holds its settings where all of its weights learn.
    """

    def __init__(self, config: PretrainedTextConfig) -> None:
        super().__init__(config)
        self._learned: dict[str, nn.Parameter] = {}
        self._added: tuple[AdapterFile, ...] = ()
        self._product = "float32"
        if config.adapter is not None:
            self._learned = adapt(self.network, config.adapter, config.adapter.chosen(config.linear_sizes()))
        if config.learns and config.recompute:
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

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over the weights of a checkpoint, or what an adapter has learned; over its own base an adapter begins as it was drawn.

        Raises:
            TensorMismatchError: The parent is of other sizes.
        """
        del batches
        assert isinstance(parent, CausalCheckpoint), "begins from a checkpoint"
        if self.config.network:
            self.load_tensors(every_tensor(parent.network))
        elif parent.config.adapter is not None:
            self.load_tensors(parent.tensors())

    def groups(self) -> list[ParameterGroup]:
        """Return what learns: of an adapter everything alike; of a whole network matrices of the blocks, which decay, and others."""
        if self.config.adapter is not None:
            return [ParameterGroup(parameters=list(self._learned.values()))]
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            in_block = parameter.ndim > 1 and any(part.isdigit() for part in name.split("."))
            (matrices if in_block else others).append(parameter)
        return [ParameterGroup(parameters=matrices), ParameterGroup(parameters=others, weight_decay=0.0)]

    def phases(self) -> list[Phase]:
        """Return the one phase of what learns: it minimises the next-token loss."""
        if not self.config.learns:
            return super().phases()
        return [Phase(name="next_token", groups=self.groups(), loss=self._loss)]

    def stream(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length width"]:
        """Return the stream before the output layer."""
        with self._arithmetic():
            return stream_of(self.network, tokens)

    def logits_at(
        self, tokens: Int[Tensor, "batch length"], places: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "places vocabulary"]:
        """Return the logits of the next token at some places, float32."""
        with self._arithmetic():
            return logits_at(self.network, tokens, places)

    @contextlib.contextmanager
    def stepped_back(self) -> Iterator[None]:
        """Compute what the checkpoint did before the adapter learned, for a while."""
        changed = [module for module in self.network.modules() if isinstance(module, AdaptedModule)]
        for module in changed:
            module.is_plain = True
        try:
            yield
        finally:
            for module in changed:
                module.is_plain = False

    def tensors(self) -> dict[str, Tensor]:
        """Return what an adapter has learned, as PEFT names it, or all weights that learn; the others stay in their folder."""
        if self.config.network:
            return every_tensor(self.network)
        return {name: value.detach() for name, value in self._learned.items()}

    def merged(self) -> "CausalCheckpoint":
        """Return a model of its own weights that computes the same: those of the base with the changes of the adapter in them."""
        if self.config.adapter is None:
            return self
        whole = CausalCheckpoint(as_whole(self.config.changed(adapter=None, recompute=False)))
        turned = {name for name, _, is_turned in layers_in_blocks(whole.network) if is_turned}
        found = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        for name, module in self.network.named_modules():
            if isinstance(module, AdaptedModule):
                found[f"{name}.weight"] = module.inner.weight.T if name in turned else module.inner.weight
        whole.load_tensors({name: found[name] for name in whole.tensors()})
        return whole.eval()

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return the settings by which PEFT opens an adapter, or those of a whole network, and the tokenizer that it was learned over."""
        config = self.config
        if not config.learns:
            return {}
        named: dict[str, dict[str, Any]] = {"tokenizer_config.json": self._tokenizer_settings(codec)}
        if config.network:
            named["config.json"] = json.loads(config.network) | {**codec.token_numbers(), "dtype": "float32"}
            named["generation_config.json"] = {"do_sample": True, **codec.token_numbers()}
        files = {name: json.dumps(values, indent=2).encode() for name, values in named.items()}
        if config.adapter is not None:
            names, is_turned = config.adapter.chosen(config.linear_sizes()), self.folder.model_type in TURNED_TYPES
            files[ADAPTER_SETTINGS] = peft_settings(config.adapter, names=names, is_turned=is_turned)
        return files | {"tokenizer.json": codec.tokenizer_json()}

    def judging_files(self, files: Mapping[str, bytes], *, filling: int) -> dict[str, bytes]:
        """Return some files as those of a classifier with one number, ``score``, where transformers has one over this network.

        Args:
            files: What ``files`` gives.
            filling: Token that fills rows up, which ends none.
        """
        changes: dict[str, dict[str, Any]] = {
            ADAPTER_SETTINGS: {"task_type": "SEQ_CLS", "modules_to_save": ["score"]},
            "config.json": classifier_settings(self.folder) | {"pad_token_id": filling},
        }
        changed = {name: json.loads(files[name]) | values for name, values in changes.items() if name in files}
        return {name: json.dumps(values, indent=2).encode() for name, values in changed.items()}

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

    def _tokenizer_settings(self, codec: Any) -> dict[str, Any]:
        """Return the file by which transformers opens the tokenizer as it is, chat template and all."""
        limit = {"model_max_length": self.config.context} if self.config.context else {}
        return {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **limit,
            **codec.token_names(),
            "clean_up_tokenization_spaces": False,
        }

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
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
        with self._arithmetic():
            logits = self.network(input_ids=tokens[:, :-1], use_cache=False)["logits"]
        value = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
        return Loss(value=value, count=tokens[:, 1:].numel(), unit=UNIT)

    def _arithmetic(self) -> torch.autocast:
        return torch.autocast(self.network.device.type, dtype=torch.bfloat16, enabled=self._product == "bfloat16")


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
