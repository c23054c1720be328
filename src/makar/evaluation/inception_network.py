"""The Inception-v3 network in the two forms in which its weights are handed around: for FID, and for ImageNet classes.

The FID form is what the weights of 2015 were trained in (1008 outputs): its average pools leave the border out of the count, and its last
block pools by the maximum. The ImageNet form (1000 outputs) counts the border and averages everywhere. Names of tensors are those of the
usual PyTorch files, so that a file is taken without translation. Source: Szegedy et al. 2015 (arXiv:1512.00567, figures 5 to 7 and 10);
what FID needs of it: Heusel et al. 2017 (arXiv:1706.08500).
"""

from typing import Literal

import torch
import torch.nn.functional as functional
from jaxtyping import Float
from torch import Tensor, nn

FEATURES = 2048
SIDE = 299
FID_CLASSES = 1008
IMAGENET_CLASSES = 1000

Kernel = int | tuple[int, int]
Step = tuple[str, int, Kernel]
"""Name, output channels and kernel of a convolution that keeps the size."""

Pool = Literal["average", "maximum", "smaller"]


class BasicConv2d(nn.Module):
    """A convolution without bias, batch normalisation, and the rectifier."""

    def __init__(self, before: int, after: int, kernel: Kernel, *, stride: int = 1, padding: Kernel = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)

    def forward(self, images: Float[Tensor, "batch before h w"]) -> Float[Tensor, "batch after oh ow"]:
        return functional.relu(self.bn(self.conv(images)), inplace=True)


class Mixed(nn.Module):
    """Branches side by side whose channels are put together.

    Args:
        before: Channels that come in.
        branches: The convolutions of every branch, in order; two names ending in ``a`` and ``b`` at its end both read what comes before.
        pool: How the last branch pools; ``"smaller"`` halves the size, as the last convolution of every branch then does.
        pooled: Channels of the convolution after the pool, 0 for none.
        counts_border: Whether average pools count the border as zeros.
    """

    def __init__(
        self, before: int, branches: tuple[tuple[Step, ...], ...], *, pool: Pool, pooled: int, counts_border: bool
    ) -> None:
        super().__init__()
        self.pool, self.counts_border = pool, counts_border
        self.branches = [[name for name, _, _ in branch] for branch in branches]
        self.pooled = bool(pooled)
        self.channels = pooled or before
        for branch in branches:
            channels = before
            for name, after, kernel in branch:
                is_last = name == branch[-1][0]
                stride = 2 if pool == "smaller" and is_last else 1
                padding = _half(kernel) if stride == 1 else 0
                self.add_module(name, BasicConv2d(channels, after, kernel, stride=stride, padding=padding))
                if not name.endswith("a"):
                    channels = after
                if is_last or name.endswith("a"):
                    self.channels += after
        if pooled:
            self.add_module("branch_pool", BasicConv2d(before, pooled, 1))

    def forward(self, images: Float[Tensor, "batch before h w"]) -> Float[Tensor, "batch after oh ow"]:
        parts = [part for names in self.branches for part in self._branch(names, images)]
        if self.pool == "average":
            rest = functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=self.counts_border)
        elif self.pool == "maximum":
            rest = functional.max_pool2d(images, 3, stride=1, padding=1)
        else:
            rest = functional.max_pool2d(images, 3, stride=2)
        parts.append(self.get_submodule("branch_pool")(rest) if self.pooled else rest)
        return torch.cat(parts, 1)

    def _branch(self, names: list[str], images: Tensor) -> list[Tensor]:
        forked: list[Tensor] = []
        for name in names:
            made = self.get_submodule(name)(images)
            if name.endswith(("a", "b")):
                forked.append(made)
            else:
                images = made
        return forked or [images]


class InceptionV3(nn.Module):
    """The network.

    Args:
        classes: 1008 for the FID form, 1000 for the ImageNet form.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        border = classes != FID_CLASSES
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, 3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, 3)
        channels = 192
        self.mixed = [name for name, _, _, _ in _blocks(classes)]
        for name, branches, pool, pooled in _blocks(classes):
            block = Mixed(channels, branches, pool=pool, pooled=pooled, counts_border=border)
            self.add_module(name, block)
            channels = block.channels
        self.fc = nn.Linear(FEATURES, classes)

    def forward(self, images: Float[Tensor, "batch 3 299 299"]) -> Float[Tensor, "batch 2048"]:
        """Return the features of images in -1..1."""
        images = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        images = self.Conv2d_3b_1x1(functional.max_pool2d(images, 3, stride=2))
        images = functional.max_pool2d(self.Conv2d_4a_3x3(images), 3, stride=2)
        for name in self.mixed:
            images = self.get_submodule(name)(images)
        return images.mean((2, 3))


def _half(kernel: Kernel) -> Kernel:
    return kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)


def _blocks(classes: int) -> list[tuple[str, tuple[tuple[Step, ...], ...], Pool, int]]:
    """Return name, branches, pool and channels after the pool of every block."""
    last: Pool = "maximum" if classes == FID_CLASSES else "average"
    return [
        ("Mixed_5b", _WIDE, "average", 32),
        ("Mixed_5c", _WIDE, "average", 64),
        ("Mixed_5d", _WIDE, "average", 64),
        (
            "Mixed_6a",
            (
                (("branch3x3", 384, 3),),
                (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
            ),
            "smaller",
            0,
        ),
        *((f"Mixed_6{letter}", _long(width), "average", 192) for letter, width in zip("bcde", (128, 160, 160, 192))),
        (
            "Mixed_7a",
            (
                (("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)),
                (
                    ("branch7x7x3_1", 192, 1),
                    ("branch7x7x3_2", 192, (1, 7)),
                    ("branch7x7x3_3", 192, (7, 1)),
                    ("branch7x7x3_4", 192, 3),
                ),
            ),
            "smaller",
            0,
        ),
        ("Mixed_7b", _FORKED, "average", 192),
        ("Mixed_7c", _FORKED, last, 192),
    ]


_WIDE: tuple[tuple[Step, ...], ...] = (
    (("branch1x1", 64, 1),),
    (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
    (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
)
_FORKED: tuple[tuple[Step, ...], ...] = (
    (("branch1x1", 320, 1),),
    (("branch3x3_1", 384, 1), ("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))),
    (
        ("branch3x3dbl_1", 448, 1),
        ("branch3x3dbl_2", 384, 3),
        ("branch3x3dbl_3a", 384, (1, 3)),
        ("branch3x3dbl_3b", 384, (3, 1)),
    ),
)


def _long(width: int) -> tuple[tuple[Step, ...], ...]:
    """Return the branches of a block whose kernels are rows and columns of seven."""
    return (
        (("branch1x1", 192, 1),),
        (("branch7x7_1", width, 1), ("branch7x7_2", width, (1, 7)), ("branch7x7_3", 192, (7, 1))),
        (
            ("branch7x7dbl_1", width, 1),
            ("branch7x7dbl_2", width, (7, 1)),
            ("branch7x7dbl_3", width, (1, 7)),
            ("branch7x7dbl_4", width, (7, 1)),
            ("branch7x7dbl_5", 192, (1, 7)),
        ),
    )
