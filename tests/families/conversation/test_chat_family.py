"""Models that answer: only answers are learned, filling changes nothing, and a model of text becomes one."""

import pytest
import torch
from torch.nn import functional

from makar.families.conversation.chat_family import ChatFamily
from makar.families.conversation.config import ChatConfig
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.family import TransformerFamily
from makar.families.transformer.new_rows import EMBEDDINGS, HEAD
from makar.tensor_spec import LEARNED, TARGET

DECODER = TransformerConfig(vocabulary=24, width=32, heads=1, depth=1, context=64)


def drawn(family, seed=0):
    """Return a family whose weights are all different from their start."""
    generator = torch.Generator().manual_seed(seed)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return family


def rows(lengths=(9, 6)):
    """Return rows of tokens, filled up with 0, and which of them are learned."""
    generator = torch.Generator().manual_seed(3)
    tokens = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    learned = torch.zeros_like(tokens)
    for index, length in enumerate(lengths):
        tokens[index, :length] = torch.randint(1, 24, (length,), generator=generator)
        learned[index, length // 2 : length] = 1
    return {TARGET: tokens, LEARNED: learned}


@pytest.mark.parametrize("layout", ["mainstream", "compact"])
def test_the_loss_is_the_mean_surprise_at_the_learned_tokens(layout):
    family = drawn(ChatFamily(ChatConfig(decoder=DECODER.changed(layout=layout)))).train()
    batch = rows()
    logits = family.network(batch[TARGET][:, :-1])
    labels = batch[TARGET].masked_fill(batch[LEARNED] == 0, -100)[:, 1:]
    right = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    loss = family.phases()[0].loss(batch, torch.Generator())
    assert loss.count == int(batch[LEARNED].sum())
    assert abs(loss.value.item() - right.item()) < 1e-5
    assert abs(float(family.validation_loss(batch, torch.Generator()).value) - right.item()) < 1e-5


def test_filling_changes_nothing():
    family = drawn(ChatFamily(ChatConfig(decoder=DECODER))).eval()
    batch = rows()
    wider = {name: functional.pad(values, (0, 5), value=int(name == TARGET)) for name, values in batch.items()}
    first, second = (float(family.validation_loss(one, torch.Generator()).value) for one in (batch, wider))
    assert abs(first - second) < 1e-6
    alone = family.log_probabilities(batch[TARGET][1:, :6], batch[LEARNED][1:, :6])
    together = family.log_probabilities(batch[TARGET], batch[LEARNED])
    assert torch.allclose(alone[0], together[1, :5], atol=1e-6) and not together[1, 5:].any()


def test_a_batch_without_answers_has_a_loss_that_teaches_nothing():
    family = drawn(ChatFamily(ChatConfig(decoder=DECODER))).train()
    batch = rows()
    loss = family.phases()[0].loss({**batch, LEARNED: torch.zeros_like(batch[LEARNED])}, torch.Generator())
    loss.value.backward()
    assert loss.value.item() == 0.0 and all(not parameter.grad.any() for parameter in family.parameters())


@pytest.mark.parametrize("tied", [False, True])
def test_a_model_of_text_becomes_one_that_talks(tied):
    writer = drawn(TransformerFamily(DECODER.changed(tied=tied)))
    talker = ChatFamily(ChatConfig(decoder=DECODER.changed(vocabulary=28, tied=tied)))
    talker.begin_from(writer, [])
    before, after = writer.tensors(), talker.tensors()
    assert (HEAD in after) == (not tied)
    for name, value in before.items():
        assert torch.equal(after[name][: len(value)], value)
    new = after[EMBEDDINGS][24:]
    assert len(torch.unique(new, dim=0)) == 4
    assert (new - before[EMBEDDINGS].mean(0)).abs().max() < 0.5 * before[EMBEDDINGS].abs().max()
