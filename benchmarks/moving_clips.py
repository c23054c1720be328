"""Data of the benchmarks of video: people drawn in layers that walk and fight, clothes that bounce; and a judge that reads clips."""

import itertools
from pathlib import Path

import numpy as np
import torch
from measure import data_folder
from torch import nn

from makar.data.clip import Clip
from makar.data.video_file import video_bytes

SIDE, FRAMES, RATE_HZ = 32, 8, 8.0
PARTS = ("body", "bottomwear", "topwear", "hair")
WORDS = {
    "body": ("pale", "fair", "tan", "brown", "dark", "orc"),
    "bottomwear": ("first", "second", "third", "fourth", "fifth", "sixth"),
    "topwear": ("plain", "laced", "leather", "armour", "jacket", "robe"),
    "hair": ("short", "long", "curly", "spiked", "tied", "bald"),
}
"""Names of the six variants of each part, so that a caption is told apart by words; they are names and describe nothing."""


class Sprites:
    """The 11,664 clips of sprites_video, composed when they are asked for, at 32 pixels."""

    def __init__(self) -> None:
        self.layers = np.load(data_folder() / "sprites_video" / "sprite_layers.npz", allow_pickle=False)
        self.parts = {name: self.layers[name] for name in (*PARTS, "shoes")}
        self.actions = [str(name).replace("_", " ") for name in self.layers["sequence_names"]]
        self.train, self.test = self.layers["train_ids"], self.layers["test_ids"]

    def variants(self, character: int) -> tuple[int, ...]:
        """Return the variant of every part of a character."""
        return character // 216, character // 36 % 6, character // 6 % 6, character % 6

    def clip(self, character: int, action: int) -> Clip:
        """Return one clip: the layers over each other on black, each pixel the mean of four."""
        chosen = dict(zip(PARTS, self.variants(character), strict=True)) | {"shoes": 0}
        canvas = np.zeros((FRAMES, 64, 64, 3))
        for name in ("body", "shoes", "bottomwear", "topwear", "hair"):
            layer = self.parts[name][chosen[name], action].astype(np.float64)
            alpha = layer[..., 3:] / 255
            canvas = alpha * layer[..., :3] + (1 - alpha) * canvas
        small = canvas.reshape(FRAMES, SIDE, 2, SIDE, 2, 3).mean((2, 4))
        return Clip(np.rint(small).astype(np.uint8), RATE_HZ)

    def caption(self, character: int, action: int) -> str:
        """Return a clip in words."""
        said = [WORDS[part][variant] for part, variant in zip(PARTS, self.variants(character), strict=True)]
        return f"{said[0]} body {said[1]} trousers {said[2]} top {said[3]} hair {self.actions[action]}"


def bouncing(seed: int, images: np.ndarray, *, frames: int) -> Clip:
    """Return two clothes of 14 pixels that move evenly and bounce off the edges of 32 pixels, the brighter in front."""
    draw = np.random.default_rng(seed)
    canvas = np.zeros((frames, SIDE, SIDE), np.uint8)
    for _ in range(2):
        small = images[draw.integers(len(images))].reshape(14, 2, 14, 2).mean((1, 3)).astype(np.uint8)
        place, way = draw.uniform(0, SIDE - 14, 2), draw.uniform(-2.5, 2.5, 2)
        for frame in range(frames):
            spot = (place + frame * way) % (2 * (SIDE - 14))
            top, left = np.rint(np.minimum(spot, 2 * (SIDE - 14) - spot)).astype(int)
            under = canvas[frame, top : top + 14, left : left + 14]
            canvas[frame, top : top + 14, left : left + 14] = np.maximum(under, small)
    return Clip(canvas[..., None], RATE_HZ)


def written(clips: list[tuple[Clip, str]], folder: Path) -> Path:
    """Write clips, exactly, with their captions beside them where they have one."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (clip, caption) in enumerate(clips):
        (folder / f"{number:05d}.apng").write_bytes(video_bytes(clip, "apng", comment=""))
        if caption:
            (folder / f"{number:05d}.txt").write_text(caption, encoding="utf-8")
    return folder


class Judge(nn.Module):
    """Reads the four variants and the action off a clip: frames apart by convolutions in space, then together along time."""

    def __init__(self, heads: tuple[int, ...] = (6, 6, 6, 6, 9)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((3, 24, 48, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.space = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 96), nn.ReLU())
        self.time = nn.Sequential(nn.Flatten(), nn.Linear(96 * FRAMES, 128), nn.ReLU(), nn.Dropout(0.2))
        self.heads = nn.ModuleList(nn.Linear(128, count) for count in heads)

    def forward(self, clips: torch.Tensor) -> list[torch.Tensor]:
        seen = self.space(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        together = self.time(seen)
        return [head(together) for head in self.heads]


def as_tensor(clips: np.ndarray) -> torch.Tensor:
    """Return clips uint8 ``[clips, frames, height, width, 3]`` as the judge sees them."""
    return torch.from_numpy(clips).permute(0, 1, 4, 2, 3).float() / 127.5 - 1


def taught(clips: np.ndarray, targets: np.ndarray, *, steps: int) -> Judge:
    """Train a judge; noise and moves by a pixel or two let it see more than perfect clips.

    Args:
        clips: uint8 ``[clips, frames, height, width, 3]``.
        targets: int64 ``[clips, heads]``.
        steps: Batches of 64.
    """
    torch.manual_seed(0)
    judge = Judge()
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    wanted = torch.from_numpy(targets)
    for _ in range(steps):
        pick = torch.randint(len(clips), (64,))
        batch = as_tensor(clips[pick.numpy()])
        batch = torch.roll(batch, tuple(torch.randint(-2, 3, (2,)).tolist()), dims=(-2, -1))
        batch = batch + 0.1 * float(torch.rand(())) * torch.randn_like(batch)
        told = judge(batch)
        loss = sum(nn.functional.cross_entropy(one, wanted[pick, head]) for head, one in enumerate(told))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return judge.eval()


def read(judge: Judge, clips: np.ndarray) -> np.ndarray:
    """Return what a judge reads, int64 ``[clips, heads]``."""
    with torch.inference_mode():
        parts = [judge(as_tensor(part)) for part in np.array_split(clips, max(1, len(clips) // 200))]
    return np.concatenate([torch.stack([head.argmax(1) for head in part], 1).numpy() for part in parts])
