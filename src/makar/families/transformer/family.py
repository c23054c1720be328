"""The decoder transformer as a family: one phase, next-token loss, saved so that `transformers` opens it."""

import contextlib
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from makar.errors import ConfigError, TensorMismatchError
from makar.families.adapter_config import ADAPTER_SETTINGS
from makar.families.adapter_files import AdapterFile, with_adapters
from makar.families.family import Batch, Family, Loss, OnnxPart, Phase, Sampler, unfit_tensors
from makar.families.logits_hook import Constraint, LogitsHook
from makar.families.transformer.adapted import (
    adapted_layers,
    adapted_network,
    initialise_adapter,
    learned_parameters,
    peft_settings,
)
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.decoder import DecoderShape
from makar.families.transformer.infill import rearranged
from makar.families.transformer.layouts import saved_names, settings_files, transformers_settings
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.objective import next_token_loss, parameter_groups
from makar.families.transformer.options import TextOptions
from makar.families.transformer.reading import EngineReaders
from makar.families.transformer.remembering import RememberingSampler
from makar.families.transformer.sampler import Pace, TransformerSampler
from makar.families.transformer.sampling import KeepsBack, Never
from makar.families.transformer.shared_decoding import SharedDecoding
from makar.families.transformer.start import LARGEST_VOCABULARY, count_pairs, start_from_pairs
from makar.families.transformer.surprise import surprise_of
from makar.tensor_spec import TARGET

