"""Describing images: which tokens are learned, losses that know no neighbours, greedy captions, images that are moved a little."""

import doctest

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from makar.errors import ConfigError, UnsupportedError
from makar.families.family import Batch, build_family
from makar.families.transformer import caption_family
from makar.families.transformer.caption_config import CaptionerConfig
from makar.families.transformer.caption_family import CaptionerFamily, counted_tokens, shifted
from makar.families.transformer.caption_sampler import CaptionerOptions
from makar.tensor_spec import TARGET, Slot, TensorSpec

CAPTIONS = torch.tensor([[4, 5, 6, 0, 0], [7, 8, 0, 0, 0], [1, 0, 0, 0, 0]])


def small(**values: object) -> CaptionerConfig:
    sizes = {"height": 12, "width": 8, "channels": 1, "caption_length": 5, "caption_vocabulary": 9}
    network = {"features": 8, "depth": 1, "stream_width": 32, "heads": 2, "dropout": 0.0}
    return CaptionerConfig(**{**sizes, **network, **values})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(config: CaptionerConfig, *, noise: float = 0.3) -> CaptionerFamily:
    family = build_family(config)
    assert isinstance(family, CaptionerFamily)
    family.initialise(generator())
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, generator=generator(1)))
    return family.eval()


def batch(config: CaptionerConfig, count: int = 3) -> Batch:
    shape = (count, config.channels, config.height, config.width)
    return {"target": torch.rand(shape, generator=generator(2)) * 2 - 1, "caption": CAPTIONS[:count]}


def logits_of(family: CaptionerFamily, image: torch.Tensor, tokens: list[int]) -> torch.Tensor:
    """Return the logits after a beginning by the networks that are exported."""
    reader, decoder = (part.module for part in family.onnx_parts())
    with torch.no_grad():
        made: torch.Tensor = decoder(reader(image[None]), torch.tensor([[1, *tokens]]))[0]
    return made


def test_the_doctest_of_what_is_learned_holds() -> None:
    assert doctest.testmod(caption_family).failed == 0 and doctest.testmod(caption_family).attempted > 0


def test_the_loss_is_the_surprise_of_the_exported_networks_at_tokens_and_end() -> None:
    config = small()
    family, data = built(config), batch(config)
    expected = []
    for row, said in enumerate(([4, 5, 6], [7, 8])):
        logits = logits_of(family, data["target"][row], said)
        expected.append(cross_entropy(logits, torch.tensor([*said, 0]), reduction="sum"))
    loss = family.validation_loss(data, generator())
    assert loss.count == 7 and loss.unit == "nats/token"
    assert float(loss.value) == pytest.approx(float(torch.stack(expected).sum()) / 7, rel=1e-5)


def test_a_caption_that_fills_its_row_has_no_end_to_learn() -> None:
    counted = counted_tokens(torch.tensor([[2, 3, 4, 5, 6], [2, 3, 4, 5, 0]]))
    assert counted.sum(1).tolist() == [5, 5] and not counted[0, 5] and counted[1, 4]


def test_images_without_captions_teach_nothing() -> None:
    config = small()
    family = built(config).train()
    loss = family.phases()[0].loss({**batch(config), "caption": CAPTIONS[[2, 2, 2]]}, generator())
    loss.value.backward()
    assert loss.value.item() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in family.parameters())


def test_a_caption_is_the_likeliest_token_after_the_likeliest_token() -> None:
    config = small()
    family, data = built(config), batch(config)
    written = family.predict(data, "caption", generator())["caption"]
    assert written.shape == (3, 5) and written.dtype == np.int64
    for row, tokens in enumerate(written.tolist()):
        length = tokens.index(0) if 0 in tokens else 5
        logits = logits_of(family, data["target"][row], tokens[:length])
        logits[:, 1] = -torch.inf
        assert logits.argmax(-1)[:5].tolist() == tokens[: length + 1] and not any(tokens[length:])
        alone = family.predict({"target": data["target"][row : row + 1]}, "caption", generator())["caption"]
        assert alone[0].tolist() == tokens


def test_it_learns_to_tell_images_apart() -> None:
    config = small(largest_shift=0)
    family, data = built(config, noise=0.0).train(), batch(config)
    (phase,) = family.phases()
    optimiser = torch.optim.AdamW(family.parameters(), 5e-3)
    for step in range(40):
        optimiser.zero_grad()
        phase.loss(family.prepare(data, generator(step)), generator(step)).value.backward()
        optimiser.step()
    family.eval()
    assert family.predict(data, "caption", generator())["caption"][:2].tolist() == CAPTIONS[:2].tolist()
    swapped = {**data, "caption": CAPTIONS[[1, 0, 2]]}
    assert float(family.validation_loss(swapped, generator()).value) > 3 * float(
        family.validation_loss(data, generator()).value
    )


def test_images_move_by_whole_pixels_and_their_border_is_drawn_out() -> None:
    images = torch.arange(20.0).view(1, 1, 4, 5).expand(64, -1, -1, -1)
    moved = shifted(images, 1, generator())
    corners = {(float(one[0, 1, 1]), float(one[0, 0, 0])) for one in moved}
    # The middle says how far; the corner repeats what is at the border.
    expected = {
        (6.0 + 5 * down + right, 5.0 * max(0, down) + max(0, right)) for down in (-1, 0, 1) for right in (-1, 0, 1)
    }
    assert corners == expected
    assert shifted(images, 0, generator()) is images


def test_it_makes_no_images_and_says_what_does() -> None:
    with pytest.raises(UnsupportedError, match="describes images") as caught:
        list(built(small()).sampler(None).sample(CaptionerOptions(), [{}], [1]))
    assert '"dalle"' in caught.value.do


def test_a_codec_without_captions_is_refused() -> None:
    pixels = TensorSpec({TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=(3, 8, 8))})
    with pytest.raises(ConfigError, match="captions"):
        small().bound_to(pixels)
