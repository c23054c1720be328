"""A model that answers, tuned by preferences: DPO, against the model that it began from, whose log-probabilities are computed once.

Every answer of the data is looked up by its tokens; what the reference says of it is computed when it comes for the first time, alone and
without filling, so that its bits depend on nothing else and a resumed run ends as an undisturbed one does. That halves the forward
passes of every later epoch (von Werra et al. 2020, TRL, precompute_ref_log_probs).

Shown as it learns, because a low loss alone may be a hollow one: the share of pairs that are told right, the margin, how far the preferred
answers have moved from the reference (a model that makes both answers unlikely has learned nothing good).

Source: Rafailov et al. 2023, arXiv 2305.18290.
"""

import hashlib
from contextlib import nullcontext

import torch
from jaxtyping import Float
from torch import Tensor

from makar.errors import ConfigError
from makar.families.conversation.chat_family import ChatFamily
from makar.families.conversation.config import ChatConfig
from makar.families.conversation.feedback_config import DpoConfig
from makar.families.conversation.preference import AnswerLogProbabilities, dpo_loss
from makar.families.conversation.speaking import SpeakingFamily, over_checkpoint, writer_in
from makar.families.family import Batch, Family, Loss, Phase
from makar.families.pretrained.text_family import CausalCheckpoint
from makar.tensor_spec import LEARNED, REJECTED, REJECTED_LEARNED, TARGET

UNIT = "nats/pair"
SIDES = ((TARGET, LEARNED), (REJECTED, REJECTED_LEARNED))


class Reference:
    """The model that a training began from, asked once about every answer.

    Args:
        family: The model; the one that learns itself, where that steps back to be asked.
        is_itself: Whether it is.
    """

    def __init__(self, family: SpeakingFamily, *, is_itself: bool = False) -> None:
        # It may be the one that learns, which asks it and must not become a part of itself.
        self.family = family
        self._is_itself = is_itself
        self._known: dict[bytes, float] = {}

    def log_probabilities(self, tokens: Tensor, learned: Tensor, *, temperature: float = 1.0) -> Tensor:
        """Return the log-probability of every learned token; see ``TokenScores``."""
        writer = self.family.writer
        back = writer.stepped_back() if self._is_itself and isinstance(writer, CausalCheckpoint) else nullcontext()
        with torch.no_grad(), back:
            return self.family.log_probabilities(tokens, learned, temperature=temperature)

    def answers(self, tokens: Tensor, learned: Tensor) -> Float[Tensor, " rows"]:
        """Return the log-probability of the answer of every row."""
        return torch.tensor(
            [self._answer(*pair) for pair in zip(tokens, learned)], device=tokens.device, dtype=torch.float32
        )

    def _answer(self, tokens: Tensor, learned: Tensor) -> float:
        length = int(learned.nonzero().max()) + 1 if learned.any() else 1
        row = torch.stack([tokens[:length], learned[:length]])
        key = hashlib.blake2b(row.cpu().numpy().tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = float(self.log_probabilities(row[:1], row[1:]).sum())
        return self._known[key]


def reference_of(family: SpeakingFamily, parent: Family) -> Reference:
    """Return the model that one began from, as one to compare with.

    Args:
        family: The one that learns.
        parent: What stands beside it; itself, where it steps back.
    """
    if parent is family and family.config.decoder.steps_back:
        return Reference(family, is_itself=True)
    writer = writer_in(parent)
    if isinstance(writer, CausalCheckpoint):
        # It knows every token already, so no second copy of it is needed.
        return Reference(over_checkpoint(writer, usual=family.config.usual))
    is_kept = not any(weight.requires_grad for weight in parent.parameters())
    if isinstance(parent, SpeakingFamily) and is_kept and _tokens_of(parent) == _tokens_of(family):
        # It has these tokens and does not learn: a copy would take its memory once more.
        return Reference(parent.to(family.device))
    before = ChatFamily(ChatConfig(decoder=family.config.decoder, usual=family.config.usual))
    before.begin_from(parent, [])
    return Reference(before.to(family.device).eval().requires_grad_(False))


def _tokens_of(family: SpeakingFamily) -> int:
    return family.config.decoder.vocabulary


class DpoFamily(SpeakingFamily):
    """A decoder transformer that learns to prefer.

    Args:
        config: Sizes, with the vocabulary known.
    """

    def __init__(self, config: DpoConfig) -> None:
        super().__init__(config)
        self.config: DpoConfig = config
        self._reference: Reference | None = None

    @property
    def reference(self) -> Reference:
        """The model that the training began from.

        Raises:
            ConfigError: There is none beside this one.
        """
        if self._reference is None:
            itself = self if self.config.decoder.steps_back else None
            if (parent := self.parent or itself) is None:
                raise ConfigError("there is no model to compare with", expected="a training --from MODEL")
            self._reference = reference_of(self, parent)
        return self._reference

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the loss of DPO."""
        return [Phase(name="preferences", groups=self.groups(), loss=self._loss)]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss of DPO without dropout."""
        del generator
        with torch.no_grad():
            return self._compared(batch, None)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        return self._compared(batch, generator)

    def _compared(self, batch: Batch, generator: torch.Generator | None) -> Loss:
        policy = AnswerLogProbabilities(
            **{
                name: self.log_probabilities(batch[tokens], batch[marks], generator).sum(1)
                for name, (tokens, marks) in zip(("chosen", "rejected"), SIDES)
            }
        )
        reference = AnswerLogProbabilities(
            **{
                name: self.reference.answers(batch[tokens], batch[marks])
                for name, (tokens, marks) in zip(("chosen", "rejected"), SIDES)
            }
        )
        value = dpo_loss(policy, reference, beta=self.config.beta, smoothing=self.config.smoothing)
        with torch.no_grad():
            rewards = self.config.beta * (policy.margins() - reference.margins())
            moved = (policy.chosen - reference.chosen) / batch[LEARNED].sum(1).clamp(min=1)
            metrics = {
                "told_right": float((rewards > 0).float().mean()),
                "margin": float(rewards.mean()),
                "chosen_moved_nats_a_token": float(moved.mean()),
            }
        return Loss(value=value, count=len(batch[TARGET]), unit=UNIT, metrics=metrics)
