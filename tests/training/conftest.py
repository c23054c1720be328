"""Tiny families, codecs and stores, so that a whole training takes a fraction of a second."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from makar.codecs.codec import Codec, CodecConfig
from makar.config import Config, setting
from makar.data.record import Record
from makar.data.store import Store, build_store
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.family_config import FamilyConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.tensor_spec import Slot, TensorSpec
from makar.training.plan import TrainingPlan
from makar.training.trainer import TrainingData

VOCABULARY = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayCodecConfig(CodecConfig):
    """Content is the array itself."""

    kind: ClassVar[str] = "array"
    target: ClassVar[str] = f"{__name__}:ArrayCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "image")


class ArrayCodec(Codec):
    """Passes arrays on."""

    def __init__(self, config: ArrayCodecConfig) -> None:
        self.config = config

    @classmethod
    def fit(cls, config: Any, records: Iterator[Record]) -> Self:
        return cls(config)

    @classmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> Self:
        return cls(config)

    def files(self) -> dict[str, bytes]:
        return {}

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=VOCABULARY)})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        return {"target": record.content}

    def decode(self, slots: dict[str, np.ndarray]) -> Any:
        return slots["target"]


class TinyFamily(Family):
    """What the tiny families share: nothing to sample or export."""

    options = Config

    def __init__(self, config: FamilyConfig) -> None:
        super().__init__()
        self.config = config

    def initialise(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))

    def sampler(self, codec: Any, *, hook: Any = None) -> Sampler:
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.state_dict())

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        self.load_state_dict(dict(tensors))

    def onnx_parts(self) -> list[OnnxPart]:
        return []


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyConfig(FamilyConfig):
    """Sizes of a tiny family."""

    width: int = setting(8, meaning="width", minimum=1)

    def accepts(self) -> TensorSpec:
        return TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,))})

    def bound_to(self, made: TensorSpec) -> Self:
        return self

    def scaled_to(self, parameters: int) -> Self:
        return self

    def parameter_count(self) -> int:
        return 2 * VOCABULARY * self.width

    def training_operations(self) -> float:
        return 6.0 * self.parameter_count()

    def activation_bytes(self) -> float:
        return 64.0 * self.width


class TinyLanguageConfig(TinyConfig):
    """A bigram model with dropout."""

    kind: ClassVar[str] = "tiny-language"
    target: ClassVar[str] = f"{__name__}:TinyLanguage"
    item_name: ClassVar[str] = "token"
    batching = "windows"

    @property
    def window_length(self) -> int:
        return 12


class TinyLanguage(TinyFamily):
    """Predicts the next token from the last, through a dropout; ``break_at`` makes the loss of some calls wrong."""

    def __init__(self, config: TinyLanguageConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(VOCABULARY, config.width)
        self.head = nn.Linear(config.width, VOCABULARY, bias=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.after_loss: Callable[[Tensor, Batch], Tensor] = lambda loss, batch: loss

    def _loss(self, batch: Batch) -> Loss:
        target = batch["target"]
        hidden = nn.functional.dropout(self.embedding(target[:, :-1]), 0.1, training=self.training)
        value = nn.functional.cross_entropy(self.head(hidden).flatten(0, 1).float(), target[:, 1:].flatten())
        return Loss(value=value, count=target[:, 1:].numel(), unit="nats/token")

    def phases(self) -> list[Phase]:
        def loss(batch: Batch, generator: torch.Generator) -> Loss:
            found = self._loss(batch)
            return dataclasses.replace(found, value=self.after_loss(found.value, batch))

        def count() -> None:
            self.calls += 1

        groups = [ParameterGroup(parameters=list(self.parameters()))]
        return [Phase(name="likelihood", groups=groups, loss=loss, after_step=count)]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        return self._loss(batch)


class PointGanConfig(TinyConfig):
    """A generator and a discriminator of points in the plane."""

    kind: ClassVar[str] = "point-gan"
    target: ClassVar[str] = f"{__name__}:PointGan"
    item_name: ClassVar[str] = "point"
    batching = "items"


class PointGan(TinyFamily):
    """Two phases and a lazy gradient penalty that shares the discriminator's optimiser and is due every fourth step."""

    def __init__(self, config: PointGanConfig) -> None:
        super().__init__(config)
        self.generator = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 32), nn.Softplus(), nn.Linear(32, 1))
        self.register_buffer("history", torch.zeros(16, 2))
        self.log: list[str] = []

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        self.log.append("prepare")
        noise = torch.randn(len(batch["target"]), 2, generator=generator)
        return {"real": batch["target"], "noise": noise, "fake": self.generator(noise)}

    def phases(self) -> list[Phase]:
        def discriminate(batch: Batch, generator: torch.Generator) -> Loss:
            self.log.append("discriminator")
            real, fake = self.discriminator(batch["real"]), self.discriminator(batch["fake"])
            value = nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()
            return Loss(value=value, count=len(real), unit="nats")

        def penalise(batch: Batch, generator: torch.Generator) -> Loss:
            self.log.append("penalty")
            points = batch["real"].detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.discriminator(points).sum(), points, create_graph=True)
            return Loss(value=4 * 0.05 * slope.square().sum(1).mean(), count=len(points), unit="slope")

        def generate(batch: Batch, generator: torch.Generator) -> Loss:
            self.log.append("generator")
            value = nn.functional.softplus(-self.discriminator(self.generator(batch["noise"]))).mean()
            return Loss(value=value, count=len(batch["noise"]), unit="nats")

        def remember() -> None:
            self.history.copy_(0.9 * self.history + 0.1 * self.discriminator[0].weight[:16])

        def replayed(batch: Batch, generator: torch.Generator) -> Batch:
            keep = torch.randint(len(batch["fake"]), (len(batch["fake"]),), generator=generator)
            return {**batch, "fake": batch["fake"][keep]}

        judge = [ParameterGroup(parameters=list(self.discriminator.parameters()))]
        maker = [ParameterGroup(parameters=list(self.generator.parameters()))]
        return [
            Phase(
                name="discriminator", groups=judge, loss=discriminate, optimiser="judge", batch=replayed, averaged=False
            ),
            Phase(name="penalty", groups=judge, loss=penalise, optimiser="judge", every=4, averaged=False),
            Phase(name="generator", groups=maker, loss=generate, optimiser="maker", after_step=remember),
        ]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Distance between the means and spreads of real and made points."""
        made = self.generator(torch.randn(256, 2, generator=generator))
        real = batch["target"]
        value = (made.mean(0) - real.mean(0)).norm() + (made.std(0) - real.std(0)).norm()
        return Loss(value=value, count=len(real), unit="distance")


class BanditConfig(TinyConfig):
    """A policy over arms."""

    kind: ClassVar[str] = "bandit"
    target: ClassVar[str] = f"{__name__}:Bandit"
    item_name: ClassVar[str] = "pull"
    batching = "items"


class Bandit(TinyFamily):
    """Learns from its own samples: the phase's batch is a rollout of the present policy, the third arm pays best."""

    rewards = torch.tensor([0.1, 0.2, 1.0, 0.3])

    def __init__(self, config: BanditConfig) -> None:
        super().__init__(config)
        self.logits = nn.Parameter(torch.zeros(4))
        self.register_buffer("baseline", torch.zeros(()))

    def phases(self) -> list[Phase]:
        def pull(batch: Batch, generator: torch.Generator) -> Batch:
            arms = torch.multinomial(self.logits.softmax(0), 64, replacement=True, generator=generator)
            rewards = self.rewards[arms] + 0.1 * torch.randn(64, generator=generator)
            self.baseline.copy_(0.9 * self.baseline + 0.1 * rewards.mean())
            return {"arms": arms, "advantage": rewards - self.baseline}

        def loss(batch: Batch, generator: torch.Generator) -> Loss:
            chances = self.logits.log_softmax(0)[batch["arms"]]
            return Loss(value=-(chances * batch["advantage"]).mean(), count=64, unit="reward")

        return [Phase(name="policy", groups=[ParameterGroup(parameters=[self.logits])], loss=loss, batch=pull)]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        value = 1.0 - (self.logits.softmax(0) * self.rewards).sum()
        return Loss(value=value, count=1, unit="regret")


