"""The decoder computes what transformers computes, in one pass and step by step, alone and in a batch."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from makar.errors import TensorMismatchError, UnsupportedError
from makar.families.transformer.block_decoder import all_logits, read_block, read_blocks
from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.decoder import DecoderShape, pack_weights
from makar.families.transformer.row_decoder import RowDecoder

from .decoding_models import VOCABULARY, Example, make_example


@pytest.fixture(params=["mainstream", "compact", "llama", "qwen2"])
def example(request: pytest.FixtureRequest) -> Example:
    return make_example(request.param)


def new_cache(shape: DecoderShape, *, slots: int = 1) -> KeyValueCache:
    return KeyValueCache(
        depth=shape.depth,
        slots=slots,
        heads=shape.key_value_heads,
        capacity=shape.context_length,
        head_width=shape.head_width,
    )


def some_tokens(length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_one_pass_gives_the_logits_of_transformers(example: Example) -> None:
    tokens = some_tokens(40)
    wanted = example.model(tokens[None]).logits[0]
    got = all_logits(pack_weights(example.shape, example.tensors), tokens)
    assert (got - wanted).abs().max() < 1e-4
    assert wanted.std() > 0.1


@torch.no_grad()
def test_untied_head_gives_the_logits_of_transformers() -> None:
    example = make_example("mainstream", tied=False)
    tokens = some_tokens(10)
    got = all_logits(pack_weights(example.shape, example.tensors), tokens)
    assert (got - example.model(tokens[None]).logits[0]).abs().max() < 1e-4


@torch.no_grad()
def test_steps_give_the_logits_of_transformers(example: Example) -> None:
    tokens = some_tokens(30)
    wanted = example.model(tokens[None]).logits[0]
    weights, cache = pack_weights(example.shape, example.tensors), new_cache(example.shape)
    first = read_block(weights, cache, [tokens[:5]], slots=[0])
    assert (first[0] - wanted[4]).abs().max() < 1e-4
    rows = RowDecoder(weights, cache)
    for position in range(5, 30):
        got = torch.from_numpy(rows.step([int(tokens[position])], [0]))[0]
        assert (got - wanted[position]).abs().max() < 1e-4
    assert cache.lengths == [30]


@torch.no_grad()
def test_large_scores_need_and_get_the_maximum_subtracted() -> None:
    example = make_example("mainstream")
    tensors = {name: value * 40 if "_norm.weight" in name else value for name, value in example.tensors.items()}
    weights, cache = pack_weights(example.shape, tensors), new_cache(example.shape)
    assert weights.score_bound > 1000
    tokens = some_tokens(12)
    read_block(weights, cache, [tokens[:4]], slots=[0])
    rows = RowDecoder(weights, cache)
    wanted = all_logits(weights, tokens)
    for position in range(4, 12):
        got = rows.step([int(tokens[position])], [0])
        assert np.isfinite(got).all()
        assert np.abs(got[0] - wanted[position].numpy()).max() < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("precision", ["float32", "float32-batched", "bfloat16", "int8"])
def test_a_row_has_the_same_bits_alone_and_among_others(example: Example, precision: str) -> None:
    weights = pack_weights(example.shape, example.tensors, precision=precision)
    prompts = [some_tokens(length, length) for length in (3, 17, 9)]
    together = new_cache(example.shape, slots=3)
    for slot, prompt in enumerate(prompts):
        read_block(weights, together, [prompt], slots=[slot])
    batch = RowDecoder(weights, together)
    for step in range(4):
        among = batch.step([step, step + 1, step + 2], [0, 1, 2]).copy()
    for slot, prompt in enumerate(prompts):
        cache = new_cache(example.shape)
        read_block(weights, cache, [prompt], slots=[0])
        single = RowDecoder(weights, cache)
        for step in range(4):
            alone = single.step([step + slot], [0])
        assert np.array_equal(alone[0], among[slot])


def last_of_blocks(weights: Any, cache: Any, tokens: Any, *, slots: Any) -> list[torch.Tensor]:
    """Return the last logits of rows that are padded."""
    return [made[-1] for made in read_blocks(weights, cache, tokens, slots=slots)]


@torch.no_grad()
@pytest.mark.parametrize("read", [read_block, last_of_blocks])
def test_prompts_in_one_block_do_not_disturb_each_other(example: Example, read: Any) -> None:
    weights = pack_weights(example.shape, example.tensors)
    prompts = [some_tokens(length, length) for length in (3, 17, 9)]
    cache = new_cache(example.shape, slots=3)
    got = read(weights, cache, prompts, slots=[2, 0, 1])
    got_next = read(weights, cache, [torch.tensor([7])] * 3, slots=[2, 0, 1])
    assert cache.lengths == [18, 10, 4]
    for row, prompt in enumerate(prompts):
        wanted = all_logits(weights, torch.cat([prompt, torch.tensor([7])]))
        assert (got[row] - wanted[-2]).abs().max() < 1e-4
        assert (got_next[row] - wanted[-1]).abs().max() < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_lower_precisions_are_near_but_not_equal(example: Example, precision: str) -> None:
    tokens = some_tokens(40)
    exact = all_logits(pack_weights(example.shape, example.tensors), tokens).log_softmax(-1)
    near = all_logits(pack_weights(example.shape, example.tensors, precision=precision), tokens).log_softmax(-1)
    divergence = (exact.exp() * (exact - near)).sum(-1).mean()
    assert 1e-8 < divergence < 2e-3


def test_missing_foreign_and_misshapen_tensors_are_listed(example: Example) -> None:
    tensors = dict(example.tensors)
    del tensors["model.layers.1.self_attn.v_proj.weight"]
    tensors["foreign"] = torch.zeros(1)
    tensors["model.embed_tokens.weight"] = torch.zeros(3, 3)
    with pytest.raises(TensorMismatchError) as caught:
        pack_weights(example.shape, tensors)
    for part in ("missing model.layers.1.self_attn.v_proj.weight", "unexpected foreign", "(3, 3)"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "gpt2"},
        {"attention_bias": True},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}},
        {"hidden_act": "gelu"},
        {"use_sliding_window": True},
    ],
)
def test_what_the_decoder_does_not_compute_is_refused(change: dict) -> None:
    config = make_example("mainstream").model.config.to_dict()
    assert dataclasses.is_dataclass(DecoderShape.from_transformers(config))
    with pytest.raises(UnsupportedError):
        DecoderShape.from_transformers({**config, **change})
