"""Images and captions in one space: closed forms of the losses, what varies in training, and a small pair that learns colours."""

import math

import numpy as np
import pytest
import torch

from makar.errors import ConfigError, UnsupportedError
from makar.families.contrastive.config import ContrastiveConfig
from makar.families.contrastive.family import ContrastiveFamily
from makar.families.contrastive.network import FIRST_OFFSET, LARGEST_SHARPNESS
from makar.families.contrastive.objective import first_share, same_captions, sigmoid_loss, softmax_loss
from makar.families.contrastive.variation import mirrored, noisy, shifted, shortened
from makar.tensor_spec import CAPTION, SOURCE, TARGET, Slot, TensorSpec

TINY = ContrastiveConfig(
    height=8,
    width=8,
    caption_length=4,
    caption_vocabulary=12,
    features=8,
    multipliers=(1, 2),
    caption_width=16,
    head_width=8,
    vector_width=8,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def family(config=TINY, seed=0):
    made = ContrastiveFamily(config)
    made.initialise(generator(seed))
    return made


def batch(count=8):
    """Return images of one colour each, and captions of one word that names it."""
    colours = torch.rand(4, 3, generator=generator(3)) * 2 - 1
    numbers = torch.arange(count) % 4
    captions = torch.zeros(count, 4, dtype=torch.int64)
    captions[:, 0] = 2 + numbers
    return {TARGET: colours[numbers][:, :, None, None].expand(-1, -1, 8, 8).contiguous(), CAPTION: captions}


def test_losses_of_equal_logits_are_those_of_a_guess():
    logits, right = torch.zeros(6, 6), torch.eye(6, dtype=torch.bool)
    assert softmax_loss(logits, right) == pytest.approx(math.log(6))
    assert sigmoid_loss(logits, right) == pytest.approx(6 * math.log(2))


def test_the_softmax_is_the_cross_entropy_of_both_directions():
    logits, right = torch.randn(5, 5, generator=generator()), torch.eye(5, dtype=torch.bool)
    own = torch.arange(5)
    expected = (torch.nn.functional.cross_entropy(logits, own) + torch.nn.functional.cross_entropy(logits.T, own)) / 2
    assert softmax_loss(logits, right) == pytest.approx(expected.item())


def test_the_sigmoid_is_the_cross_entropy_of_every_pair():
    logits, right = torch.randn(5, 5, generator=generator()), torch.eye(5, dtype=torch.bool)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, right.float(), reduction="sum") / 5
    assert sigmoid_loss(logits, right) == pytest.approx(expected.item())


def test_images_of_one_caption_are_right_for_each_other():
    captions = torch.tensor([[2, 3], [2, 0], [2, 3]])
    right = same_captions(captions)
    assert right.tolist() == [[True, False, True], [False, True, False], [True, False, True]]
    perfect = torch.where(right, 50.0, -50.0)
    # With even shares of two right ones the least that is left is ln 2 for two of three rows.
    assert softmax_loss(perfect, right) == pytest.approx(2 / 3 * math.log(2), rel=1e-4)
    assert softmax_loss(perfect, torch.eye(3, dtype=torch.bool)) > 0.4
    assert first_share(perfect, right) == 1.0 and first_share(-perfect, right) == 0.0


def test_shifted_images_are_windows_of_the_repeated_border():
    images = torch.arange(2 * 9.0).reshape(2, 1, 3, 3)
    moved = shifted(images, 1, generator())
    assert moved.shape == images.shape and not torch.equal(moved, images)
    for before, after in zip(images, moved, strict=True):
        padded = torch.nn.functional.pad(before[None], (1, 1, 1, 1), mode="replicate")[0]
        windows = [padded[:, row : row + 3, column : column + 3] for row in range(3) for column in range(3)]
        assert any(torch.equal(after, window) for window in windows)
    assert torch.equal(shifted(images, 0, generator()), images)


def test_half_of_the_images_are_mirrored_and_noise_differs_by_image():
    images = torch.rand(64, 1, 4, 4, generator=generator())
    turned = mirrored(images, generator())
    same = (turned == images).all((1, 2, 3))
    assert 16 < int(same.sum()) < 48 and torch.equal(turned[~same], images[~same].flip(-1))
    spread = (noisy(images, 0.5, generator()) - images).std((1, 2, 3))
    assert spread.max() < 0.8 and spread.min() < 0.1 < spread.mean()
    assert torch.equal(noisy(images, 0.0, generator()), images)


