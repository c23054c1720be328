"""A frozen linear layer with a learned change of low rank: LoRA, rsLoRA and DoRA.

The weight W of ``rows x columns`` becomes W + s B A with A of ``rank x columns`` and B of ``rows x rank``; s is alpha / rank (Hu et al.
2021, arXiv 2106.09685, equation 3) or alpha / sqrt(rank) (Kalajdzievski 2023, arXiv 2312.03732). B begins at zero, so the first network is
the frozen one. DoRA learns the length m of every row as well: m (W + s B A) / |W + s B A|, where the norm counts as a constant on the way
back (Liu et al. 2024, arXiv 2402.09353, equations 5 and 11).

Decisions. (1) Rows of one matrix that others know as several layers (queries, keys, values) each have a change of their own, and all are
computed as one. (2) The way back is written out: it forms the gradients of A and B from two thin products and never that of W, which is a
third of a training. (3) The change is not added to W while training: in bfloat16 most of it would be rounded away.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from makar.nn.frozen_matrix import FrozenMatrix


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """Some rows of a matrix.

    Attributes:
        name: What they are called where they are a layer of their own.
        count: How many there are.
        is_changed: Whether a change of them is learned.
    """

    name: str
    count: int
    is_changed: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowRank:
    """What the changes of a network have in common.

    Attributes:
        rank: Rows of A and columns of B.
        scale: Factor on their product.
        has_magnitudes: Whether the length of every row is learned too (DoRA).
    """

    rank: int
    scale: float
    has_magnitudes: bool


def changed_weight(
    weight: Float[Tensor, "rows columns"],
    first: Float[Tensor, "rank columns"],
    second: Float[Tensor, "rows rank"],
    *,
    scale: float,
    magnitude: Float[Tensor, " rows"] | None = None,
) -> Float[Tensor, "rows columns"]:
    """Return a weight with a change merged into it, float32.

    Args:
        weight: W.
        first: A.
        second: B.
        scale: s.
        magnitude: m of DoRA.
    """
    merged = weight.float() + scale * (second.float() @ first.float())
    if magnitude is None:
        return merged
    return merged * (magnitude.float() / merged.norm(dim=1))[:, None]


class AdaptedLinear(nn.Module):
    """A frozen layer without bias and its change.

    Args:
        frozen: The weight.
        rows: Its parts from top to bottom.
        change: Rank, factor and whether lengths are learned.
    """

    def __init__(self, frozen: FrozenMatrix, rows: Sequence[Rows], change: LowRank) -> None:
        super().__init__()
        self.frozen = frozen
        self.rows = tuple(rows)
        self.change = change
        self._row_squares: Tensor | None = None
        changed = [part for part in rows if part.is_changed]
        self.first = nn.ParameterList(torch.zeros(change.rank, frozen.shape[1]) for _ in changed)
        self.second = nn.ParameterList(torch.zeros(part.count, change.rank) for part in changed)
        self.magnitude = nn.ParameterList()
        if change.has_magnitudes and changed:
            self.magnitude.extend(torch.ones(part.count) for part in changed)
            # That of the frozen weight, so that a change of zero changes nothing.
            self.set_magnitudes()

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw A as ``nn.Linear`` draws its weights, and begin B at zero and lengths at those of the frozen weight."""
        bound = self.frozen.shape[1] ** -0.5
        for first, second in zip(self.first, self.second):
            first.uniform_(-bound, bound, generator=generator)
            second.zero_()
        if self.magnitude:
            self.set_magnitudes()

    @torch.no_grad()
    def set_magnitudes(self) -> None:
        """Take the lengths of the rows of the frozen weight."""
        lengths = self.frozen.read().norm(dim=1).split([part.count for part in self.rows])
        for own, length in zip(self.magnitude, self._changed(lengths), strict=True):
            own.copy_(length)

    @property
    def weight(self) -> Float[Tensor, "rows columns"]:
        """The exact weight with the change merged into it, float32."""
        with torch.no_grad():
            whole = self.frozen.read().clone()
            places = self._changed(whole.split([part.count for part in self.rows]))
            for number, (place, first, second) in enumerate(zip(places, self.first, self.second)):
                magnitude = self.magnitude[number].cpu() if self.magnitude else None
                # A part of the whole: what is written into it is written there.
                place.copy_(
                    changed_weight(
                        place.clone(), first.cpu(), second.cpu(), scale=self.change.scale, magnitude=magnitude
                    )
                )
            return whole.to(self.first[0].device if len(self.first) else whole.device)

    def learned(self) -> dict[str, nn.Parameter]:
        """Return what is learned by the names that PEFT has for it after the name of the layer: ``q_proj.lora_A.weight``."""
        found: dict[str, nn.Parameter] = {}
        for number, part in enumerate(self._changed(self.rows)):
            found[f"{part.name}.lora_A.weight"] = self.first[number]
            found[f"{part.name}.lora_B.weight"] = self.second[number]
            if self.magnitude:
                found[f"{part.name}.lora_magnitude_vector"] = self.magnitude[number]
        return found

    def forward(
        self, x: Float[Tensor, "... columns"], gain: Float[Tensor, " columns"] | None = None
    ) -> Float[Tensor, "... rows"]:
        if gain is not None:
            x = x * gain.to(x.dtype)
        flat = x.reshape(-1, x.shape[-1])
        first = torch.cat([flat.new_empty(0, flat.shape[1], dtype=torch.float32), *self.first])
        second = self._spread()
        result: Tensor = _Product.apply(flat, first.to(x.dtype), second.to(x.dtype), self.frozen)
        if self.magnitude:
            result = result * self._lengthening(first.detach(), second.detach()).to(x.dtype)
        return result.view(*x.shape[:-1], -1)

    def plain(self, x: Float[Tensor, "... columns"]) -> Float[Tensor, "... rows"]:
        """Return what the frozen layer alone makes, without gradients."""
        with torch.no_grad():
            return self.frozen.product(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], -1)

    def _spread(self) -> Float[Tensor, "rows all_ranks"]:
        """Return every B times the factor in the rows of its part and the columns of its own A; zeros elsewhere."""
        rank, count = self.change.rank, len(self.first)
        parts, number = [], 0
        for part in self.rows:
            if part.is_changed:
                own = self.change.scale * self.second[number]
                parts.append(functional.pad(own, (rank * number, rank * (count - 1 - number))))
                number += 1
            else:
                reference = self.first[0] if count else torch.empty(0)
                parts.append(reference.new_zeros(part.count, rank * count))
        return torch.cat(parts)

    def _lengthening(self, first: Tensor, second: Tensor) -> Float[Tensor, " rows"]:
        """Return m / |W + s B A| of every row; 1 for rows that are not changed."""
        with torch.no_grad():
            # |W + C A|^2 = |W|^2 + 2 (W A^T) . C + (C A A^T) . C, without the matrix itself.
            crossed = self.frozen.product(first).T
            squares = self._squares(first.device) + ((2.0 * crossed + second @ (first @ first.T)) * second).sum(1)
            inverse = squares.clamp(min=torch.finfo(torch.float32).tiny).rsqrt()
        factors, number, start = [], 0, 0
        for part in self.rows:
            end = start + part.count
            if part.is_changed:
                factors.append(self.magnitude[number] * inverse[start:end])
                number += 1
            else:
                factors.append(torch.ones_like(inverse[start:end]))
            start = end
        return torch.cat(factors)

    def _squares(self, device: torch.device) -> Float[Tensor, " rows"]:
        if self._row_squares is None:
            self._row_squares = self.frozen.read().square().sum(1).to(device)
        return self._row_squares

    def _changed(self, parts: Sequence[Any]) -> list[Any]:
        return [value for part, value in zip(self.rows, parts, strict=True) if part.is_changed]


class _Product(torch.autograd.Function):
    """``x @ (W + second @ first).T`` with W frozen."""

    @staticmethod
    def forward(context: Any, x: Tensor, first: Tensor, second: Tensor, frozen: FrozenMatrix) -> Tensor:
        result = frozen.product(x)
        inner = x @ first.T
        result.addmm_(inner, second.T)
        context.save_for_backward(x, first, second, inner)
        context.frozen = frozen
        return result

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, first, second, inner = context.saved_tensors
        # The gradient of what came out of the thin product is thin as well.
        thin = gradients[0] @ second
        below = None
        if context.needs_input_grad[0]:
            below = context.frozen.back(gradients[0])
            below.addmm_(thin, first)
        return below, thin.T @ x, gradients[0].T @ inner, None
