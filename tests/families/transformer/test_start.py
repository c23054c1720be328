"""A started network predicts the pairs exactly where it can, closely where it cannot, and looks back."""

import pytest
import torch
from torch.nn import functional

from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.family import TransformerFamily
from makar.families.transformer.start import count_pairs, following_logits
from makar.nn.norm import rms_norm
from makar.nn.rotary import rotary_table, rotate


def chain(vocabulary, length, seed=0):
    """A text in which what follows depends on the last token only, and not all tokens occur."""
    generator = torch.Generator().manual_seed(seed)
    table = (torch.randn(vocabulary, vocabulary, generator=generator) * 2).softmax(-1)
    table[:, -2:] = 0
    tokens = [0]
    for _ in range(length):
        tokens.append(int(torch.multinomial(table[tokens[-1]], 1, generator=generator)))
    return torch.tensor(tokens)[None]


def started(layout, vocabulary, width, tokens):
    config = TransformerConfig(
        layout=layout, vocabulary=vocabulary, context=64, depth=2, width=width, heads=width // 32
    )
    family = TransformerFamily(config)
    family.initialise(torch.Generator().manual_seed(0))
    family.initialise_from_data([{"target": tokens}])
    return family


@pytest.mark.parametrize("layout", ["compact", "mainstream"])
def test_few_tokens_are_predicted_exactly(layout):
    tokens = chain(20, 3000)
    family = started(layout, 20, 64, tokens)
    logits = following_logits(count_pairs([tokens], 20))
    with torch.no_grad():
        found = family.network(tokens[:, :200])[0].log_softmax(-1)
    expected = logits.log_softmax(-1)[tokens[0, :200]]
    assert (found.exp() - expected.exp()).abs().max() < 2e-3


@pytest.mark.parametrize("layout", ["compact", "mainstream"])
def test_many_tokens_are_predicted_better_than_by_their_frequency(layout):
    tokens = chain(100, 5000)
    family = started(layout, 100, 64, tokens)
    windows = tokens[0, :4992].view(78, 64)
    found = family.validation_loss({"target": windows}, torch.Generator()).value
    counts = count_pairs([tokens], 100)
    right = windows[:, 1:].reshape(-1)
    single = functional.cross_entropy(counts.sum(0).log().expand(len(right), -1), right)
    exact = functional.cross_entropy(following_logits(counts)[windows[:, :-1].reshape(-1)], right)
    assert exact - 1e-3 <= found < single - 0.8 * (single - exact)


def test_smoothed_pairs_are_probabilities_and_know_every_token():
    logits = following_logits(count_pairs([torch.tensor([[0, 1, 0, 1, 2]])], 5))
    probabilities = logits.softmax(-1)
    assert probabilities[0].argmax() == 1 and (probabilities > 0).all()


@pytest.mark.parametrize("layout", ["compact", "mainstream"])
def test_heads_of_the_first_block_look_back_their_number_of_places(layout):
    family = started(layout, 20, 96, chain(20, 2000))
    config, attention = family.config, family.network.blocks[0].attention
    tokens = torch.randint(0, 18, (1, 40), generator=torch.Generator().manual_seed(1))
    x = rms_norm(family.network.embeddings[tokens], epsilon=1e-6)
    heads = attention.projected(x, None).view(1, 40, -1, 32)[:, :, :6]
    clockwise = layout == "compact"
    table = rotary_table(torch.arange(40), head_width=32, base=config.rotary_base, clockwise=clockwise)
    turned = rotate(rms_norm(heads, epsilon=1e-6).transpose(1, 2), table)[0]
    scores = turned[:3] @ turned[3:].transpose(1, 2) / 32**0.5
    future = torch.ones(40, 40, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, float("-inf")).softmax(-1)
    places = torch.arange(10, 40)
    for head in range(3):
        by_distance = torch.stack([weights[head, places, places - distance].mean() for distance in range(10)])
        assert by_distance.argmax() == head + 1


def test_shared_embeddings_stay_as_drawn():
    config = TransformerConfig(vocabulary=20, depth=1, width=32, heads=1, tied=True)
    family = TransformerFamily(config)
    family.initialise(torch.Generator().manual_seed(0))
    before = family.network.embeddings.clone()
    family.initialise_from_data([{"target": chain(20, 100)}])
    assert torch.equal(before, family.network.embeddings)
