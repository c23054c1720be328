"""A judge of answers: one number for a prompt with an answer, learned from pairs (Bradley and Terry) or from scores.

The number is read from the stream at the end of the answer by one row of weights. From pairs the loss is that of Ouyang et al. 2022,
equation 1; from scores, as shares p of their scale, it is the cross-entropy between p and sigmoid(number), so both kinds of judge give
log-odds. A table of short runs of the answer's tokens may judge beside the network, because a few thousand pairs are few: each learns by
its own loss, and how much the table counts is found on the inner validation set when training is over. Without the table a judge is saved
so that AutoModelForSequenceClassification of `transformers` opens it and gives the same numbers.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from makar.config import Config
from makar.errors import TensorMismatchError, UnsupportedError
from makar.families.conversation.feedback_config import PAIRS, RewardConfig
from makar.families.conversation.preference import bradley_terry_loss
from makar.families.conversation.speaking import SpeakingFamily
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler, unfit_tensors
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.text_adapter import PEFT_PREFIX
from makar.families.pretrained.text_family import CausalCheckpoint
from makar.families.transformer.family import TransformerFamily
from makar.nn.token_grams import TokenGrams
from makar.tensor_spec import LEARNED, SCORE, TARGET

SCORE_NAME = "score.weight"
GRAMS_NAME, SHARE_NAME = "grams.table", "gram_share"
FIRST_DEVIATION = 0.02
EVEN = 0.5
SHARES = tuple(step / 10 for step in range(11))
"""How much the table may count."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""


