"""Two complete, tiny models for tests: a bigram model of bytes and a linear generator of images; real codecs, families and samplers."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from makar.artifacts.artifact import Artifact
from makar.artifacts.save import save_artifact
from makar.codecs.codec import Codec, CodecConfig
from makar.config import Config, setting
from makar.errors import TensorMismatchError
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.family_config import FamilyConfig
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.recipe import Recipe, Stage
from makar.registry import BUILT_IN
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

END = 256
SIDE = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyTextCodecConfig(CodecConfig):
    kind: ClassVar[str] = "tiny-text-codec"
    target: ClassVar[str] = "tiny_models:TinyTextCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")


class TinyTextCodec(Codec):
    def __init__(self, config: TinyTextCodecConfig, note: bytes = b"learned") -> None:
        self.config = config
        self.note = note

    @classmethod
    def fit(cls, config: Any, records: Any) -> "TinyTextCodec":
        return cls(config)

    @classmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> "TinyTextCodec":
        return cls(config, files["note.txt"])

    def files(self) -> dict[str, bytes]:
        return {"note.txt": self.note}

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec({TARGET: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=257)})

    def encode(self, record: Any) -> dict[str, np.ndarray]:
        return {TARGET: np.append(self.encode_text(record.content), END)}

    def encode_text(self, text: str) -> np.ndarray:
        return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64)

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        return bytes(int(token) for token in slots[TARGET] if token < END).decode("utf-8", "replace")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyTextOptions(Config):
    temperature: float = setting(1.0, meaning="flatness of the choice", minimum=0.0)
    length: int = setting(24, meaning="tokens to make", minimum=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyTextConfig(FamilyConfig):
    kind: ClassVar[str] = "tiny-text"
    target: ClassVar[str] = "tiny_models:TinyText"
    item_name: ClassVar[str] = "token"
    batching: ClassVar[Literal["items", "windows"]] = "windows"

    vocabulary: int = setting(257, meaning="tokens", minimum=2)

    def accepts(self) -> TensorSpec:
        return TensorSpec({TARGET: Slot(kind="tokens", axes=("length",), sizes=(None,))})

    def bound_to(self, made: TensorSpec) -> "TinyTextConfig":
        return self.changed(vocabulary=made[TARGET].vocabulary)

    def scaled_to(self, parameters: int) -> "TinyTextConfig":
        return self

    def parameter_count(self) -> int:
        return self.vocabulary * self.vocabulary

    def training_operations(self) -> float:
        return 6.0 * self.parameter_count()

    def activation_bytes(self) -> float:
        return 4.0 * self.vocabulary


class _Plain(Family):
    def phases(self) -> list[Phase]:
        return [
            Phase(name="all", groups=[ParameterGroup(parameters=list(self.parameters()))], loss=self.validation_loss)
        ]

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.state_dict())

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        own = self.state_dict()
        wrong = sorted(set(own) ^ set(tensors)) or [name for name in own if own[name].shape != tensors[name].shape]
        if wrong:
            raise TensorMismatchError(f"tensors do not fit: {', '.join(wrong)}")
        self.load_state_dict(dict(tensors))


class TinyText(_Plain):
    """Bigram logits."""

    options = TinyTextOptions

    def __init__(self, config: TinyTextConfig) -> None:
        super().__init__()
        self.config = config
        self.table = nn.Embedding(config.vocabulary, config.vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens)

    def initialise(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            self.table.weight.normal_(generator=generator)
            self.table.weight[:, :97] -= 20.0
            self.table.weight[:, 123:] -= 20.0

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        tokens = batch[TARGET].long()
        value = nn.functional.cross_entropy(self(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        return Loss(value=value, count=tokens[:, 1:].numel(), unit="nats/token")

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        return TinyTextSampler(self, hook)

    def onnx_parts(self) -> list[OnnxPart]:
        return [
            OnnxPart(
                name="network",
                module=self.eval(),
                inputs={"tokens": torch.arange(12).reshape(2, 6)},
                outputs=("logits",),
                dynamic={"tokens": {0: "batch", 1: "length"}},
            )
        ]

    def files(self, codec: Any) -> dict[str, bytes]:
        return {"config.json": b'{"model_type": "tiny"}'}


class TinyTextSampler(Sampler):
    def __init__(self, family: TinyText, hook: LogitsHook | None) -> None:
        self.family = family
        self.hook = hook

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, Any], bool]]:
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        last = [int(prompt[TARGET][-1]) if TARGET in prompt else END for prompt in prompts]
        with torch.no_grad():
            for position in range(options.length):
                for index, generator in enumerate(generators):
                    logits = self.family.table.weight[last[index]]
                    if self.hook is not None:
                        logits = self.hook(logits, torch.tensor([last[index]]))
                    if options.temperature == 0:
                        last[index] = int(logits.argmax())
                    else:
                        weights = torch.softmax(logits / options.temperature, 0)
                        last[index] = int(torch.multinomial(weights, 1, generator=generator))
                    yield index, {TARGET: np.array([last[index]])}, position == options.length - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyImageCodecConfig(CodecConfig):
    kind: ClassVar[str] = "tiny-image-codec"
    target: ClassVar[str] = "tiny_models:TinyImageCodec"
    media: ClassVar[tuple[str, ...]] = ("image",)

    channels: int = setting(3, meaning="channels", choices=(1, 3, 4))


class TinyImageCodec(Codec):
    class_names = ("cat", "dog", "fox")

    def __init__(self, config: TinyImageCodecConfig) -> None:
        self.config = config

    @classmethod
    def fit(cls, config: Any, records: Any) -> "TinyImageCodec":
        return cls(config)

    @classmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> "TinyImageCodec":
        return cls(config)

    def files(self) -> dict[str, bytes]:
        return {}

    @property
    def spec(self) -> TensorSpec:
        sizes = (self.config.channels, SIDE, SIDE)
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes),
                CLASS: Slot(kind="tokens", axes=(), sizes=(), vocabulary=3),
            }
        )

    def encode(self, record: Any) -> dict[str, np.ndarray]:
        return {TARGET: record.content.transpose(2, 0, 1), CLASS: np.int64(self.class_names.index(record.label))}

    def decode(self, slots: dict[str, np.ndarray]) -> np.ndarray:
        return ((slots[TARGET].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyImageOptions(Config):
    strength: float = setting(1.0, meaning="scale of the noise", minimum=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyImageConfig(FamilyConfig):
    kind: ClassVar[str] = "tiny-image"
    target: ClassVar[str] = "tiny_models:TinyImage"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"

    channels: int = setting(3, meaning="channels", minimum=1)

    def accepts(self) -> TensorSpec:
        sizes = (self.channels, SIDE, SIDE)
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes),
                CLASS: Slot(kind="tokens", axes=(), sizes=(), vocabulary=3, optional=True),
            }
        )

    def bound_to(self, made: TensorSpec) -> "TinyImageConfig":
        return self.changed(channels=made[TARGET].sizes[0])

    def scaled_to(self, parameters: int) -> "TinyImageConfig":
        return self

    def parameter_count(self) -> int:
        return 8 * self.channels * SIDE * SIDE + 3 * 8

    def training_operations(self) -> float:
        return 6.0 * self.parameter_count()

    def activation_bytes(self) -> float:
        return 4.0 * SIDE * SIDE


class TinyImage(_Plain):
    """A linear map from noise and a class to pixels."""

    options = TinyImageOptions

    def __init__(self, config: TinyImageConfig) -> None:
        super().__init__()
        self.config = config
        self.classes = nn.Embedding(3, 8)
        self.draw = nn.Linear(8, config.channels * SIDE * SIDE, bias=False)

    def forward(self, noise: Tensor, number: Tensor) -> Tensor:
        pixels = torch.tanh(self.draw(noise + self.classes(number)))
        return pixels.reshape(-1, self.config.channels, SIDE, SIDE)

    def initialise(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(generator=generator)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        target = batch[TARGET].float()
        noise = torch.randn(target.shape[0], 8, generator=generator)
        value = (self(noise, batch[CLASS]) - target).square().mean()
        return Loss(value=value, count=target.shape[0], unit="mse")

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        refuse_hook(hook)
        return TinyImageSampler(self)

    def onnx_parts(self) -> list[OnnxPart]:
        return [
            OnnxPart(
                name="generator",
                module=self.eval(),
                inputs={"noise": torch.ones(2, 8), "number": torch.tensor([0, 2])},
                outputs=("pixels",),
                dynamic={"noise": {0: "batch"}, "number": {0: "batch"}},
            )
        ]


class TinyImageSampler(Sampler):
    def __init__(self, family: TinyImage) -> None:
        self.family = family

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, Any], bool]]:
        with torch.no_grad():
            # Backwards, because nothing promises an order.
            for index in reversed(range(len(seeds))):
                noise = torch.randn(1, 8, generator=torch.Generator().manual_seed(seeds[index])) * options.strength
                number = prompts[index].get(CLASS, torch.tensor(0)).reshape(1)
                yield index, {TARGET: self.family(noise, number)[0].numpy()}, True


KINDS = {
    "codecs": {
        "tiny-text-codec": "tiny_models:TinyTextCodecConfig",
        "tiny-image-codec": "tiny_models:TinyImageCodecConfig",
    },
    "families": {"tiny-text": "tiny_models:TinyTextConfig", "tiny-image": "tiny_models:TinyImageConfig"},
}
DATA = {"fingerprint": "ab" * 32, "name": "notes", "items": 3, "licences": {"CC0-1.0": 2, "NOASSERTION": 1}}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """A home of its own for every test, and the tiny models in the registry."""
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    for table, names in KINDS.items():
        for name, text in names.items():
            monkeypatch.setitem(BUILT_IN[table], name, text)
    return tmp_path / "home"


def save_tiny(path, codec: CodecConfig, family: FamilyConfig, medium: str, run: str = "", **training: Any) -> Artifact:
    recipe = Recipe(
        name="tiny", medium=medium, summary="for tests", stages=(Stage(name="model", codec=codec, family=family),)
    )
    built = {TinyTextConfig: TinyText, TinyImageConfig: TinyImage}[type(family)](family)
    built.initialise(torch.Generator().manual_seed(0))
    fitted = {TinyTextCodecConfig: TinyTextCodec, TinyImageCodecConfig: TinyImageCodec}[type(codec)](codec)
    return save_artifact(path, recipe=recipe, codec=fitted, family=built, training={"run": run, **training}, data=DATA)


def save_tiny_text(path, run: str = "", **training: Any) -> Artifact:
    return save_tiny(path, TinyTextCodecConfig(), TinyTextConfig(), "text", run, **training)


def save_tiny_image(path, channels: int = 3) -> Artifact:
    return save_tiny(path, TinyImageCodecConfig(channels=channels), TinyImageConfig(channels=channels), "image")


@pytest.fixture
def text_artifact(own_home):
    return save_tiny_text(own_home / "models" / "poe")


@pytest.fixture
def image_artifact(own_home):
    return save_tiny_image(own_home / "models" / "cats")
