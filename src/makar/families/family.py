"""What a family promises: networks that learn in phases from batches, and a sampler that makes new examples.

A family is a ``torch.nn.Module`` that holds its networks. The trainer asks for ``phases`` once and then, each step,
calls ``prepare`` once a batch and the loss of every phase that is due. One phase trains a language model, two a GAN;
a phase that shares the optimiser of another and is due every 16 steps is a lazy penalty; a phase with its own
``batch`` function is a rollout. State that is not a parameter lives in registered buffers, so it is checkpointed with
the weights. Every draw takes the generator that is handed in. A family that begins from a saved model has it attached: it takes its first
weights from there, and one that learns from a teacher goes on asking it.
"""

import abc
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from makar.config import Config
from makar.errors import TensorMismatchError, UnsupportedError
from makar.families.adapter_files import AdapterFile
from makar.families.family_config import FamilyConfig
from makar.families.logits_hook import LogitsHook
from makar.registry import resolve

Batch = dict[str, Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss to minimise.

    Attributes:
        value: Scalar, mean over the batch, in the unit of ``unit``.
        count: Number of predictions that the mean is over, for weighting.
        unit: ``"nats/token"``, ``"mse"`` ...
        metrics: Further numbers for the log, detached.
    """

    value: Tensor
    count: int
    unit: str
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Health:
    """Whether a training is still worth going on with, apart from its losses.

    Attributes:
        alarm: What is broken, in words; empty when nothing is. The trainer then goes back to the last good state.
        is_good: Whether the present state is worth going back to later.
        metrics: The figures behind it, for the log.
    """

    alarm: str = ""
    is_good: bool = True
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParameterGroup:
    """Parameters that share a multiplier of the learning rate and a weight decay.

    Attributes:
        parameters: The parameters.
        learning_rate_scale: Factor on the phase's learning rate.
        weight_decay: Decoupled weight decay (AdamW); ``None`` takes the recipe's.
    """

    parameters: list[nn.Parameter]
    learning_rate_scale: float = 1.0
    weight_decay: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """One thing that is optimised in every step, or every n-th.

    Attributes:
        name: Name in the log.
        groups: What it trains.
        loss: From the shared batch and a generator to a loss.
        every: It is due at steps divisible by this.
        optimiser: Phases with the same optimiser name share its state and their groups must be the same parameters.
        learning_rate_scale: Factor on the recipe's learning rate.
        averaged: Whether the recipe's weight averaging applies to its parameters.
        batch: Makes its own batch (a rollout, an image buffer) from the shared one; ``None`` uses the shared one.
        after_step: Called after the optimiser's step, for clipping or updating buffers.
    """

    name: str
    groups: list[ParameterGroup]
    loss: Callable[[Batch, torch.Generator], Loss]
    every: int = 1
    optimiser: str = "main"
    learning_rate_scale: float = 1.0
    averaged: bool = True
    batch: Callable[[Batch, torch.Generator], Batch] | None = None
    after_step: Callable[[], None] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxPart:
    """One network to export.

    Attributes:
        name: File name without suffix.
        module: The network in evaluation form.
        inputs: Example inputs by name, in the order of ``forward``.
        outputs: Names of the outputs.
        dynamic: For each input, names of the axes whose size may vary, by axis number.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    dynamic: Mapping[str, Mapping[int, str]]


class Sampler(abc.ABC):
    """Makes new examples. One sampler serves many calls."""

    @abc.abstractmethod
    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one example for every seed; the same seed and prompt give the same example whatever else is in the batch.

        Args:
            options: An instance of the family's ``options`` class.
            prompts: One dictionary of slots an example: prompt tokens, a class; empty for none.
            seeds: One seed an example.

        Yields:
            (index of the example, slots so far as arrays in the spec's range, whether it is finished). A streaming sampler yields
            an example several times with what is *new* since the last time; the others yield each example once.
        """


class Family(nn.Module, abc.ABC):
    """Networks, objectives and a sampler."""

    config: FamilyConfig

    precision: str = "float32"
    """Number format of matrix products, ``"float32"`` or ``"bfloat16"``; the trainer sets it. Weights and losses stay float32."""

    options: ClassVar[type[Config]]
    """Configuration class of the sampling controls that this family honours; any other control is refused."""

    parent: "Family | None" = None
    """The model that this one begins from, while it is trained; ``attach`` puts it there."""

    concurrent: ClassVar[bool] = False
    """Whether several threads may compute losses at once: a loss then changes nothing but gradients and draws from its generator alone."""

    @property
    def creates(self) -> bool:
        """Whether the sampler makes examples from nothing; one that does not raises UnsupportedError and names what does."""
        return True

    @property
    def edits(self) -> tuple[str, ...]:
        """What the sampler can do to given content; the configuration says it, so that it is known without torch."""
        return self.config.edits

    @property
    def previews(self) -> bool:
        """Whether the sampler can be watched (``makar.families.estimates``), as the configuration says where nothing else forbids it."""
        return self.config.previews

    @property
    def predictions(self) -> tuple[str, ...]:
        """What ``predict`` can say of existing content; the configuration says it."""
        return self.config.predictions

    @property
    def computing(self) -> dict[str, Any]:
        """How it computes on this machine, where that was chosen to fit and changes what comes out; it goes into manifests."""
        return {}

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Say something of existing content.

        Args:
            batch: Slots as the store holds them, in the range of the model, on the family's device.
            what: One of ``predictions``.
            generator: Source of every draw.

        Returns:
            Arrays with one row an example; ``"anomaly"`` gives ``score``, higher is stranger.

        Raises:
            UnsupportedError: This family cannot predict that.
        """
        del batch, generator
        raise UnsupportedError(
            f'this model cannot predict "{what}"', expected=", ".join(self.predictions) or "a model that can predict"
        )

    @abc.abstractmethod
    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight anew. Called once before training from nothing."""

    def merged(self) -> "Family":
        """Return a model of its own weights that computes the same: itself, where it is no adapter."""
        return self

    def add_adapters(self, adapters: Sequence[AdapterFile]) -> None:
        """Add adapters to the weights.

        Args:
            adapters: What is added.

        Raises:
            UnsupportedError: This family takes none.
            TensorMismatchError: One was made for another base; the layers that do not fit are listed.
        """
        raise UnsupportedError(
            f'an adapter for a model of family "{self.config.kind}"', expected="a decoder of text that is none itself"
        )

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Start better than blind from a few batches (token frequencies, scale of the data); the default does nothing."""
        del batches

    def attach(self, parent: "Family") -> None:
        """Put the model that this one begins from beside it, in evaluation mode, for as long as it is trained."""
        # Past the module's own bookkeeping: its weights are neither trained nor checkpointed nor saved with this family.
        object.__setattr__(self, "parent", parent.eval().requires_grad_(False))

    def know(self, codec: Any) -> None:
        """Take the codec of the stage, before anything is trained; only families that judge what they wrote need it."""
        del codec

    def begin(self, generator: torch.Generator, batches: Iterable[Batch]) -> None:
        """Take the first weights: those of the parent where there is one, otherwise drawn and fitted to a few batches.

        Args:
            generator: Source of the draws.
            batches: The first examples of the training data.
        """
        self.initialise(generator)
        if self.parent is None:
            self.initialise_from_data(batches)
        else:
            self.begin_from(self.parent, batches)

    def begin_from(self, parent: "Family", batches: Iterable[Batch]) -> None:
        """Take over what the parent knows; by default every tensor, so that nothing of the new data is looked at.

        Raises:
            TensorMismatchError: The parent is of another family, or of other sizes.
        """
        del batches
        self.load_tensors(parent.tensors())

    @abc.abstractmethod
    def phases(self) -> list[Phase]:
        """Return what is optimised. Called once, after the weights are in place and on their device."""

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Turn a batch of the store into what all phases share; the default passes it on."""
        del generator
        return batch

    def health(self, generator: torch.Generator, *, progress: float) -> Health:
        """Say whether the training goes well, where losses cannot tell (adversaries, policies); the default is content.

        The trainer asks when it would keep a state to go back to, in training mode without gradients, and with the averaged weights at
        every validation.

        Args:
            generator: Source of every draw.
            progress: Share of the run that is over.
        """
        del generator, progress
        return Health()

    def settle(self, generator: torch.Generator) -> None:
        """Renew what follows from the weights and is not averaged with them: statistics of norms, means of styles.

        Called in evaluation mode, without gradients, when the averaged weights are in place and before they are judged and kept; the
        default does nothing.
        """
        del generator

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Set what only unseen data can tell once the weights are final (the temperature of probabilities); the default does nothing.

        Args:
            batches: The inner validation set.
        """
        del batches

    @abc.abstractmethod
    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss on held-out data, with neither dropout nor augmentation, comparable between runs."""

    @abc.abstractmethod
    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler over the current weights.

        Args:
            codec: The codec of the model.
            hook: Reshapes the logits of every token before it is drawn: a watermark; ``None`` for none.

        Raises:
            UnsupportedError: There is a hook and the family draws no tokens; ``refuse_hook`` says so.
        """

    @abc.abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor to save, by its name in the saved model."""

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every tensor; the names and shapes must be exactly those of ``tensors``.

        Raises:
            TensorMismatchError: Some are missing, unexpected or of another shape; the message lists them.
        """
        own = self.tensors()
        if problems := unfit_tensors(own, tensors):
            raise TensorMismatchError(
                f"the tensors do not fit this {self.config.kind} model:\n  " + "\n  ".join(problems),
                expected="exactly the tensors of its configuration",
                do="use the configuration that was saved with them",
            )
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return further files that a saved model needs for other programs (``config.json`` for transformers); none by default."""
        del codec
        return {}

    @abc.abstractmethod
    def onnx_parts(self) -> list[OnnxPart]:
        """Return the networks that ``export --to onnx`` writes."""


def unfit_tensors(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Return every reason why some tensors cannot take the place of others: missing, unexpected, of another shape.

    Args:
        own: The tensors that are wanted, by name.
        given: Those that are there.
    """
    problems = [f"missing: {name}" for name in own if name not in given]
    problems += [f"unexpected: {name}" for name in given if name not in own]
    problems += [
        f"{name} is {tuple(given[name].shape)} instead of {tuple(value.shape)}"
        for name, value in own.items()
        if name in given and given[name].shape != value.shape
    ]
    return problems


def build_family(config: FamilyConfig) -> Family:
    """Build the family that a configuration names, with its weights not yet drawn."""
    family: Family = resolve(config.target)(config)
    return family
