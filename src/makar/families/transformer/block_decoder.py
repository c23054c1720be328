"""Many positions at once in torch, on any device: prompts in one pass, and every step where the device is not the CPU.

Prompts of different lengths are aligned at their start and padded at their end. What padding writes into the cache lies beyond the
slot's length: it is masked until real tokens overwrite it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.decoder import DecoderWeights, LayerWeights


def read_block(
    weights: DecoderWeights, cache: KeyValueCache, tokens: Sequence[Int[Tensor, " _"]], *, slots: Sequence[int]
) -> Float[Tensor, "rows vocabulary"]:
    """Append tokens to slots and return the logits after the last token of each.

    Args:
        weights: Packed weights.
        cache: Where keys and values are; every slot must have room for the longest row.
        tokens: At least one token a row; lengths may differ.
        slots: The cache slot of each row.
    """
    return read_vectors(weights, cache, _embedded(weights, tokens), slots=slots)


def read_vectors(
    weights: DecoderWeights, cache: KeyValueCache, vectors: Sequence[Float[Tensor, "_ width"]], *, slots: Sequence[int]
) -> Float[Tensor, "rows vocabulary"]:
    """Append what stands in the place of embedded tokens to slots and return the logits after the last of each.

    Args:
        weights: Packed weights.
        cache: Where keys and values are; every slot must have room for the longest row.
        vectors: At least one a row; numbers may differ.
        slots: The cache slot of each row.
    """
    hidden = _hidden(weights, cache, vectors, slots)
    last = [len(row) - 1 for row in vectors]
    chosen = hidden[torch.arange(len(vectors), device=hidden.device), torch.tensor(last, device=hidden.device)]
    for row, slot in zip(vectors, slots):
        cache.lengths[slot] += len(row)
    return _logits(weights, chosen)


def read_blocks(
    weights: DecoderWeights, cache: KeyValueCache, tokens: Sequence[Int[Tensor, " _"]], *, slots: Sequence[int]
) -> list[Float[Tensor, "_ vocabulary"]]:
    """Append tokens to slots like ``read_block`` and return the logits after every one of them, on the CPU."""
    hidden = _hidden(weights, cache, _embedded(weights, tokens), slots)
    for row, slot in zip(tokens, slots):
        cache.lengths[slot] += len(row)
    return [_logits(weights, hidden[number, : len(row)]).cpu() for number, row in enumerate(tokens)]


def _embedded(weights: DecoderWeights, tokens: Sequence[Tensor]) -> list[Tensor]:
    return [weights.embedding[row.to(weights.embedding.device)] for row in tokens]


def all_logits(weights: DecoderWeights, tokens: Int[Tensor, " length"]) -> Float[Tensor, "length vocabulary"]:
    """Return the logits after every position of one sequence, for measuring how well it is predicted."""
    shape = weights.shape
    cache = KeyValueCache(
        depth=shape.depth,
        slots=1,
        heads=shape.key_value_heads,
        capacity=len(tokens),
        head_width=shape.head_width,
        device=str(weights.embedding.device),
    )
    return _logits(weights, _hidden(weights, cache, _embedded(weights, [tokens]), [0])[0])


def _hidden(weights: DecoderWeights, cache: KeyValueCache, vectors: Sequence[Tensor], slots: Sequence[int]) -> Tensor:
    device = weights.embedding.device
    starts = torch.tensor([cache.lengths[slot] for slot in slots], device=device)
    stream = torch.nn.utils.rnn.pad_sequence(list(vectors), batch_first=True)
    length = stream.shape[1]
    positions = starts[:, None] + torch.arange(length, device=device)
    reach = max(cache.lengths[slot] for slot in slots) + length
    mask = (torch.arange(reach, device=device) <= positions[..., None])[:, None]
    rotation = weights.rotations[positions][:, :, None]
    index = torch.tensor(list(slots), device=device)
    for number, layer in enumerate(weights.layers):
        query, key, value = _query_key_value(weights, layer, stream, rotation)
        # Indexed axes come first: [rows, length, heads, head width].
        cache.keys(number)[index[:, None], :, positions] = key
        cache.values(number)[index[:, None], :, positions] = value
        merged = functional.scaled_dot_product_attention(
            query.transpose(1, 2),
            cache.keys(number)[index, :, :reach],
            cache.values(number)[index, :, :reach],
            attn_mask=mask,
            scale=1.0,
            enable_gqa=True,
        )
        stream = stream + layer.merge.block(merged.transpose(1, 2).flatten(2))
        stream = stream + _feed_forward(weights, layer, stream)
    return stream


def _query_key_value(
    weights: DecoderWeights, layer: LayerWeights, stream: Tensor, rotation: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    shape = weights.shape
    joined = layer.attend.block(_normal(stream, shape.norm_epsilon))
    joined = (joined if layer.bias is None else joined + layer.bias).unflatten(-1, (-1, shape.head_width))
    query_key, value = joined.split([shape.heads + shape.key_value_heads, shape.key_value_heads], dim=2)
    query_key = (_normal(query_key, shape.norm_epsilon) if shape.normed else query_key) * layer.gain
    pairs = torch.view_as_complex(query_key.unflatten(-1, (-1, 2)))
    query_key = torch.view_as_real(pairs * rotation).flatten(-2)
    query, key = query_key.split([shape.heads, shape.key_value_heads], dim=2)
    return query, key, value


def _feed_forward(weights: DecoderWeights, layer: LayerWeights, stream: Tensor) -> Tensor:
    expanded = layer.expand.block(_normal(stream, weights.shape.norm_epsilon))
    if weights.shape.layout == "compact":
        return layer.contract.block(functional.relu(expanded).square())
    gate, up = expanded.chunk(2, dim=-1)
    return layer.contract.block(functional.silu(gate) * up)


def _normal(values: Tensor, epsilon: float) -> Tensor:
    return values * torch.rsqrt(values.square().mean(-1, keepdim=True) + epsilon)


def _logits(weights: DecoderWeights, hidden: Tensor) -> Tensor:
    logits = weights.head.block(_normal(hidden, weights.shape.norm_epsilon))
    softcap = weights.shape.softcap
    return softcap * torch.tanh(logits / softcap) if softcap else logits
