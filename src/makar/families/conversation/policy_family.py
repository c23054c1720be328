"""A model that answers, tuned by rewards for its own answers: GRPO, and PPO with a head of values.

Each step: ``prepare`` draws ``group`` answers to every prompt with the fast sampler, has them judged (``verifiable``, or by a reward model,
whose log-odds become a share from 0 to 1), and notes the log-probabilities of now and of the model that it began from; then ``updates``
phases of one optimiser learn from the same answers.

GRPO takes the loss of Shao et al. 2024, equation 3: clipped objective less ``penalty`` times the divergence, mean over the tokens of an
answer, then over answers. PPO pays the penalty token by token out of the reward (Ziegler et al. 2019, section 2.2) and learns values
beside.

A guard against rewards that are won in a wrong way: divergence, length and variety of the answers are logged with every step, and a
training that has left its beginning by more than ``largest_divergence`` goes back to its last good state. The weights that are kept are
those that answer most held-out prompts rightly, likeliest token after likeliest token; where two do as well, those to which the right
answers are likelier.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from makar.errors import TensorMismatchError, UnsupportedError
from makar.families.conversation.dpo_family import Reference, reference_of
from makar.families.conversation.policy_config import MODEL, PPO, PolicyConfig
from makar.families.conversation.policy_losses import (
    clipped_objective,
    clipped_value_loss,
    divergence,
    group_advantages,
    mean_of_places,
    mean_of_rows,
    traced_advantages,
)
from makar.families.conversation.reward_family import RewardFamily
from makar.families.conversation.speaking import SpeakingFamily
from makar.families.conversation.verifiable import judgement_of
from makar.families.family import Batch, Family, Health, Loss, ParameterGroup, Phase, unfit_tensors
from makar.families.transformer.options import TextOptions
from makar.tensor_spec import ANSWER, LEARNED, TARGET

UNIT = "failures/prompt"
VALUE = "value"
"""Of the head of values, in the names of what is saved; whoever opens the model to write with it leaves it out."""
TIE = 1e-3
"""Weight of the surprise at right answers beside the share of failures."""

LARGEST_SEED = 1 << 62


class PolicyFamily(SpeakingFamily):
    """A decoder transformer that learns from what its answers earn.

    Args:
        config: Sizes, with the vocabulary known.
    """

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__(config)
        self.config: PolicyConfig = config
        self.value = nn.Linear(config.decoder.width, 1) if config.method == PPO else None
        self._codec: Any = None
        self._reference: Reference | None = None
        self._judgement = None if config.reward == MODEL else judgement_of(config)
        self._judge: RewardFamily | None = None
        self._seen: dict[str, float] = {}

    def know(self, codec: Any) -> None:
        """Take the codec, without which no answer can be read and none earns anything."""
        self._codec = codec

    def judged_by(self, judge: RewardFamily) -> None:
        """Take the reward model, whose opinion is then what an answer earns."""
        # Past the module's own bookkeeping, as with the parent: its weights are neither trained nor saved with this family.
        object.__setattr__(self, "_judge", judge)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; values begin at 0."""
        super().initialise(generator)
        self._clear_values()

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over the network of a model; values are learned anew, because rewards may be others."""
        super().begin_from(parent, batches)
        self._clear_values()

    def _clear_values(self) -> None:
        if self.value is not None:
            nn.init.zeros_(self.value.weight)
            nn.init.zeros_(self.value.bias)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of transformers, and of PPO the head of values beside them."""
        if self.value is None:
            return super().tensors()
        head = {name: tensor.detach() for name, tensor in self.value.named_parameters()}
        return super().tensors() | {f"{VALUE}.{name}": tensor for name, tensor in head.items()}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every weight by its name in ``tensors``.

        Raises:
            TensorMismatchError: Some are missing, unexpected or of another shape; the message lists them.
        """
        if problems := unfit_tensors(self.tensors(), tensors):
            raise TensorMismatchError(
                "the tensors do not fit this model:\n  " + "\n  ".join(problems), expected="its own"
            )
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith(f"{VALUE}.")}
        super().load_tensors(own)
        if self.value is not None:
            with torch.no_grad():
                for name, parameter in self.value.named_parameters():
                    parameter.copy_(tensors[f"{VALUE}.{name}"])

    def phases(self) -> list[Phase]:
        """Return as many phases as there are steps with the same answers, all of one optimiser."""
        groups = self.groups()
        if self.value is not None:
            groups.append(ParameterGroup(parameters=list(self.value.parameters()), weight_decay=0.0))
        return [
            Phase(name=f"rewards {number + 1}", groups=groups, loss=self._loss) for number in range(self.config.updates)
        ]

    # --- answers ------------------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Draw answers to every prompt, judge them, and note what both models think of them."""
        config = self.config
        prompts = [row for row in prompts_of(batch[TARGET]) for _ in range(config.group)]
        right = [text for text in texts_of(batch[ANSWER]) for _ in range(config.group)]
        options = TextOptions(temperature=config.temperature, top_p=1.0, max_tokens=config.longest_answer)
        seeds = torch.randint(LARGEST_SEED, (len(prompts),), generator=generator).tolist()
        answers = self._answers(options, prompts, seeds)
        device = batch[TARGET].device
        tokens, learned = joined(prompts, answers, device)
        rewards = self.rewards(tokens, learned, answers, right)
        marks = learned[:, 1:].float()
        old, reference = (
            family.log_probabilities(tokens, learned, temperature=config.temperature)
            for family in (self, self.reference)
        )
        found = {TARGET: tokens, LEARNED: learned, "old": old, "reference": reference}
        if self.value is None:
            advantages = group_advantages(rewards, config.group)[:, None] * marks
        else:
            values = self._values(tokens, None) * marks
            earned = -config.penalty * (old - reference) * marks
            places = torch.arange(marks.shape[1], device=device)
            earned[torch.arange(len(marks)), (places * marks).argmax(1)] += rewards
            raw = traced_advantages(earned, values, marks, trace=config.trace)
            found |= {"old_values": values, "returns": raw + values}
            advantages = whitened(raw, marks)
        self._seen = {
            "reward": float(rewards.mean()),
            "divergence_nats_a_token": float(mean_of_places(divergence(old, reference), marks)),
            "answer_tokens": float(marks.sum(1).mean()),
            "different_answers": len({tuple(answer) for answer in answers}) / len(answers),
        }
        return {**found, "advantages": advantages}

    def _answers(self, options: TextOptions, prompts: list[Tensor], seeds: list[int]) -> list[list[int]]:
        """Return the tokens of an answer to every prompt; one that ended has the end token."""
        end = 0 if self._codec is None else self._codec.end_token
        sampler = self.sampler(self._codec if self._codec is not None else _Mute())
        made: list[list[int]] = [[] for _ in prompts]
        given = [{TARGET: prompt.cpu()} for prompt in prompts]
        for index, slots, _ in sampler.sample(options, given, seeds):
            made[index] += slots[TARGET].tolist()
        return [answer if len(answer) >= options.max_tokens else [*answer, end] for answer in made]

    def rewards(
        self, tokens: Tensor, learned: Tensor, answers: list[list[int]], right: list[str]
    ) -> Float[Tensor, " rows"]:
        """Return what each answer earns, 0 to 1.

        Args:
            tokens: Prompts with their answers, filled up, int64 ``[rows, length]``.
            learned: 1 where the answers are.
            answers: The tokens of the answers alone.
            right: What the data says is right; a reward model does not look at it.

        Raises:
            UnsupportedError: The reward model is not there.
        """
        if self._codec is None:
            return torch.zeros(len(answers), device=tokens.device)
        if self._judgement is None:
            if self._judge is None:
                raise UnsupportedError(f'the reward model "{self.config.judge}" is not there', expected="it")
            judge = self._judge.to(tokens.device)
            with torch.no_grad():
                return judge.scores(tokens, learned).sigmoid()
        texts = [self._codec.decode_tokens(np.array(answer, np.int64)) for answer in answers]
        found = [self._judgement(*pair) for pair in zip(texts, right)]
        return torch.tensor(found, device=tokens.device)

    @property
    def reference(self) -> Reference:
        """The model that the training began from; this one as it is now where there is none beside it."""
        if self._reference is None:
            self._reference = reference_of(self, self.parent or self)
        return self._reference

    # --- losses -------------------------------------------------------------------------------------------------------------------

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        del generator
        config, marks = self.config, batch[LEARNED][:, 1:].float()
        # Without dropout: the probabilities of the answers are those with which they were drawn.
        policy = self.log_probabilities(batch[TARGET], batch[LEARNED], temperature=config.temperature)
        gains = clipped_objective(policy, batch["old"], batch["advantages"], clip=config.clip)
        if self.value is None:
            kept = divergence(policy, batch["reference"])
            value = -mean_of_rows(gains - config.penalty * kept, marks)
        else:
            values = self._values(batch[TARGET], self.value) * marks
            errors = clipped_value_loss(values, batch["old_values"], batch["returns"], clip=config.clip)
            value = -mean_of_places(gains, marks) + config.value_weight * mean_of_places(errors, marks)
        return Loss(value=value, count=len(batch[TARGET]), unit="objective", metrics=self._seen)

    def _values(self, tokens: Tensor, head: nn.Linear | None) -> Float[Tensor, "rows length"]:
        head = self.value if head is None else head
        assert head is not None, "only PPO has values"
        return head(self.stream(tokens[:, :-1], None).float()).squeeze(-1)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the share of prompts that are answered wrongly, and a little of the surprise at right answers."""
        del generator
        prompts, right = prompts_of(batch[TARGET]), texts_of(batch[ANSWER])
        options = TextOptions(temperature=0.0, top_p=1.0, max_tokens=self.config.longest_answer)
        with torch.no_grad():
            answers = self._answers(options, prompts, [0] * len(prompts))
            said = joined(prompts, answers, batch[TARGET].device)
            failures = 1 - float(self.rewards(*said, answers, right).mean())
            tokens, learned = joined(prompts, [self.tokens_of(text) for text in right], batch[TARGET].device)
            surprise = -mean_of_places(self.log_probabilities(tokens, learned), learned[:, 1:].float())
        return Loss(value=failures + TIE * surprise, count=len(prompts), unit=UNIT)

    def tokens_of(self, text: str) -> list[int]:
        """Return the tokens of an answer and its end."""
        if self._codec is None:
            return [byte % self.config.decoder.vocabulary for byte in text.encode()] or [0]
        return [*self._codec.encode_text(text).tolist(), self._codec.end_token]

    def health(self, generator: torch.Generator, *, progress: float) -> Health:
        """Say whether the model has left the one that it began from, and how long and different its answers are."""
        del generator, progress
        found, limit = self._seen.get("divergence_nats_a_token", 0.0), self.config.largest_divergence
        alarm = "" if found <= limit else f"{found:.2f} nats a token from the model before, above {limit:g}"
        return Health(alarm=alarm, is_good=not alarm, metrics=self._seen)


class _Mute:
    """Stands for a codec where a machine is measured and nobody reads what is written."""

    end_token = 0
    end_tokens = (0,)
    begin_token = 0

    def decode_tokens(self, tokens: np.ndarray) -> str:
        """Return nothing."""
        del tokens
        return ""


def prompts_of(rows: Tensor) -> list[Tensor]:
    """Return rows without what fills them up: a prompt ends with the token of the assistant, which is never 0."""
    lengths = [int(row.nonzero().max()) + 1 if row.any() else 1 for row in rows]
    return [row[:length] for row, length in zip(rows, lengths)]


def texts_of(rows: Tensor) -> list[str]:
    """Return the texts of rows of bytes, without what fills them up."""
    return [bytes(row).rstrip(b"\0").decode("utf-8", "replace") for row in rows.to(torch.uint8).cpu().numpy()]


def joined(prompts: list[Tensor], answers: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return prompts with their answers, filled up, and where the answers are."""
    rows = [torch.cat([prompt.cpu(), torch.tensor(answer)]) for prompt, answer in zip(prompts, answers)]
    marks = [
        torch.cat([torch.zeros(len(prompt), dtype=torch.int64), torch.ones(len(answer), dtype=torch.int64)])
        for prompt, answer in zip(prompts, answers)
    ]
    padded = [torch.nn.utils.rnn.pad_sequence(part, batch_first=True).to(device) for part in (rows, marks)]
    return padded[0], padded[1]


def whitened(values: Float[Tensor, "rows length"], marks: Float[Tensor, "rows length"]) -> Float[Tensor, "rows length"]:
    """Return values with mean 0 and deviation 1 over marked places."""
    mean = mean_of_places(values, marks)
    spread = mean_of_places((values - mean).square(), marks)
    return (values - mean) * torch.rsqrt(spread + 1e-8) * marks
