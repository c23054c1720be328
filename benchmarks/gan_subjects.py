"""Three sets of images to compare generative models on: what to learn from, as files and as arrays, and a frozen judge with its floor.

``fashion_mnist`` is judged by the extractor of ``fashion_torchcfm.py``; ``emoji`` (one style, 32 x 32 pixels) by the same network with
three channels, trained to tell the nine groups on the training split of all six styles; ``cifar10`` by that network, trained to tell its
ten classes. A judge that was saved is taken up again, so that
all parts of a series are judged by one. Floors: the held-out images against the training images, and, as the held-out emoji of one
style are few, one half of the training images against the other.
"""

import hashlib
import io
import math
from pathlib import Path

import fashion_torchcfm as fashion
import numpy as np
import torch
from measure import data_folder
from safetensors.torch import load_file, save_file
from torch import nn

STYLE = "noto"
SIDE = 32
HELD_OUT = 5000
SAMPLES = {"fashion_mnist": 5000, "emoji": 2000, "cifar10": 2000}
EPOCHS = {"fashion_mnist": 4, "emoji": 12, "cifar10": 6}


class ColourExtractor(nn.Module):
    """The network of ``fashion_torchcfm`` for three channels and 32 x 32."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(64, 96, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(96 * 64, 128), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images))


class Subject:
    """One data set.

    Args:
        name: ``"fashion_mnist"``, ``"emoji"`` or ``"cifar10"``.
        folder: Where the data for our command is laid out.
        judges: Files of safetensors with judges of this data set, by the same name; the first is written when none is there.
    """

    def __init__(self, name: str, folder: Path, judges: list[Path]) -> None:
        self.name = name
        layout = {"fashion_mnist": _fashion, "emoji": _emoji, "cifar10": _cifar}[name]
        images, labels, self.place, own = layout(folder)
        self.train, held_out = images["train"][own["train"]], images["test"][own["test"]][:HELD_OUT]
        torch.manual_seed(0)
        network: nn.Module = (
            fashion.Extractor() if name == "fashion_mnist" else ColourExtractor(int(labels["train"].max()) + 1)
        )
        saved = next((file for file in judges if file.exists()), None)
        if saved is None:
            _teach(network, images["train"], labels["train"], epochs=EPOCHS[name])
            if judges:
                save_file(network.state_dict(), judges[0])
        else:
            network.load_state_dict(load_file(saved))
        self.judge = network.eval().body
        weights = b"".join(value.numpy().tobytes() for value in self.judge.state_dict().values())
        with torch.inference_mode():
            told = np.concatenate([network(as_tensor(part)).argmax(1).numpy() for part in _parts(images["test"])])
        self.reference = self.features(self.train)
        halves = np.random.default_rng(0).permutation(len(self.train))
        first, second = halves[: len(halves) // 2], halves[len(halves) // 2 :]
        self.about = {
            "judge": hashlib.sha256(weights).hexdigest()[:12],
            "judge_accuracy": round(float((told == labels["test"]).mean()), 4),
            "floor": round(fashion.frechet(self.features(held_out), self.reference), 3),
            "floor_images": len(held_out),
            "floor_of_halves": round(fashion.frechet(self.reference[first], self.reference[second]), 3),
            "training_images": len(self.train),
        }

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return features of uint8 images ``[count, height, width, channels]``."""
        with torch.inference_mode():
            return torch.cat([self.judge(as_tensor(part)) for part in _parts(images)]).double().numpy()

    def fid(self, images: np.ndarray) -> float:
        """Return the Frechet distance of samples from the training images."""
        return fashion.frechet(self.features(images), self.reference)

    def for_peer(self) -> torch.Tensor:
        """Return the training images as the peer sees them, padded to 32 x 32 with what is darkest."""
        pixels = as_tensor(self.train)
        edge = (SIDE - pixels.shape[-1]) // 2
        return nn.functional.pad(pixels, (edge,) * 4, value=-1.0)

    def from_peer(self, images: torch.Tensor) -> np.ndarray:
        """Return the peer's images as uint8, cut back to the size of the data."""
        edge = (SIDE - self.train.shape[1]) // 2
        kept = images[:, :, edge : SIDE - edge, edge : SIDE - edge]
        return ((kept.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def as_tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def _parts(images: np.ndarray) -> list[np.ndarray]:
    return np.array_split(images, math.ceil(len(images) / 1000))


Split = dict[str, np.ndarray]


def _fashion(folder: Path) -> tuple[Split, Split, Path, Split]:
    """Return images and labels by split, where they are laid out, and which of them are learned from."""
    place = folder / "fashion_mnist.npz"
    place.symlink_to(data_folder() / "fashion_mnist" / "fashion_mnist.npz")
    images, labels, test, test_labels = fashion.real()
    whole = {"train": np.arange(len(images)), "test": np.arange(len(test))}
    pixels = {"train": images[..., None], "test": test[..., None]}
    return pixels, {"train": labels, "test": test_labels}, place, whole


def read_parquet(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return (images, labels) of a table with encoded images."""
    import pyarrow.parquet
    from PIL import Image

    table = pyarrow.parquet.read_table(path)
    images = []
    for value in table["image"].to_pylist():
        with Image.open(io.BytesIO(value["bytes"] if isinstance(value, dict) else value)) as image:
            images.append(np.asarray(image.convert("RGB")))
    _, numbers = np.unique(np.array(table["label"].to_pylist()), return_inverse=True)
    return np.stack(images), numbers.astype(np.int64)


def _cifar(folder: Path) -> tuple[Split, Split, Path, Split]:
    """The same for cifar10; what is learned from are the images, without their classes."""
    place = folder / "cifar10"
    place.mkdir()
    source = data_folder() / "cifar10"
    (place / "train.parquet").symlink_to(source / "train.parquet")
    parts = {part: read_parquet(source / f"{part}.parquet") for part in ("train", "test")}
    return (
        {part: images for part, (images, _) in parts.items()},
        {part: labels for part, (_, labels) in parts.items()},
        place,
        {part: np.arange(len(images)) for part, (images, _) in parts.items()},
    )


def _emoji(folder: Path) -> tuple[Split, Split, Path, Split]:
    """The same for all styles, of which one is learned from, laid out as PNG files."""
    import pyarrow.parquet
    from PIL import Image

    table = pyarrow.parquet.read_table(data_folder() / "emoji" / "emoji_64px_webp.parquet")
    columns = {name: table[name].to_pylist() for name in ("style", "group", "split", "image")}
    pixels = []
    for content in columns["image"]:
        with Image.open(io.BytesIO(content)) as image:
            pixels.append(np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)))
    images, style = np.stack(pixels), np.array(columns["style"])
    _, labels = np.unique(np.array(columns["group"]), return_inverse=True)
    learns = np.array(columns["split"]) == "train"
    place = folder / "emoji"
    place.mkdir()
    for number in np.flatnonzero(learns & (style == STYLE)):
        Image.fromarray(images[number]).save(place / f"{number:05d}.png")
    splits = {"train": learns, "test": ~learns}
    return (
        {split: images[chosen] for split, chosen in splits.items()},
        {split: labels[chosen] for split, chosen in splits.items()},
        place,
        {split: np.flatnonzero(style[chosen] == STYLE) for split, chosen in splits.items()},
    )


def _teach(network: nn.Module, images: np.ndarray, labels: np.ndarray, *, epochs: int) -> None:
    """Train a classifier; the same settings as in ``fashion_torchcfm.py``."""
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    steps = epochs * len(images) // 128
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
    pixels, targets = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    for _ in range(steps):
        pick = torch.randint(len(images), (128,), generator=generator)
        loss = nn.functional.cross_entropy(network(as_tensor(pixels[pick].numpy())), targets[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
