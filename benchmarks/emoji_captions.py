"""The emoji of the development data with captions from names and keywords, split by code point; and a scorer of image against caption.

The scorer is a small network trained with the contrastive objective of CLIP (Radford et al. 2021, arXiv 2103.00020, figure 3): residual
convolutions for the image, the mean of word vectors for the caption. It is to know what it judges: a scorer that has never seen a zebra
cannot tell whether a drawing shows one (such a scorer found 11 % of the real images). So it learns the training split of all styles and the
held-out code points *in the other styles*; the held-out images of the style that is asked for, which the models are measured on, it never
sees, and the models never see a held-out code point in any style. Images are shifted, mirrored, dimmed and given noise while it learns, so
that samples are not judged by what only real files have. What fits every image is discounted: of each caption the scorer subtracts what it
says of images in general. It knows nothing of the models it judges.
"""

import gzip
import io
import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from measure import data_folder
from PIL import Image
from torch import Tensor, nn

STYLES = ("noto", "twemoji", "openmoji", "blob", "emojitwo")
MOST_KEYWORDS = 6
SIDE = 32
WIDTH = 128
PEAK_RATE = 2e-3
USUAL = 1024
"""Images in general by which a caption that fits everything is known."""

RESAMPLES = 2000


def rows(styles: tuple[str, ...] = STYLES) -> list[dict]:
    """Return style, code points, caption, split and encoded image of every emoji without a skin tone."""
    folder = data_folder() / "emoji"
    with gzip.open(folder / "emoji_names_multilingual.jsonl.gz", "rt", encoding="utf-8") as lines:
        keywords = {row["codepoints"]: row["keywords"] for row in map(json.loads, lines)}
    found = []
    for row in pq.read_table(folder / "emoji_64px_webp.parquet").to_pylist():
        if row["style"] not in styles or row["skin_tone"]:
            continue
        said = set(words(row["name"]))
        more = [word for word in keywords.get(row["codepoints"], []) if not said & set(words(word))][:MOST_KEYWORDS]
        found.append(
            {
                "style": row["style"],
                "codepoints": row["codepoints"],
                "caption": ", ".join([row["name"], *more]),
                "part": row["split"],
                "image": row["image"],
            }
        )
    return found


def words(text: str) -> list[str]:
    """Return the lower-case words of a text."""
    return re.findall(r"\w+", text.lower())


def write_table(folder: Path, found: list[dict], *, with_style: bool = True) -> Path:
    """Write images, captions (which begin with their style or not), and the split as a table that makar reads."""
    parts = {"train": "train", "valid": "test", "validation": "test", "test": "test"}
    table = pa.table(
        {
            "image": [row["image"] for row in found],
            "caption": [(f"{row['style']}: " if with_style else "") + row["caption"] for row in found],
            "split": [parts[row["part"]] for row in found],
        }
    )
    path = folder / "emoji.parquet"
    pq.write_table(table, path)
    return path


def pixels(found: list[dict]) -> np.ndarray:
    """Return uint8 ``[count, 32, 32, 3]``."""
    images = []
    for row in found:
        picture = Image.open(io.BytesIO(row["image"])).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        images.append(np.asarray(picture))
    return np.stack(images)


def scorer_rows(found: list[dict], *, style: str) -> list[dict]:
    """Return what a scorer for images of one style learns from: everything but the held-out images of that style."""
    return [row for row in found if row["part"] == "train" or row["style"] != style]


