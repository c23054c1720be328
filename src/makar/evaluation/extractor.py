"""A small network that turns images into features for FID, KID, precision and recall, trained on the data itself and named by its hash.

Decisions: no weights are downloaded, so a network is trained for a few seconds on the training split: to tell the classes where the data
has labels, otherwise to tell by how much an image was turned (Gidaris et al. 2018, arXiv:1803.07728). At the same time it learns to tell
what was done to an image (nothing, noise, blur, tiles exchanged, two images mixed): a network that has only seen clean images may
take noise for one of them, and samples of a bad model are such images. A figure names its extractor
("FID-own[hash]"), and two figures compare only with the same hash and the same number of images; an FID with Inception features is another
figure (``inception``). The steps are fixed, so the same data give the same network on the same machine, and it is kept under the key of
its store.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor, nn

from makar.data.store import Store
from makar.home import home

SIZE = 32
FEATURES = 64
STEPS = 180
BATCH = 128
LEARNING_RATE = 3e-3
MOST_CLASSES = 200
VERSION = 2


def _untouched(image: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others, generator
    return image


def _noisy(image: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others
    amount = 0.05 * 16 ** generator.random()
    return image + amount * torch.from_numpy(generator.standard_normal(image.shape, np.float32))


def _soft(image: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others
    size = int(generator.integers(8, 24))
    small = functional.interpolate(image[None], size=(size, size), mode="bilinear", antialias=True)
    return functional.interpolate(small, size=(SIZE, SIZE), mode="bilinear")[0]


def _exchanged(image: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    """Put the 16 tiles of an image into another order."""
    del others
    side = SIZE // 4
    tiles = image.unfold(1, side, side).unfold(2, side, side).flatten(1, 2)
    tiles = tiles[:, torch.from_numpy(generator.permutation(16))].unflatten(1, (4, 4))
    return tiles.permute(0, 1, 3, 2, 4).reshape(image.shape)


def _mixed(image: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    share = 0.3 + 0.4 * generator.random()
    return (1 - share) * image + share * others[int(generator.integers(len(others)))]


DAMAGES = (_untouched, _noisy, _soft, _exchanged, _mixed)


class FeatureNetwork(nn.Module):
    """Four convolutions, features by averaging over places, one linear layer to the classes.

    Args:
        channels: Channels of the images.
        classes: What it learns to tell apart.
        damages: What may have been done to them, which it learns to tell too.
    """

    def __init__(self, channels: int, classes: int, *, damages: int = len(DAMAGES)) -> None:
        super().__init__()
        self.channels = channels
        widths = (channels, 32, 64, 96, FEATURES)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2 if index < 3 else 1, padding=1)
            for index, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, after) for after in widths[1:])
        self.head = nn.Linear(FEATURES, classes + damages)

    def depths(self, images: Float[Tensor, "batch channels 32 32"]) -> list[Tensor]:
        """Return what every layer makes of images in -1..1, the first first, ``[batch, channels, height, width]`` each."""
        found = []
        for layer, norm in zip(self.layers, self.norms):
            images = functional.silu(norm(layer(images)))
            found.append(images)
        return found

    def features(self, images: Float[Tensor, "batch channels 32 32"]) -> Float[Tensor, "batch features"]:
        """Return the features of images in -1..1."""
        return self.depths(images)[-1].mean((2, 3))

    def forward(self, images: Float[Tensor, "batch channels 32 32"]) -> Float[Tensor, "batch logits"]:
        """Return the logits of the classes and, after them, of the damages."""
        return self.head(self.features(images))


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A trained feature network.

    Attributes:
        network: The network.
        hash: sha256 of its weights.
        task: What it learned: ``"classes"`` or ``"turns"``.
        accuracy: Share that it told right on its last batches.
    """

    network: FeatureNetwork
    hash: str
    task: str
    accuracy: float

    @property
    def name(self) -> str:
        """``own[hash8]``, to be put behind the name of a figure."""
        return f"own[{self.hash[:8]}]"

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return features of images.

        Args:
            images: uint8 ``[batch, channels, height, width]``.

        Returns:
            float64 ``[batch, 64]``.
        """
        return self._in_parts(images, lambda seen: self.network.features(seen))

    def class_probabilities(self, images: np.ndarray) -> np.ndarray | None:
        """Return p(class | image), float64 ``[batch, classes]``; ``None`` where it did not learn classes."""
        if self.task != "classes":
            return None
        classes = self.network.head.out_features - len(DAMAGES)
        return self._in_parts(images, lambda seen: self.network(seen)[:, :classes].softmax(1))

    def depths(self, images: np.ndarray) -> list[Tensor]:
        """Return what every layer makes of images, uint8 ``[batch, channels, height, width]``, see ``FeatureNetwork.depths``."""
        with torch.inference_mode():
            return self.network.depths(prepared(images, channels=self.network.channels))

    def _in_parts(self, images: np.ndarray, compute: Callable[[Tensor], Tensor]) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                compute(prepared(images[start : start + 256], channels=self.network.channels)).double().numpy()
                for start in range(0, len(images), 256)
            ]
        return np.concatenate(parts)


def extractor_for(store: Store, *, progress: Callable[[int, int], None] | None = None) -> Extractor:
    """Return the extractor of a training store: the one that is kept under its key, or a new one.

    Args:
        store: Training images, uint8 ``[channels, height, width]`` each, with a class slot or labels where there are some.
        progress: Called with the steps done and their number.
    """
    identity = hashlib.sha256(f"{store.key} {VERSION} {STEPS}".encode()).hexdigest()[:32]
    path = home() / "extractors" / f"{identity}.safetensors"
    if path.exists():
        return _opened(path.read_bytes())
    labels = labels_of(store)
    task = "turns" if labels is None else "classes"
    classes = 4 if labels is None else int(labels.max()) + 1
    network, accuracy = _trained(store.columns["target"].values, labels, classes, progress)
    facts = {"task": task, "accuracy": accuracy, "channels": network.channels, "classes": classes}
    content = save(
        {name: value.contiguous() for name, value in network.state_dict().items()}, {"makar": json.dumps(facts)}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
    return _opened(content)


def _opened(content: bytes) -> Extractor:
    size = int.from_bytes(content[:8], "little")
    facts = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["makar"])
    network = FeatureNetwork(facts["channels"], facts["classes"])
    network.load_state_dict(load(content))
    network.eval()
    return Extractor(network, hashlib.sha256(content).hexdigest(), facts["task"], facts["accuracy"])


def labels_of(store: Store) -> np.ndarray | None:
    """Return a class for every image, ``None`` when the data has no labels worth learning."""
    if "class" in store.columns:
        labels = np.asarray(store.columns["class"].values).reshape(-1).astype(np.int64)
    else:
        words = [source.get("label") for source in store.sources()]
        if any(word is None for word in words):
            return None
        names = {word: index for index, word in enumerate(sorted({str(word) for word in words}))}
        labels = np.array([names[str(word)] for word in words], np.int64)
    return labels if 2 <= len(np.unique(labels)) <= MOST_CLASSES else None


def _trained(
    values: np.ndarray, labels: np.ndarray | None, classes: int, progress: Callable[[int, int], None] | None
) -> tuple[FeatureNetwork, float]:
    generator = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FeatureNetwork(3 if values.shape[1] > 1 else 1, classes)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS)
    right: list[float] = []
    for step in range(STEPS):
        chosen = np.sort(generator.integers(0, len(values), BATCH))
        images = prepared(values[chosen], channels=network.channels)
        if labels is None:
            turns = generator.integers(0, 4, BATCH)
            images = torch.stack([torch.rot90(image, int(turn), (1, 2)) for image, turn in zip(images, turns)])
            targets = torch.from_numpy(turns)
        else:
            targets = torch.from_numpy(labels[chosen])
            if generator.random() < 0.5:
                images = images.flip(3)
        damages = torch.from_numpy(generator.integers(0, len(DAMAGES), BATCH))
        images = torch.stack([DAMAGES[kind](image, images, generator) for image, kind in zip(images, damages.tolist())])
        logits = network(images)
        loss = functional.cross_entropy(logits[:, :classes], targets)
        loss = loss + functional.cross_entropy(logits[:, classes:], damages)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        right.append(float((logits[:, :classes].argmax(1) == targets).float().mean()))
        if progress is not None:
            progress(step + 1, STEPS)
    return network, float(np.mean(right[-20:]))


def prepared(images: np.ndarray, *, channels: int) -> Tensor:
    """Return images as the network sees them: 32 pixels a side, -1..1, alpha laid over white.

    Args:
        images: uint8 ``[batch, channels, height, width]`` with 1, 3 or 4 channels.
        channels: 1 for grey, 3 for colour.
    """
    values = torch.from_numpy(np.array(images, order="C")).float() / 255
    if values.shape[1] == 4:
        alpha = values[:, 3:]
        values = values[:, :3] * alpha + (1 - alpha)
    if values.shape[1] != channels:
        # A palette gives grey images colours, and a colour model can be asked for grey ones.
        values = values.mean(1, keepdim=True).repeat(1, channels, 1, 1)
    if tuple(values.shape[2:]) != (SIZE, SIZE):
        values = functional.interpolate(values, size=(SIZE, SIZE), mode="bilinear", antialias=True)
    return values * 2 - 1
