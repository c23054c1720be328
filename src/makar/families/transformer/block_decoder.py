"""Many positions at once in torch, on any device: prompts in one pass, and every step where the device is not the CPU.

Prompts lie one behind the other (``read_block``). Rows of one length, or nearly, are aligned at their start and padded at their end; what
padding writes into the cache lies beyond the slot's length: it is masked until real tokens overwrite it.
"""

from collections.abc import Callable, Sequence

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

    Rows lie one behind the other in the products, and each attends alone. On the CPU a row is computed to the same bits alone and in
    company where the products are (``Product.is_alike``).

    Args:
        weights: Packed weights.
        cache: Where keys and values are; every slot must have room for its row.
        tokens: At least one token a row; lengths may differ.
        slots: The cache slot of each row, each once.
    """
    device = weights.embedding.device
    lengths = [len(row) for row in tokens]
    starts = [cache.lengths[slot] for slot in slots]
    positions = torch.cat([torch.arange(start, start + length) for start, length in zip(starts, lengths)]).to(device)
    masks = [_causal(start, length, device) for start, length in zip(starts, lengths)]

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        rows = zip(*(part[0].split(lengths) for part in (query, key, value)))
        merged = []
        for (row, keys, values), slot, start, mask in zip(rows, slots, starts, masks):
            end = start + len(row)
            past, told = cache.keys(layer)[slot, :, :end], cache.values(layer)[slot, :, :end]
            past[:, start:] = keys.transpose(0, 1)
            told[:, start:] = values.transpose(0, 1)
            found = functional.scaled_dot_product_attention(
                row.transpose(0, 1)[None],
                past[None],
                told[None],
                attn_mask=mask,
                is_causal=mask is None,
                scale=1.0,
                enable_gqa=True,
            )
            merged.append(found[0].transpose(0, 1))
        return torch.cat(merged)[None]

    stream = torch.cat(_embedded(weights, tokens))[None]
    hidden = _through(weights, stream, weights.rotations[positions][None, :, None], attend)[0]
    for slot, length in zip(slots, lengths):
        cache.lengths[slot] += length
    return _logits(weights, hidden[torch.tensor(lengths, device=device).cumsum(0) - 1])


def _causal(start: int, length: int, device: torch.device) -> Tensor | None:
    """Return which of the positions up to the end each of the last ones may see; ``None`` where all are new."""
    if start == 0:
        return None
    return torch.ones(length, start + length, dtype=torch.bool, device=device).tril(start)


def read_vectors(
    weights: DecoderWeights, cache: KeyValueCache, vectors: Sequence[Float[Tensor, "_ width"]], *, slots: Sequence[int]
) -> Float[Tensor, "rows vocabulary"]:
    """Append what stands in the place of embedded tokens to slots and return the logits after the last of each; rows are padded.

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
    """Append tokens to slots, rows padded, and return the logits after every one of them, on the CPU."""
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
    index = torch.tensor(list(slots), device=device)

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        # Indexed axes come first: [rows, length, heads, head width].
        cache.keys(layer)[index[:, None], :, positions] = key
        cache.values(layer)[index[:, None], :, positions] = value
        merged = functional.scaled_dot_product_attention(
            query.transpose(1, 2),
            cache.keys(layer)[index, :, :reach],
            cache.values(layer)[index, :, :reach],
            attn_mask=mask,
            scale=1.0,
            enable_gqa=True,
        )
        return merged.transpose(1, 2)

    return _through(weights, stream, weights.rotations[positions][:, :, None], attend)


def _through(
    weights: DecoderWeights, stream: Tensor, rotation: Tensor, attend: Callable[[int, Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    """Return what leaves the last layer; ``attend`` keeps keys and values of a layer and returns what the queries find."""
    for number, layer in enumerate(weights.layers):
        query, key, value = _query_key_value(weights, layer, stream, rotation)
        stream = stream + layer.merge.block(attend(number, query, key, value).flatten(2))
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