class Block(nn.Module):
    """Two convolutions, added to their input, which is halved in size where ``stride`` is 2.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: 1 or 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for width in (inputs, outputs))
        self.across = nn.Conv2d(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.first(F.silu(self.norms[0](x)))
        return self.across(x) + self.second(F.silu(self.norms[1](inner)))


class Scorer(nn.Module):
    """How well images and captions go together.

    Args:
        vocabulary: Words that are known.
    """

    usual: Tensor

    def __init__(self, vocabulary: list[str]) -> None:
        super().__init__()
        self.numbers = {word: number for number, word in enumerate(vocabulary)}
        self.enter = nn.Conv2d(3, 64, 4, stride=2, padding=1)
        self.layers = nn.Sequential(Block(64, 96, 2), Block(96, 160, 2), Block(160, 160, 1))
        self.norm = nn.GroupNorm(8, 160)
        self.dropout = nn.Dropout(0.2)
        self.image_head = nn.Linear(160 * 16, WIDTH)
        self.word_vectors = nn.EmbeddingBag(len(vocabulary), 192, mode="mean")
        self.caption_head = nn.Linear(192, WIDTH)
        self.sharpness = nn.Parameter(torch.tensor(2.5))
        # Vectors of images in general, by which captions that fit everything are known.
        self.register_buffer("usual", torch.zeros(0, WIDTH))

    def images(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm(self.layers(self.enter(x)))).flatten(1)
        return F.normalize(self.image_head(self.dropout(x)), dim=1)

    def captions(self, texts: list[str]) -> Tensor:
        known = [[self.numbers[word] for word in words(text) if word in self.numbers] or [0] for text in texts]
        offsets = np.cumsum([0, *map(len, known)])[:-1]
        vectors = self.word_vectors(torch.tensor(list(itertools.chain.from_iterable(known))), torch.tensor(offsets))
        return F.normalize(self.caption_head(vectors), dim=1)


def train_scorer(found: list[dict], *, epochs: int = 30, batch: int = 128, seed: int = 0) -> Scorer:
    """Train on images and captions; see the top of the file."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    counts: dict[str, int] = {}
    for row in found:
        for word in set(words(row["caption"])):
            counts[word] = counts.get(word, 0) + 1
    scorer = Scorer(sorted(word for word, count in counts.items() if count >= 2))
    # The same code point in two styles has one caption, which is right for both.
    captions = {row["codepoints"]: row["caption"] for row in found}
    places = {name: number for number, name in enumerate(captions)}
    right = torch.tensor([places[row["codepoints"]] for row in found])
    data = torch.from_numpy(pixels(found)).permute(0, 3, 1, 2).float() / 127.5 - 1
    optimiser = torch.optim.AdamW(scorer.parameters(), PEAK_RATE, weight_decay=0.1)
    steps = epochs * (len(found) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1)
    for _ in range(epochs):
        for pick in torch.randperm(len(found), generator=generator).split(batch):
            if len(pick) < batch:
                continue
            said = scorer.captions([_fewer(caption, generator) for caption in captions.values()])
            logits = scorer.images(_varied(data[pick], generator)) @ said.T * scorer.sharpness.exp()
            loss = F.cross_entropy(logits, right[pick], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    scorer.eval()
    with torch.inference_mode():
        scorer.usual = scorer.images(data[torch.randperm(len(data), generator=generator)[:USUAL]])
    return scorer


def _varied(images: Tensor, generator: torch.Generator) -> Tensor:
    count = len(images)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    # Each image is turned a little, enlarged or reduced, moved, and half of them are mirrored; all emoji stand on white.
    angle, sizes = 0.5 * (drawn() - 0.5), 0.8 + 0.45 * drawn(2)
    mirror = torch.where(drawn() < 0.5, -1.0, 1.0)
    turned = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)
    turned = turned * sizes[:, :, None] * torch.stack([mirror, torch.ones(count)], 1)[:, None, :]
    theta = torch.cat([turned, 0.3 * (drawn(2, 1) - 0.5)], 2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    images = 1 + F.grid_sample(images - 1, grid, align_corners=False)
    # Contrast and brightness around white, a little for each colour.
    images = 1 + (images - 1) * (0.65 + 0.5 * drawn(1, 1, 1)) * (0.9 + 0.2 * drawn(3, 1, 1))
    return images + 0.3 * drawn(1, 1, 1) * torch.randn(images.shape, generator=generator)


def _fewer(caption: str, generator: torch.Generator) -> str:
    name, *more = caption.split(", ")
    kept = [word for word in more if float(torch.rand((), generator=generator)) < 0.7]
    return ", ".join([name, *kept])


@torch.inference_mode()
def agreement(scorer: Scorer, images: np.ndarray, captions: list[str]) -> np.ndarray:
    """Return how much better every image ``uint8 [count, 32, 32, 3]`` fits every caption than images in general do."""
    data = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    said, sharpness = scorer.captions(captions), scorer.sharpness.exp()
    # An image and its mirror image show the same.
    seen = F.normalize(scorer.images(data) + scorer.images(data.flip(-1)), dim=1)
    general = torch.logsumexp(sharpness * scorer.usual @ said.T, 0) - math.log(len(scorer.usual))
    return (seen @ said.T - general / sharpness).numpy()


def top_shares(similarity: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Return how often the right caption is the first, and among the first five, each with an interval over captions.

    Images of one caption are not independent, so captions are resampled and not images.
    """
    order = np.argsort(-similarity, axis=1)
    places = (order == right[:, None]).argmax(1)
    shares: dict[str, float] = {"images": len(places)}
    groups = [places[right == caption] for caption in np.unique(right)]
    draws = np.random.default_rng(0).integers(0, len(groups), (RESAMPLES, len(groups)))
    for name, first in (("top_1", 1), ("top_5", 5)):
        means = np.array([(group < first).mean() for group in groups])
        low, high = np.quantile(means[draws].mean(1), [0.025, 0.975])
        shares |= {name: float((places < first).mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
    return shares