def test_shortened_captions_keep_order_and_one_token_at_least():
    captions = torch.tensor([[5, 6, 7, 8, 9, 0]]).repeat(200, 1)
    short = shortened(captions, 0.5, generator())
    lengths = (short != 0).sum(1)
    assert lengths.min() >= 1 and lengths.max() <= 5 and 2 < lengths.float().mean() < 3.2
    for row in short:
        kept = row[row != 0]
        assert torch.equal(row[: len(kept)], kept) and (kept.diff() > 0).all()
    assert torch.equal(shortened(captions, 0.0, generator()), captions)
    lone = torch.tensor([[5, 0, 0]])
    assert torch.equal(shortened(lone, 0.9, generator(1)), lone)


@pytest.mark.parametrize("objective", ["softmax", "sigmoid"])
def test_it_learns_which_colour_a_word_names(objective):
    made = family(TINY.changed(objective=objective, noise=0.05)).train()
    data = batch()
    made.initialise_from_data([data])
    before = made.validation_loss(data, generator()).metrics["first"]
    optimiser = torch.optim.Adam(made.parameters(), 1e-2)
    for step in range(60):
        shared = made.prepare(data, generator(step))
        loss = made.phases()[0].loss(shared, generator(step)).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    made.eval()
    assert made.validation_loss(data, generator()).metrics["first"] == 1.0 >= before
    asked = {TARGET: data[TARGET][:2], CAPTION: data[CAPTION][:4]}
    shares = made.predict(asked, "labels", generator())["probability"]
    assert shares.shape == (2, 4) and np.allclose(shares.sum(1), 1) and shares.argmax(1).tolist() == [0, 1]
    similar = made.predict(asked, "similarity", generator())["similarity"]
    assert (np.abs(similar) <= 1 + 1e-6).all() and similar.argmax(1).tolist() == [0, 1]


def test_words_left_out_do_not_make_two_captions_of_one():
    """The twin: by the shortened captions most of these rows would be wrong for each other."""
    data = {TARGET: batch(6)[TARGET], CAPTION: torch.tensor([[2, 3, 4, 5]]).repeat(6, 1)}
    made = family(TINY.changed(token_dropout=0.5)).train()
    shared = made.prepare(data, generator())
    assert not same_captions(shared[CAPTION]).all()
    with torch.no_grad():
        loss = made.phases()[0].loss(shared, generator())
    # All six are right for all six, so the loss cannot fall below a guess.
    assert loss.value >= math.log(6) - 1e-4 and loss.metrics["first"] == 1.0


def test_padding_says_nothing_and_vectors_have_length_one():
    made = family().eval()
    short, padded = torch.tensor([[3, 4]]), torch.tensor([[3, 4, 0, 0]])
    assert torch.allclose(made.embed_captions(short), made.embed_captions(padded), atol=1e-6)
    images = made.embed_images(batch()[TARGET])
    assert torch.allclose(images.norm(dim=1), torch.ones(8)) and images.dtype == torch.float32


def test_sharpness_stays_below_its_limit_and_only_the_sigmoid_has_an_offset():
    made = family()
    with torch.no_grad():
        made.network.sharpness.fill_(50.0)
    assert made.network.scale() == LARGEST_SHARPNESS
    assert made.network.offset is None
    assert family(TINY.changed(objective="sigmoid")).network.offset == FIRST_OFFSET


def test_images_of_one_colour_and_two_images_only_are_learned_from():
    grey = {TARGET: torch.full((2, 3, 8, 8), 0.25), CAPTION: torch.tensor([[2, 0, 0, 0], [3, 0, 0, 0]])}
    made = family().train()
    made.initialise_from_data([grey])
    loss = made.phases()[0].loss(made.prepare(grey, generator()), generator()).value
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(part.grad).all() for part in made.parameters())


def test_it_makes_nothing_and_changes_nothing_and_says_what_does():
    sampler = family().eval().sampler(None)
    for prompt in ({}, {SOURCE: torch.zeros(3, 8, 8)}, {CAPTION: torch.tensor([2, 0, 0, 0])}):
        with pytest.raises(UnsupportedError, match="makes none") as caught:
            list(sampler.sample(None, [prompt], [0]))
        assert "image-text" in caught.value.do


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="heads"):
        TINY.changed(caption_width=25)
    with pytest.raises(ConfigError, match="multipliers"):
        TINY.changed(multipliers=())
    image = Slot(kind="values", axes=("channels", "height", "width"), sizes=(3, 8, 8))
    with pytest.raises(ConfigError, match="no captions"):
        TINY.bound_to(TensorSpec({TARGET: image}))
