"""Makes a vector of a text, so that texts that mean the like lie in like directions.

A text is the mean of the vectors of its tokens, brought to length 1. Each token has a weight in the mean, which begins as what smooth
inverse frequency says (a / (a + p), p its share of the data: Arora, Liang and Ma 2017, "A simple but tough-to-beat baseline for sentence
embeddings") and is learned on. With x and y the vectors of both texts of the pairs of a batch, s how alike each pair is, and t the
temperature (InfoNCE with the others of the batch as what does not belong: van den Oord et al. 2018, arXiv 1807.03748, equation 4; both
directions as in Radford et al. 2021, arXiv 2103.00020)::

    loss = - sum_i s_i (log softmax_j(x_i y_j / t)_i + log softmax_j(y_i x_j / t)_i) / (2 sum_i s_i)

Texts of a batch that are the same are right for each other. Where there are no pairs, two parts of one document belong together
(``views``), or one part that is read twice with other dropout (Gao, Yao and Chen 2021, SimCSE, arXiv 2104.08821).
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.codecs.similar_text_config import PAIRS
from makar.families.encoder.embedder_config import DROPOUT, EmbedderConfig
from makar.families.encoder.family import EncoderFamily, read_with_hidden
from makar.families.encoder.network import PRECISIONS, EncoderNetwork
from makar.families.encoder.reading import encoder_groups, shortened
from makar.families.encoder.views import crops, longest_pieces
from makar.families.family import Batch, Family, Loss, Phase
from makar.tensor_spec import SCORE, SOURCE, TARGET

UNIT = "nats/pair"
RARITY = 1e-3
"""a: tokens that are rarer than this share of all count alike."""


class EmbedderNetwork(nn.Module):
    """From tokens to a vector of length 1.

    Args:
        config: Sizes.
    """

    def __init__(self, config: EmbedderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = EncoderNetwork(config)
        self.weights = nn.Parameter(torch.zeros(config.rows)) if config.weighted else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; all tokens count alike."""
        self.encoder.initialise(generator)
        if self.weights is not None:
            with torch.no_grad():
                self.weights.zero_()

    def forward(
        self,
        tokens: Int[Tensor, "batch length"],
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch width"]:
        """Return vectors, float32.

        Args:
            tokens: Filled up with the padding token; each text has one token at least.
            dtype: Type of the products.
            generator: Source of dropout's masks and of hidden tokens; ``None`` as outside training.
        """
        stream, exists = read_with_hidden(self.encoder, tokens, dtype, generator)
        counts = exists.float() if self.weights is None else exists * self.weights[tokens].exp()
        return functional.normalize((stream * counts[..., None]).sum(1), dim=-1)


class EmbedderFamily(EncoderFamily):
    """A maker of vectors of texts.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    # In parts of a batch there would be fewer texts to be told from.
    concurrent: ClassVar[bool] = False
    architecture: ClassVar[str] = "ModernBertModel"
    config: EmbedderConfig
    network: EmbedderNetwork

    def __init__(self, config: EmbedderConfig) -> None:
        super().__init__(config, EmbedderNetwork(config))
        self.vector_width, self.padding_token = config.width, config.padding_token
        self.end_token: int | None = None
        """What stands between documents of a stream; known while it is trained."""

    def know(self, codec: Any) -> None:
        """Take the token between documents."""
        self.end_token = codec.end_token

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Give rare tokens more weight, by how often each is in a few batches."""
        if self.network.weights is None:
            return
        counts = torch.zeros(self.config.rows, dtype=torch.float64)
        for batch in batches:
            for name in (SOURCE, TARGET):
                if name in batch:
                    counts += torch.bincount(batch[name].flatten().cpu(), minlength=len(counts))
        counts[self.config.padding_token] = 0
        with torch.no_grad():
            shares = counts / counts.sum().clamp(min=1)
            self.network.weights.copy_((RARITY / (RARITY + shares)).log())

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over a maker of vectors whole; of any other encoder what reads, the weights of tokens from the data."""
        super().begin_from(parent, batches)
        if type(parent) is not type(self):
            self.initialise_from_data(batches)

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter brings together what belongs together."""
        return [Phase(name="pairs", groups=encoder_groups(self.network), loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        return self._apart(batch, generator, dropout=generator)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss without dropout, of parts that the generator draws."""
        with torch.no_grad():
            return self._apart(batch, generator, dropout=None)

    def _apart(self, batch: Batch, generator: torch.Generator, *, dropout: torch.Generator | None) -> Loss:
        first, second, alike = self._views(batch, generator)
        dtype = PRECISIONS[self.precision]
        one, other = (self.network(shortened(part, self.config), dtype, dropout) for part in (first, second))
        same = _equal(first) | _equal(second)
        value = contrast(one @ other.T / self.config.temperature, same, alike)
        return Loss(value=value, count=len(first), unit=UNIT)

    def _views(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return two texts of each example, and how alike they are."""
        if self.config.learns == PAIRS:
            return batch[SOURCE], batch[TARGET], batch[SCORE].float()
        windows = batch[TARGET]
        draws = torch.rand((2, len(windows), 2), generator=generator).to(windows.device)
        pieces = longest_pieces(windows, self.end_token)
        first, second = (
            crops(
                windows,
                pieces,
                drawn,
                longest=self.config.length,
                least=self.config.least_crop,
                padding=self.config.padding_token,
            )
            for drawn in (draws[0], draws[0 if self.config.views == DROPOUT else 1])
        )
        return first, second, torch.ones(len(windows), device=windows.device)

    def vectors(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch width"]:
        """Return the vectors of texts, each of length 1."""
        with torch.no_grad():
            made: Tensor = self.network(shortened(tokens, self.config))
        return made

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``vector``, float32 ``[batch, width]``."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        return {"vector": self.vectors(batch[TARGET][:, : self.config.length]).cpu().numpy()}

    @property
    def is_known(self) -> bool:
        """Where all tokens count alike: the mean of what ``ModernBertModel`` says."""
        return not self.config.weighted

    def onnx_module(self) -> tuple[nn.Module, str, dict[str, Tensor]]:
        """Return the network from tokens to vectors."""
        return self.network, "vectors", {}


def contrast(
    logits: Float[Tensor, "batch batch"], same: Bool[Tensor, "batch batch"], alike: Float[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Return how surprising it is that texts belong to their own ones, both ways, in nats a pair.

    Args:
        logits: How alike each first text (row) is to each second one, over the temperature.
        same: Which pairs have a text in common; they are right for each other.
        alike: How much each pair counts, 0 to 1.
    """
    right = same | torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    surprise = logits.new_zeros(len(logits))
    for way, of in ((logits, right), (logits.T, right.T)):
        surprise = surprise - way.log_softmax(1).masked_fill(~of, -torch.inf).logsumexp(1) / 2
    return (alike * surprise).sum() / alike.sum().clamp(min=1e-6)


def _equal(rows: Int[Tensor, "batch length"]) -> Bool[Tensor, "batch batch"]:
    return (rows[:, None] == rows[None]).all(2)
