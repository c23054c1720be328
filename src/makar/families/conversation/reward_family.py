"""A judge of answers: one number for a prompt with an answer, learned from pairs (Bradley and Terry) or from scores.

The number is read from the stream at the end of the answer by one row of weights. From pairs the loss is that of Ouyang et al. 2022,
equation 1; from scores, as shares p of their scale, it is the cross-entropy between p and sigmoid(number), so both kinds of judge give
log-odds. Saved so that AutoModelForSequenceClassification of `transformers` opens it and gives the same numbers.
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
from makar.tensor_spec import LEARNED, REJECTED, REJECTED_LEARNED, SCORE, TARGET

SCORE_NAME = "score.weight"
FIRST_DEVIATION = 0.02


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""


class RewardFamily(SpeakingFamily):
    """A decoder transformer that gives answers a score.

    Args:
        config: Sizes, with the vocabulary known.
    """

    options: ClassVar[type[Config]] = JudgeOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    def __init__(self, config: RewardConfig) -> None:
        super().__init__(config)
        self.config: RewardConfig = config
        self.score = nn.Parameter(torch.zeros(1, config.decoder.width))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        super().initialise(generator)
        with torch.no_grad():
            self.score.normal_(std=FIRST_DEVIATION, generator=generator)

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over the network of a model; the score is that of a judge, or drawn."""
        super().begin_from(parent, batches)
        if isinstance(parent, RewardFamily):
            with torch.no_grad():
                self.score.copy_(parent.score)

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        groups = [*self.groups(), ParameterGroup(parameters=[self.score], weight_decay=0.0)]
        return [Phase(name="judgement", groups=groups, loss=self._loss)]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss without dropout."""
        del generator
        with torch.no_grad():
            return self._judged(batch, None)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        return self._judged(batch, generator)

    def _judged(self, batch: Batch, generator: torch.Generator | None) -> Loss:
        scores = self.scores(batch[TARGET], batch[LEARNED], generator)
        if self.config.objective == PAIRS:
            others = self.scores(batch[REJECTED], batch[REJECTED_LEARNED], generator)
            right = float((scores > others).float().mean())
            return Loss(
                value=bradley_terry_loss(scores, others),
                count=len(scores),
                unit="nats/pair",
                metrics={"told_right": right},
            )
        value = functional.binary_cross_entropy_with_logits(scores, batch[SCORE].float())
        return Loss(value=value, count=len(scores), unit="nats/answer")

    def scores(
        self, tokens: Tensor, learned: Tensor, generator: torch.Generator | None = None
    ) -> Float[Tensor, " rows"]:
        """Return one number a row, read at the last token of its answer.

        Args:
            tokens: int64 ``[rows, length]``, filled up at their ends.
            learned: int64 ``[rows, length]``, 1 where the answer is.
            generator: Source of dropout's masks; ``None`` drops nothing.
        """
        stream = self.stream(tokens, generator).float()
        places = torch.arange(tokens.shape[1], device=tokens.device)
        last = (places * (learned > 0)).amax(1)
        return _weighed(stream[torch.arange(len(tokens), device=tokens.device), last], self)

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
        """Return the weights under the names of Qwen3ForSequenceClassification."""
        return self.writer.tensors() | {SCORE_NAME: self.score.detach()}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every weight by its name in ``tensors``."""
        # Checked as a whole before anything is copied.
        if problems := unfit_tensors(self.tensors(), tensors):
            raise TensorMismatchError(
                "the tensors do not fit this judge:\n  " + "\n  ".join(problems), expected="its own"
            )
        self.writer.load_tensors({name: value for name, value in tensors.items() if name != SCORE_NAME})
        with torch.no_grad():
            self.score.copy_(tensors[SCORE_NAME])

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return the files of transformers, those of a classifier with one number."""
        files = super().files(codec)
        settings = json.loads(files["config.json"])
        if self.config.decoder.layout != "mainstream":
            # transformers has no classifier of the compact layout.
            return {name: content for name, content in files.items() if name.startswith("tokenizer")}
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
        """Return the network from tokens to one number a position."""
        (part,) = super().onnx_parts()
        module = _Numbers(self).eval()
        return [OnnxPart(name="model", module=module, inputs=part.inputs, outputs=("scores",), dynamic=part.dynamic)]


class _Numbers(nn.Module):
    """From tokens to the number at every position."""

    def __init__(self, family: RewardFamily) -> None:
        super().__init__()
        self.family = family

    def forward(self, tokens: Tensor) -> Tensor:
        return _weighed(self.family.stream(tokens, None), self.family)


def _weighed(stream: Tensor, family: RewardFamily) -> Tensor:
    gain = family.network.final_gain
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
