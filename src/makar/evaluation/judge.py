"""A judge of whether images show what their captions say: a small pair of encoders trained on the training split, named by its hash.

Decisions: nothing is downloaded, so the judge is trained for half a minute on the images and captions that the model learned from, by the
same objective as the recipe ``clip`` but with draws of its own; the model that is judged, or a part of it, is never its own judge. It sees
images shifted and with noise, so that samples are not judged by what only real files have. From what it says of an image and a caption it
subtracts what it says of that caption and training images in general: a caption that fits everything is no answer. The steps are fixed,
so the same data give the same judge on the same machine, and it is kept under the key of its store.

It never saw held-out images or captions, so words that are only in these mean nothing to it; how good it is stands beside every figure as
the same figure of real held-out images.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load, save

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.evaluation.captioned import caption_rows, model_images
from makar.families.contrastive.config import ContrastiveConfig
from makar.families.contrastive.family import ContrastiveFamily
from makar.home import home
from makar.tensor_spec import CAPTION, NO_CAPTION_TOKEN, TARGET

STEPS = 600
BATCH = 128
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
FEATURES = 24
USUAL = 512
"""Training images by which a caption that fits everything is known."""

SEED = 20_260_101
VERSION = 1
TOGETHER = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """A trained pair of encoders.

    Attributes:
        family: The encoders.
        codec: Turns stored pixels into what they read.
        usual: Vectors of training images in general ``[images, vector]``.
        hash: sha256 of the weights.
    """

    family: ContrastiveFamily
    codec: Codec
    usual: torch.Tensor
    hash: str

    @property
    def name(self) -> str:
        """``judge[hash8]``, to be put behind the name of a figure."""
        return f"judge[{self.hash[:8]}]"

    def agreement(
        self, images: np.ndarray, captions: Int[np.ndarray, "captions length"]
    ) -> Float[np.ndarray, "images captions"]:
        """Return how much better each image fits each caption than training images in general do.

        Args:
            images: uint8 ``[images, channels, height, width]``.
            captions: Tokens, padded at the end.
        """
        said = self.family.embed_captions(torch.from_numpy(captions))
        sharpness = self.family.network.scale().detach()
        general = torch.logsumexp(sharpness * self.usual @ said.T, 0) / sharpness
        parts = [
            self.family.embed_images(torch.from_numpy(self.codec.to_model(TARGET, images[start : start + TOGETHER])))
            for start in range(0, len(images), TOGETHER)
        ]
        return np.asarray((torch.cat(parts) @ said.T - general).double().numpy())


def judge_for(store: Store, codec: Codec, *, progress: Callable[[int, int], None] | None = None) -> Judge:
    """Return the judge of a training store: the one that is kept under its key, or a new one.

    Args:
        store: Training images with captions.
        codec: The codec that made the store.
        progress: Called with the steps done and their number.
    """
    config = ContrastiveConfig().with_features(FEATURES).bound_to(codec.spec)
    identity = hashlib.sha256(f"{store.key} {VERSION} {STEPS} {config.to_json()}".encode()).hexdigest()[:32]
    path = home() / "judges" / f"{identity}.safetensors"
    if not path.exists():
        family = _trained(store, codec, config, progress)
        content = save({name: value.contiguous() for name, value in family.tensors().items()})
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(content)
        temporary.replace(path)
    content = path.read_bytes()
    family = ContrastiveFamily(config)
    family.load_tensors(load(content))
    family.eval()
    chosen = np.linspace(0, len(store) - 1, min(len(store), USUAL)).astype(np.int64)
    usual = family.embed_images(model_images(store, codec, chosen))
    return Judge(family, codec, usual, hashlib.sha256(json.dumps(identity).encode() + content).hexdigest())


def _trained(
    store: Store, codec: Codec, config: ContrastiveConfig, progress: Callable[[int, int], None] | None
) -> ContrastiveFamily:
    captions = caption_rows(store)
    said = np.flatnonzero(captions[:, 0] != NO_CAPTION_TOKEN)
    draw, generator = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED)
    family = ContrastiveFamily(config)
    family.initialise(generator)
    family.train()

    def batch() -> dict[str, torch.Tensor]:
        chosen = np.sort(draw.choice(said, BATCH))
        return {TARGET: model_images(store, codec, chosen), CAPTION: torch.from_numpy(captions[chosen])}

    family.initialise_from_data(batch() for _ in range(8))
    (phase,) = family.phases()
    groups = [
        {
            "params": group.parameters,
            "lr": LEARNING_RATE * group.learning_rate_scale,
            "weight_decay": WEIGHT_DECAY if group.weight_decay is None else group.weight_decay,
        }
        for group in phase.groups
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    rates = [LEARNING_RATE * group.learning_rate_scale for group in phase.groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=STEPS + 1)
    for step in range(STEPS):
        loss = phase.loss(family.prepare(batch(), generator), generator)
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, STEPS)
    return family.eval()