UNIT = "nats/token"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TransformerFamily(Family):
    """A decoder transformer that learns from windows of tokens.

    Args:
        config: Sizes and layout, with the vocabulary known.

    Raises:
        ConfigError: The vocabulary is not known yet.
    """

    options: ClassVar[type[TextOptions]] = TextOptions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        if config.vocabulary == 0:
            raise ConfigError("the vocabulary is 0", expected="a configuration bound to a fitted codec")
        self.config: TransformerConfig = config
        self.network = TransformerNetwork(config) if config.adapter is None else adapted_network(config)
        self._precision = "float32"
        self._shared: SharedDecoding | None = None
        self._engine: EngineReaders | None = None
        self._added: tuple[AdapterFile, ...] = ()

    @property
    def computing(self) -> dict[str, Any]:
        """The adapters that were added to the weights, and the engine where it is another one than Makar's own code."""
        added = {"adapters": [one.to_dictionary() for one in self._added]} if self._added else {}
        return added | ({} if self._engine is None else self._engine.stated)

    @property
    def precision(self) -> str:
        """Number format of matrix products: ``"float32"`` or ``"bfloat16"``. Weights stay in float32."""
        return self._precision

    @precision.setter
    def precision(self, name: str) -> None:
        if name not in PRECISIONS:
            raise ConfigError(f'precision is "{name}"', expected=" or ".join(PRECISIONS))
        self._precision = name
        if self.config.adapter is not None:
            # Only what trains asks for a precision; what samples and measures takes the exact base.
            for layer in adapted_layers(self.network):
                layer.frozen.keep_as("normal-float" if self.config.adapter.bits == 4 else PRECISIONS[name])

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight, or of an adapter the first matrices."""
        if self.config.adapter is None:
            self.network.initialise(generator)
        else:
            initialise_adapter(self.network, generator)

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Start at the probabilities of which token follows which; see ``start.py``. Shared embeddings cannot and stay drawn."""
        if self.config.adapter is not None or self.config.tied or self.config.vocabulary > LARGEST_VOCABULARY:
            return
        counts = count_pairs([batch[TARGET].cpu() for batch in batches], self.config.vocabulary)
        if counts.sum() > 0:
            start_from_pairs(self.network, counts, torch.Generator().manual_seed(0))

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the next-token loss."""
        return [Phase(name="next_token", groups=parameter_groups(self.network), loss=self._loss)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Rearrange the share of the windows that teaches to fill holes; the validation loss is that of text as it stands."""
        if not self.config.infill_share:
            return batch
        windows = rearranged(
            batch[TARGET], share=self.config.infill_share, tokens=self.config.infill_tokens, generator=generator
        )
        return {**batch, TARGET: windows}

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the next-token loss without dropout."""
        del generator
        with torch.no_grad():
            value = next_token_loss(self.network, batch[TARGET], dtype=PRECISIONS[self.precision])
        return Loss(value=value, count=batch[TARGET][:, 1:].numel(), unit=UNIT)

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Say how surprising each token of some windows is; see ``surprise.py``."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        return surprise_of(self.network, batch[TARGET])

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler over a copy of the current weights; the hook comes after the filters of the options."""
        is_told = isinstance(hook, Constraint) and hook.says_all
        kept_back = codec.never_drawn if isinstance(codec, KeepsBack) and not is_told else ()
        never = [Never((*self.config.infill_tokens[:3], *kept_back))] if self.config.infill_tokens or kept_back else []
        shape = DecoderShape.from_transformers(transformers_settings(self.config, tokens={}))
        sampler = TransformerSampler(
            shape,
            self.network.saved_tensors(),
            end_tokens=codec.end_tokens,
            decode_tokens=codec.decode_tokens,
            hooks=(*never, *(() if hook is None else (hook,))),
            device=str(self.network.embeddings.device),
            pace=Pace(shared=self._shared),
            engine=self._engine,
        )
        sampler.begin_token = codec.begin_token
        return sampler

    def use_engine(self, engine: EngineReaders | None) -> None:
        """Let another engine that has these very weights compute what later samplers draw from; ``None`` is Makar's own code."""
        self._engine = engine

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Let the samplers that are made meanwhile, in any thread, share one running batch; the weights must not change meanwhile."""
        before, self._shared = self._shared, SharedDecoding()
        try:
            yield
        finally:
            self._shared = before

    def conversation_sampler(self, codec: Any) -> Sampler:
        """Return a sampler for one conversation, which does not read again what it has read, where Makar's own code computes."""
        sampler = self.sampler(codec)
        if self._engine is not None:
            return sampler
        assert isinstance(sampler, TransformerSampler), "the sampler of this family"
        return RememberingSampler(
            sampler,
            end_tokens=codec.end_tokens,
            decode_tokens=codec.decode_tokens,
            device=str(self.network.embeddings.device),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of Qwen3ForCausalLM or NanoChatForCausalLM; of an adapter its own, as PEFT names them."""
        if self.config.adapter is None:
            return self.network.saved_tensors()
        learned = learned_parameters(self.network, self.config.adapter)
        return {name: value.detach() for name, value in learned.items()}

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every weight by its name in ``tensors``.

        Raises:
            TensorMismatchError: Some are missing, unexpected or of another shape; the message lists them.
        """
        if self.config.adapter is not None:
            self._load_adapter(tensors)
            return
        expected = {name: tuple(tensor.shape) for name, tensor in self.tensors().items()}
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        wrong = [f"missing {name}" for name in expected if name not in found]
        wrong += [f"unexpected {name}" for name in found if name not in expected]
        wrong += [
            f"{name} has shape {found[name]}, expected {shape}"
            for name, shape in expected.items()
            if name in found and found[name] != shape
        ]
        if wrong:
            raise TensorMismatchError(
                f"{len(wrong)} tensors do not fit: " + "; ".join(wrong), expected=f"exactly {len(expected)} tensors"
            )
        parameters = dict(self.network.named_parameters())
        for name, parts in saved_names(self.config):
            parameters[name].copy_(torch.cat([tensors[part] for part, _ in parts]))

    def _load_adapter(self, tensors: Mapping[str, Tensor]) -> None:
        own = self.tensors()
        if problems := unfit_tensors(own, tensors):
            raise TensorMismatchError(
                "the tensors do not fit this adapter:\n  " + "\n  ".join(problems),
                expected=f"exactly {len(own)} tensors",
            )
        for name, value in own.items():
            value.copy_(tensors[name])

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return config.json, generation_config.json, tokenizer.json and tokenizer_config.json; of an adapter the settings for PEFT."""
        files = {**settings_files(self.config, codec), "tokenizer.json": codec.tokenizer_json()}
        adapter = self.config.adapter
        if adapter is None:
            return files
        names = adapter.chosen(self.config.linear_sizes())
        kept = {name: content for name, content in files.items() if name.startswith("tokenizer")}
        return {ADAPTER_SETTINGS: peft_settings(adapter, names=names, is_tied=self.config.tied), **kept}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from tokens to logits, with batch and length free."""
        tokens = torch.arange(6).view(2, 3) % self.config.vocabulary
        network = self.merged().network
        return [
            OnnxPart(
                name="model",
                module=copy.deepcopy(network).eval(),
                inputs={"tokens": tokens},
                outputs=("logits",),
                dynamic={"tokens": {0: "batch", 1: "length"}},
            )
        ]

    def add_adapters(self, adapters: Sequence[AdapterFile]) -> None:
        """Add adapters to the weights; a model that is an adapter itself takes none."""
        if self.config.adapter is not None:
            super().add_adapters(adapters)
        saved = self.network.saved_tensors()
        self.load_tensors(saved | with_adapters(saved, adapters))
        self._added = (*self._added, *adapters)

    def merged(self) -> "TransformerFamily":
        """Return a model of its own weights that computes the same: those of the base with the changes of the adapter in them."""
        if self.config.adapter is None:
            return self
        whole = TransformerFamily(self.config.changed(adapter=None))
        whole.load_tensors(self.network.saved_tensors())
        return whole.eval()

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        value = next_token_loss(self.network, batch[TARGET], dtype=PRECISIONS[self.precision], generator=generator)
        return Loss(value=value, count=batch[TARGET][:, 1:].numel(), unit=UNIT)
