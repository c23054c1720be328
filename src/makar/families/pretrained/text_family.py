"""A checkpoint of transformers as a family: it samples, predicts and is measured as it came, and learns nothing.

The network is that of transformers; its tensors stay in their folder and are none of the family's own. What the head of a checkpoint is not
for is refused with the name of its class. A network of mainstream layout becomes one of ours, with training and fast decoding, by
``makar import``.
"""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.errors import UnsupportedError
from makar.families.family import Batch, Family, Loss, OnnxPart, Phase, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.checkpoint_folder import CheckpointFolder
from makar.families.pretrained.memory import free_bytes_of
from makar.families.pretrained.text_config import CAUSAL, MEANINGS, SEQ2SEQ, PretrainedTextConfig, fitting_precision
from makar.families.pretrained.text_opening import checkpoint_of, open_network
from makar.families.pretrained.text_options import AnswerOptions
from makar.families.pretrained.text_sampler import Answering, PretrainedTextSampler
from makar.families.transformer.options import TextOptions
from makar.nn.device import working_device
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
        self.folder: CheckpointFolder = checkpoint_of(config)
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
            expected="a model of ours",
            do="makar import FOLDER -o NAME, where its layout is known, and train --from NAME",
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
    """A checkpoint that continues text: GPT-2, Llama, Qwen, Gemma, Mistral and those after them."""

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
        tokens = batch[TARGET].to(self.network.device)
        with torch.no_grad():
            logits = self.network(input_ids=tokens[:, :-1])["logits"]
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

    kinds = {CAUSAL: CausalCheckpoint, SEQ2SEQ: AnsweringCheckpoint}
    return kinds.get(config.task, EncoderCheckpoint)(config)


def _hooks(hook: LogitsHook | None) -> tuple[LogitsHook, ...]:
    return () if hook is None else (hook,)