class RewardFamily(SpeakingFamily):
    """A decoder transformer that gives answers a score.

    Args:
        config: Sizes, with the vocabulary known.
    """

    gram_share: Tensor
    """How much the table of runs counts, 0 to 1."""

    options: ClassVar[type[Config]] = JudgeOptions
    creates: ClassVar[bool] = False

    def __init__(self, config: RewardConfig) -> None:
        super().__init__(config)
        self.config: RewardConfig = config
        self.score = nn.Parameter(torch.zeros(1, config.decoder.width))
        self.grams = (
            TokenGrams(rows=config.gram_rows, outputs=1, longest=config.grams, dropout=config.gram_dropout)
            if config.grams
            else None
        )
        self.register_buffer("gram_share", torch.full((), EVEN if config.grams else 0.0))

    @property
    def concurrent(self) -> bool:  # type: ignore[override]  # of each network its own
        """Whether several threads may compute losses at once; those of transformers are not made for it."""
        return self.writer.concurrent

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        super().initialise(generator)
        with torch.no_grad():
            self.score.normal_(std=FIRST_DEVIATION, generator=generator)
        if self.grams is not None:
            self.grams.initialise(generator)
            self.gram_share.fill_(EVEN)

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over the network of a model; the score is that of a judge, or drawn."""
        super().begin_from(parent, batches)
        if isinstance(parent, RewardFamily):
            with torch.no_grad():
                self.score.copy_(parent.score)
                if self.grams is not None and parent.grams is not None and self.config.shares_runs(parent.config):
                    self.grams.table.copy_(parent.grams.table)
                    self.gram_share.copy_(parent.gram_share)

    def merged(self) -> "RewardFamily":
        """Return a judge of its own weights that gives the same numbers."""
        whole = super().merged()
        assert isinstance(whole, RewardFamily), "a judge merged is one"
        if whole is not self:
            with torch.no_grad():
                whole.score.copy_(self.score)
        return whole

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        groups = [*self.groups(), ParameterGroup(parameters=[self.score], weight_decay=0.0)]
        if self.grams is not None:
            groups.append(
                ParameterGroup(
                    parameters=[self.grams.table], learning_rate_scale=self.config.gram_rate, weight_decay=0.0
                )
            )
        return [Phase(name="judgement", groups=groups, loss=self._loss)]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss of an even vote, without dropout."""
        del generator
        with torch.no_grad():
            return self._judged([self.mixed(votes, EVEN) for votes in self._votes(batch, None)], batch)

    def calibrate(self, batches: Iterable[Batch]) -> None:
        """Set the share of the table to the one by which the inner validation set is judged best."""
        if self.grams is None:
            return
        with torch.no_grad():
            found = [(self._votes(batch, None), batch) for batch in batches]

            def cost(share: float) -> float:
                losses = [self._judged([self.mixed(one, share) for one in votes], batch) for votes, batch in found]
                return sum(float(loss.value) * loss.count for loss in losses)

            if found:
                self.gram_share.fill_(min(SHARES, key=cost))

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        # Each voter has weights of its own, and none must learn more slowly because there is another: the losses are added.
        losses = [self._judged(list(sides), batch) for sides in zip(*self._votes(batch, generator), strict=True)]
        value = torch.stack([loss.value for loss in losses]).sum()
        return Loss(value=value, count=losses[0].count, unit=losses[0].unit, metrics=losses[0].metrics)

    def _votes(self, batch: Batch, generator: torch.Generator | None) -> list[list[Tensor]]:
        """Return what each voter says of the answers, one list for each row of a pair."""
        rows = zip(self.config.rows, self.config.marks)
        return [self.votes(batch[row], batch[marks], generator) for row, marks in rows]

    def _judged(self, sides: list[Tensor], batch: Batch) -> Loss:
        """Return the loss of one voter's scores of the answer, and of the other one of a pair."""
        scores = sides[0]
        if self.config.objective == PAIRS:
            right = float((scores > sides[1]).float().mean())
            return Loss(
                value=bradley_terry_loss(scores, sides[1]),
                count=len(scores),
                unit="nats/pair",
                metrics={"told_right": right},
            )
        value = functional.binary_cross_entropy_with_logits(scores, batch[SCORE].float())
        return Loss(value=value, count=len(scores), unit="nats/answer")

    def votes(
        self, tokens: Tensor, learned: Tensor, generator: torch.Generator | None = None
    ) -> list[Float[Tensor, " rows"]]:
        """Return what the network says of each row, read at the last token of its answer, and what the table says, if there is one.

        Args:
            tokens: int64 ``[rows, length]``, filled up at their ends.
            learned: int64 ``[rows, length]``, 1 where the answer is.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        stream = self.stream(tokens, generator).float()
        places = torch.arange(tokens.shape[1], device=tokens.device)
        last = (places * (learned > 0)).amax(1)
        found = [_weighed(stream[torch.arange(tokens.shape[0], device=tokens.device), last], self)]
        if self.grams is not None:
            found.append(self.grams(tokens, learned > 0, generator)[:, 0])
        return found

    def mixed(self, votes: list[Tensor], share: float) -> Float[Tensor, " rows"]:
        """Return the score of each row: the network's, and the table's with its share, 0 to 1."""
        return votes[0] if self.grams is None else (1 - share) * votes[0] + share * votes[1]

    def scores(self, tokens: Tensor, learned: Tensor) -> Float[Tensor, " rows"]:
        """Return one number a row, as all that vote say it; for the arguments see ``votes``."""
        return self.mixed(self.votes(tokens, learned), float(self.gram_share))

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``score``: one number a row, higher is better."""
        if what != "score":
            return super().predict(batch, what, generator)
        with torch.inference_mode():
            return {"score": self.scores(batch[TARGET], batch[LEARNED]).cpu().numpy()}

    def read_text(self, text: str, codec: Any, *, query: str | None) -> dict[str, Any]:
        """Return the score of an answer.

        Args:
            text: The answer.
            codec: The codec of the model.
            query: What was asked; ``None`` for an answer to nothing.
        """
        asked = [] if query is None else [{"role": "user", "content": query}]
        prompt = codec.encode_turns(asked)
        answer = np.append(codec.encode_text(text), codec.end_token)
        tokens = torch.from_numpy(np.concatenate([prompt, answer]).astype(np.int64))[None]
        learned = (torch.arange(tokens.shape[1]) >= len(prompt)).long()[None]
        device = self.score.device
        with torch.inference_mode():
            return {"score": float(self.scores(tokens.to(device), learned.to(device)))}

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Refuse: a judge writes nothing.

        Raises:
            UnsupportedError: When it is asked to write.
        """
        del codec
        refuse_hook(hook)
        return _Silent()

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights, those of the network and the score under the names of Qwen3ForSequenceClassification."""
        return self.writer.tensors() | self._own_tensors()

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every weight by its name in ``tensors``."""
        # Checked as a whole before anything is copied.
        if problems := unfit_tensors(self.tensors(), tensors):
            raise TensorMismatchError(
                "the tensors do not fit this judge:\n  " + "\n  ".join(problems), expected="its own"
            )
        own = self._own_tensors()
        self.writer.load_tensors({name: value for name, value in tensors.items() if name not in own})
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(tensors[name])

    def _own_tensors(self) -> dict[str, Tensor]:
        table = {} if self.grams is None else {GRAMS_NAME: self.grams.table.detach(), SHARE_NAME: self.gram_share}
        prefix = PEFT_PREFIX if self.config.decoder.adapter is not None else ""
        return {prefix + SCORE_NAME: self.score.detach(), **table}

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return the files of transformers, those of a classifier with one number."""
        files = super().files(codec)
        if self.grams is not None or (
            isinstance(self.writer, TransformerFamily) and self.writer.config.layout != "mainstream"
        ):
            # transformers has no classifier of the compact layout, and none that a table votes beside.
            return {name: content for name, content in files.items() if name.startswith("tokenizer")}
        if isinstance(self.writer, CausalCheckpoint):
            return files | self.writer.judging_files(files, filling=codec.turns.filling)
        settings = json.loads(files["config.json"])
        # What fills rows up must be no token that ends one: transformers reads the number at the last token that is no filling.
        filling = codec.turns.filling
        settings |= {
            "architectures": ["Qwen3ForSequenceClassification"],
            "num_labels": 1,
            "id2label": {"0": "score"},
            "label2id": {"score": 0},
            "pad_token_id": filling,
        }
        tokenizer = json.loads(files["tokenizer_config.json"]) | {
            "pad_token": codec.text.tokenizer.id_to_token(filling)
        }
        return {
            "config.json": json.dumps(settings, indent=2).encode(),
            "tokenizer.json": files["tokenizer.json"],
            "tokenizer_config.json": json.dumps(tokenizer, indent=2).encode(),
        }

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from tokens to one number a position; with a table, from tokens and marks to one number a row."""
        (part,) = super().onnx_parts()
        if self.grams is None:
            numbers = _Numbers(self).eval()
            return [
                OnnxPart(name="model", module=numbers, inputs=part.inputs, outputs=("scores",), dynamic=part.dynamic)
            ]
        (tokens,), (free,) = part.inputs.values(), part.dynamic.values()
        return [
            OnnxPart(
                name="model",
                module=_MixedNumbers(self).eval(),
                inputs={"tokens": tokens, "learned": torch.ones_like(tokens)},
                outputs=("scores",),
                dynamic={"tokens": free, "learned": free},
            )
        ]


class _Numbers(nn.Module):
    """From tokens to the number at every position."""

    def __init__(self, family: RewardFamily) -> None:
        super().__init__()
        self.family = family

    def forward(self, tokens: Tensor) -> Tensor:
        return _weighed(self.family.stream(tokens, None), self.family)


class _MixedNumbers(nn.Module):
    """From tokens and marks of the answer to the number of every row."""

    def __init__(self, family: RewardFamily) -> None:
        super().__init__()
        self.family, self.share = family, float(family.gram_share)

    def forward(self, tokens: Tensor, learned: Tensor) -> Tensor:
        return self.family.mixed(self.family.votes(tokens, learned), self.share)


def _weighed(stream: Tensor, family: RewardFamily) -> Tensor:
    gain = family.token_scores.gain
    return (stream.float() * (family.score[0] if gain is None else family.score[0] * gain)).sum(-1)


class _Silent(Sampler):
    """Refuses to write."""

    def sample(self, options: Any, prompts: list[Batch], seeds: list[int]) -> Any:
        """Refuse.

        Raises:
            UnsupportedError: Always.
        """
        del options, prompts, seeds
        raise UnsupportedError(
            "this model judges answers and writes none",
            expected="makar predict, with answers to judge and --query PROMPT",
            do='to make answers, train with the recipe "chat"',
        )
