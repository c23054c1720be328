"""A small network that turns clips into features for a Frechet distance, trained on the data itself and named by its hash.

The network is that of images (``makar.evaluation.extractor``) over the channels of all frames together, so that its first layer sees
movement (Karpathy et al. 2014, "Large-scale video classification with convolutional neural networks", early fusion). It learns the classes
where the data has labels, and always what was done to a clip: nothing, its frames in another order, backwards, one frame held, noise, two
clips mixed: a network that was never shown a clip that stands still may take one for real. Distances in its features are no FVD, which
needs the weights of one certain network, and compare only with the same hash and the same number of clips.
"""

import hashlib
import json
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as functional
from safetensors.torch import load, save
from torch import Tensor

from makar.data.store import Store
from makar.evaluation.extractor import BATCH, LEARNING_RATE, SIZE, STEPS, FeatureNetwork, labels_of
from makar.home import home

VERSION = 1
LOOKED_AT = 256


def _untouched(clip: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others, generator
    return clip


def _shuffled(clip: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others
    return clip[torch.from_numpy(generator.permutation(len(clip)))]


def _backwards(clip: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others, generator
    return clip.flip(0)


def _frozen(clip: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others
    return clip[int(generator.integers(len(clip)))].expand_as(clip)


def _noisy(clip: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    del others
    amount = 0.05 * 16 ** generator.random()
    return clip + amount * torch.from_numpy(generator.standard_normal(clip.shape, np.float32))


def _mixed(clip: Tensor, others: Tensor, generator: np.random.Generator) -> Tensor:
    share = 0.3 + 0.4 * generator.random()
    return (1 - share) * clip + share * others[int(generator.integers(len(others)))]


DAMAGES = (_untouched, _shuffled, _backwards, _frozen, _noisy, _mixed)


class ClipExtractor:
    """A trained feature network for clips.

    Args:
        network: The network.
        classes: Classes that it learned; 0 for none.
        hash: sha256 of its weights.
        accuracy: Share that it told right on its last batches, of classes where it learned some, else of damages.
    """

    def __init__(self, network: FeatureNetwork, *, classes: int, hash: str, accuracy: float) -> None:
        self.network = network
        self.classes = classes
        self.hash = hash
        self.accuracy: float | None = accuracy

    @property
    def name(self) -> str:
        """``own[hash8]``, to be put behind the name of a figure."""
        return f"own[{self.hash[:8]}]"

    @property
    def task(self) -> str:
        """What it learned."""
        return "classes" if self.classes else "damages"

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return features of clips.

        Args:
            images: uint8 ``[clips, frames * channels, height, width]``.

        Returns:
            float64 ``[clips, 64]``.
        """
        return self._in_parts(images, self.network.features)

    def class_probabilities(self, images: np.ndarray) -> np.ndarray | None:
        """Return p(class | clip), float64 ``[clips, classes]``; ``None`` where it learned none."""
        if not self.classes:
            return None
        return self._in_parts(images, lambda seen: self.network(seen)[:, : self.classes].softmax(1))

    def _in_parts(self, clips: np.ndarray, compute: Callable[[Tensor], Tensor]) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                compute(prepared(clips[start : start + LOOKED_AT])).double().numpy()
                for start in range(0, len(clips), LOOKED_AT)
            ]
        return np.concatenate(parts)


def clip_extractor_for(
    store: Store, *, frames: int, progress: Callable[[int, int], None] | None = None
) -> ClipExtractor:
    """Return the extractor of a training store: the one that is kept under its key, or a new one.

    Args:
        store: Training clips, uint8 ``[frames * channels, height, width]`` each, with a class slot or labels where there are some.
        frames: Frames of every clip.
        progress: Called with the steps done and their number.
    """
    identity = hashlib.sha256(f"clips {store.key} {frames} {VERSION} {STEPS}".encode()).hexdigest()[:32]
    path = home() / "extractors" / f"{identity}.safetensors"
    if path.exists():
        return _opened(path.read_bytes())
    labels = labels_of(store)
    values = store.columns["target"].values
    classes = 0 if labels is None else int(labels.max()) + 1
    network, accuracy = trained(values, labels, frames=frames, steps=STEPS, progress=progress)
    facts = {"accuracy": accuracy, "channels": network.channels, "classes": classes}
    content = save(
        {name: value.contiguous() for name, value in network.state_dict().items()}, {"makar": json.dumps(facts)}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
    return _opened(content)


def trained(
    values: np.ndarray,
    labels: np.ndarray | None,
    *,
    frames: int,
    steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FeatureNetwork, float]:
    """Return a network that tells classes and damages apart, and the share of its last batches that it told right.

    Args:
        values: uint8 ``[clips, frames * channels, height, width]``.
        labels: int64 ``[clips]``; ``None`` for none.
        frames: Frames of every clip.
        steps: Batches.
        progress: Called with the steps done and their number.
    """
    generator = np.random.default_rng(0)
    classes = 0 if labels is None else int(labels.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FeatureNetwork(values.shape[1], classes, damages=len(DAMAGES))
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    right: list[float] = []
    for step in range(steps):
        chosen = np.sort(generator.integers(0, len(values), BATCH))
        clips = prepared(values[chosen]).unflatten(1, (frames, -1))
        kinds = generator.integers(0, len(DAMAGES), BATCH)
        if labels is not None:
            # What a clip shows is learned of whole ones.
            kinds[: BATCH // 2] = 0
        damaged = torch.stack([DAMAGES[kind](clip, clips, generator) for clip, kind in zip(clips, kinds)])
        logits = network(damaged.flatten(1, 2))
        told, wanted = logits[:, classes:], torch.from_numpy(kinds)
        loss = functional.cross_entropy(told, wanted)
        if labels is not None:
            told, wanted = logits[: BATCH // 2, :classes], torch.from_numpy(labels[chosen][: BATCH // 2])
            loss = loss + functional.cross_entropy(told, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        right.append(float((told.argmax(1) == wanted).float().mean()))
        if progress is not None:
            progress(step + 1, steps)
    network.eval()
    return network, float(np.mean(right[-20:]))


def prepared(clips: np.ndarray) -> Tensor:
    """Return clips, uint8 ``[clips, frames * channels, height, width]``, as the network sees them: 32 pixels a side, -1..1."""
    values = torch.from_numpy(np.array(clips, order="C")).float() / 127.5 - 1
    if tuple(values.shape[2:]) != (SIZE, SIZE):
        values = functional.interpolate(values, size=(SIZE, SIZE), mode="bilinear", antialias=True)
    return values


def _opened(content: bytes) -> ClipExtractor:
    size = int.from_bytes(content[:8], "little")
    facts = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["makar"])
    network = FeatureNetwork(facts["channels"], facts["classes"], damages=len(DAMAGES))
    network.load_state_dict(load(content))
    network.eval()
    return ClipExtractor(
        network, classes=facts["classes"], hash=hashlib.sha256(content).hexdigest(), accuracy=facts["accuracy"]
    )
