"""The networks of Radford et al. 2015 (arXiv 1511.06434, section 3): transposed and strided 4 x 4 convolutions between image and 4 x 4.

Batch norm in the generator (not at its output) and, as a setting, in the discriminator (not at its input); ReLU and tanh here, leaky ReLU
there; weights from N(0, 0.02), gains from N(1, 0.02). An odd size is cut from the doubled one and padded to even on the way back. The
discriminator's norms always take the statistics of the batch at hand, which is all real or all made. The generator's take those of the
batch while it learns; to make images they take statistics of ``settle``, measured for the weights that are in place.
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.gan.dcgan_config import DcganConfig

DEVIATION = 0.02
SLOPE = 0.2
EPSILON = 1e-5


class BatchNorm(nn.Module):
    """Each channel to mean 0 and variance 1 over the batch, then a gain and a bias.

    Args:
        width: Channels.
        keeps: Whether there are kept statistics for evaluation; they are set by ``measure``.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, *, keeps: bool) -> None:
        super().__init__()
        self.keeps = keeps
        self.measures = False
        self.gain = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        if keeps:
            self.register_buffer("mean", torch.zeros(width))
            self.register_buffer("variance", torch.ones(width))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the gains around 1."""
        with torch.no_grad():
            drawn = 1.0 + DEVIATION * torch.randn(self.gain.shape, generator=generator)
            self.gain.copy_(drawn.to(self.gain.device))
            self.bias.zero_()

    def forward(self, x: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch channels rows columns"]:
        if self.measures:
            found = x.float()
            self.mean.copy_(found.mean((0, 2, 3)))
            self.variance.copy_(found.var((0, 2, 3), unbiased=False))
        if self.keeps and not self.training:
            return F.batch_norm(x, self.mean, self.variance, self.gain, self.bias, training=False, eps=EPSILON)
        return F.batch_norm(x, None, None, self.gain, self.bias, training=True, eps=EPSILON)


class DcganGenerator(nn.Module):
    """From a random vector, and a class, to an image.

    Args:
        config: Sizes.
    """

    def __init__(self, config: DcganConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_type = torch.float32
        widths, (rows, columns) = config.level_widths, config.level_sizes[-1]
        latent = config.latent_width
        self.class_vectors = nn.Parameter(torch.zeros(config.classes, latent)) if config.classes else None
        inputs = latent * (2 if config.classes else 1)
        self.project = nn.Parameter(torch.zeros(inputs, widths[-1], rows, columns))
        self.norms = nn.ModuleList(BatchNorm(width, keeps=True) for width in reversed(widths))
        ends = [config.channels, *widths]
        self.filters = nn.ParameterList(
            nn.Parameter(torch.zeros(coarse, fine, 4, 4)) for fine, coarse in reversed(list(itertools.pairwise(ends)))
        )
        self.bias = nn.Parameter(torch.zeros(config.channels))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the filters as published; the norms draw themselves."""
        _draw([self.project, *self.filters], generator)
        with torch.no_grad():
            self.bias.zero_()
            if self.class_vectors is not None:
                drawn = torch.randn(self.class_vectors.shape, generator=generator)
                self.class_vectors.copy_(drawn.to(self.class_vectors.device))

    def forward(
        self, latent: Float[Tensor, "batch latent"], label: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        """Return images in -1..1, float32."""
        config, kind = self.config, self.compute_type
        if self.class_vectors is not None:
            latent = torch.cat([latent, self.class_vectors[label]], 1)
        inputs, width, rows, columns = self.project.shape
        x = (latent.to(kind) @ self.project.reshape(inputs, -1).to(kind)).reshape(-1, width, rows, columns)
        x = x.contiguous(memory_format=torch.channels_last)
        sizes = [*reversed(config.level_sizes[:-1]), (config.height, config.width)]
        for norm, filters, (rows, columns) in zip(self.norms, self.filters, sizes):
            x = F.conv_transpose2d(F.relu(norm(x)), filters.to(kind), stride=2, padding=1)
            x = x[:, :, :rows, :columns]
        return torch.tanh(x.float() + self.bias[:, None, None])


class DcganDiscriminator(nn.Module):
    """From an image, and its class, to how real it looks.

    Args:
        config: Sizes.
    """

    def __init__(self, config: DcganConfig) -> None:
        super().__init__()
        self.compute_type = torch.float32
        widths, (rows, columns) = config.level_widths, config.level_sizes[-1]
        ends = [config.channels, *widths]
        self.filters = nn.ParameterList(
            nn.Parameter(torch.zeros(coarse, fine, 4, 4)) for fine, coarse in itertools.pairwise(ends)
        )
        self.enter_bias = nn.Parameter(torch.zeros(widths[0]))
        self.norms = nn.ModuleList(
            BatchNorm(width, keeps=False) if config.judge_norm == "batch" else Shift(width) for width in widths[1:]
        )
        self.answer = nn.Parameter(torch.zeros(1, rows * columns * widths[-1]))
        self.answer_bias = nn.Parameter(torch.zeros(1))
        self.class_vectors = nn.Parameter(torch.zeros(config.classes, widths[-1])) if config.classes else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the filters as published; the norms draw themselves."""
        _draw([*self.filters, self.answer], generator)
        with torch.no_grad():
            self.enter_bias.zero_()
            self.answer_bias.zero_()
            if self.class_vectors is not None:
                self.class_vectors.zero_()

    def forward(
        self, image: Float[Tensor, "batch channels height width"], label: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return one number an image, float32; larger is more real. There is no sigmoid: the objective has it."""
        x = image.to(self.compute_type).contiguous(memory_format=torch.channels_last)
        for index, filters in enumerate(self.filters):
            x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
            bias = self.enter_bias.to(x.dtype) if index == 0 else None
            x = F.conv2d(x, filters.to(x.dtype), bias, stride=2, padding=1)
            x = F.leaky_relu(self.norms[index - 1](x) if index else x, SLOPE)
        x = x.to(self.answer.dtype)
        answer = F.linear(x.flatten(1), self.answer, self.answer_bias)[:, 0]
        if self.class_vectors is not None:
            answer = answer + (x.mean((2, 3)) * self.class_vectors[label]).sum(1)
        return answer


class Shift(nn.Module):
    """Adds one number a channel, in the place of a norm.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def initialise(self, generator: torch.Generator) -> None:
        """Start at zero."""
        del generator
        nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch channels rows columns"]:
        return x + self.bias.to(x.dtype)[:, None, None]


def _draw(tensors: list[nn.Parameter], generator: torch.Generator) -> None:
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_((DEVIATION * torch.randn(tensor.shape, generator=generator)).to(tensor.device))