FAMILIES = {
    "language": (TinyLanguageConfig, TinyLanguage),
    "gan": (PointGanConfig, PointGan),
    "bandit": (BanditConfig, Bandit),
}


def make_store(folder: Path, kind: str, *, seed: int = 0, examples: int = 40) -> Store:
    """Build a store of token sequences (each token mostly followed by its successor) or of points on a ring."""
    generator = np.random.default_rng(seed)
    records = []
    for index in range(examples):
        if kind == "language":
            steps = generator.choice([1, 1, 1, 1, 5], size=int(generator.integers(20, 40)))
            content = (np.cumsum(steps) % VOCABULARY).astype(np.uint16)
        else:
            angle = generator.uniform(0, 2 * np.pi)
            content = np.array([2 + np.cos(angle), np.sin(angle) - 1], np.float32)
        records.append(
            Record(id=f"{index:016x}", medium="text", content=content, document="d", source="s", split="train")
        )
    return build_store(folder, records, lambda record: {"target": record.content}, key=f"{kind}{seed}{examples}")


@dataclasses.dataclass
class Workshop:
    """A tiny training, ready to run; change its parts before ``plan``."""

    folder: Path
    kind: str
    data: TrainingData
    optimisation: OptimisationConfig

    def plan(self, *, steps: int | None = None, seconds: float | None = None, seed: int = 0) -> TrainingPlan:
        config = FAMILIES[self.kind][0]()
        stage = Stage(name="main", codec=ArrayCodecConfig(), family=config, optimisation=self.optimisation)
        recipe = Recipe(name="tiny", medium="text", summary="a toy", stages=(stage,))
        return TrainingPlan(recipe=recipe, steps=steps, seconds=seconds, seed=seed)

    def family(self) -> Any:
        config, family = FAMILIES[self.kind]
        return family(config())


@pytest.fixture
def workshop(tmp_path: Path) -> Callable[..., Workshop]:
    """Return a function that prepares a tiny training of a kind."""

    def prepare(kind: str = "language", **settings: Any) -> Workshop:
        data = TrainingData(
            codec=ArrayCodec(ArrayCodecConfig()),
            stores={
                "train": make_store(tmp_path / "train", kind),
                "inner": make_store(tmp_path / "inner", kind, seed=1, examples=10),
            },
        )
        values = {"learning_rate": 0.02, "batch_size": 8, "average_share": 0.05, **settings}
        return Workshop(tmp_path / "run", kind, data, OptimisationConfig(**values))

    return prepare
