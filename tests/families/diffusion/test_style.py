"""Style: the same for what is only moved, another for another texture, approached by every move and reached in the result."""

import pytest
import torch

from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.errors import UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.style import distance, filters, nearer, statistics, styled
from makar.families.family import build_family


def pictures(count=2, side=16):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def stripes(side=16):
    wave = torch.sin(torch.arange(side) * 1.6)
    return (0.8 * wave).expand(1, 3, side, side).contiguous()


def test_filters_answer_to_texture_and_not_to_brightness():
    kernel = filters(3)
    assert torch.allclose(kernel.sum((2, 3)), torch.zeros(len(kernel), 3), atol=1e-5)
    assert torch.allclose(kernel.flatten(1).norm(dim=1), torch.ones(len(kernel)))
    assert torch.equal(kernel, filters(3))


def test_where_things_are_does_not_matter_but_what_they_look_like_does():
    image = torch.zeros(1, 3, 16, 16)
    image[:, 0, 4:8, 4:8] = 1.0
    away = image.roll((4, 4), (2, 3))
    assert float(distance(statistics(away), statistics(image))) < 1e-9
    assert float(distance(statistics(stripes()), statistics(image))) > 0.1
    assert float(distance(statistics(stripes().transpose(2, 3)), statistics(stripes()))) > 0.01


def test_a_small_image_has_fewer_levels():
    assert len(statistics(pictures(side=16))) == 3 and len(statistics(pictures(side=7))) == 1


def test_every_move_brings_the_style_nearer_and_weight_zero_none():
    images, wanted = pictures(), statistics(stripes().expand(2, -1, -1, -1))
    far = distance(statistics(images), wanted)
    once = nearer(images, wanted, weight=0.5)
    twice = nearer(once, wanted, weight=0.5)
    assert (distance(statistics(once), wanted) < 0.8 * far).all()
    assert (distance(statistics(twice), wanted) < distance(statistics(once), wanted)).all()
    assert torch.equal(nearer(images, wanted, weight=0.0), images)


def test_an_image_does_not_depend_on_the_others():
    images, wanted = pictures(), statistics(stripes().expand(2, -1, -1, -1))
    alone = nearer(images[1:], [level[1:] for level in wanted], weight=0.5)
    assert torch.allclose(nearer(images, wanted, weight=0.5)[1:], alone, atol=1e-6)


def test_a_velocity_is_turned_towards_the_style_and_works_while_sampling():
    images = pictures()

    def still(points, time):
        return (images - points) / (1 - time)

    with torch.inference_mode():
        turned = styled(still, stripes().expand(2, -1, -1, -1), weight=0.5)(torch.zeros_like(images), 0.25)
    reached = 0.75 * turned
    wanted = statistics(stripes().expand(2, -1, -1, -1))
    assert (distance(statistics(reached), wanted) < distance(statistics(images), wanted)).all()


def sampler():
    family = build_family(DiffusionConfig(height=16, width=16, features=16, head_width=8))
    family.initialise(torch.Generator().manual_seed(0))
    codec = ImageCodec(ImageCodecConfig(height=16, width=16, channels=3), class_counts={})
    return family.eval().sampler(codec)


def drawn(prompt, **options):
    _, slots, _ = next(sampler().sample(ImageOptions(steps=6, **options), [prompt], [1]))
    return torch.from_numpy(slots["target"])[None]


def test_the_result_is_nearer_to_the_style_than_without_and_weight_zero_is_image_to_image():
    source, reference = pictures()[0], stripes()[0]
    plain = drawn({"source": source}, strength=0.5)
    restyled = drawn({"source": source, "reference": reference}, strength=0.5)
    wanted = statistics(reference[None])
    assert distance(statistics(restyled), wanted) < 0.5 * distance(statistics(plain), wanted)
    unmoved = drawn({"source": source, "reference": reference}, strength=0.5, style=0.0)
    assert torch.equal(unmoved, plain)
    strong = drawn({"source": source, "reference": reference}, strength=0.5, style=1.0)
    assert not torch.equal(strong, restyled)


def test_style_without_a_reference_and_a_reference_without_a_source_are_refused():
    with pytest.raises(UnsupportedError, match="without a reference"):
        drawn({"source": pictures()[0]}, style=0.5)
    with pytest.raises(UnsupportedError, match="together"):
        drawn({"reference": pictures()[0]})
    with pytest.raises(UnsupportedError, match="shape"):
        drawn({"source": pictures()[0], "reference": torch.zeros(3, 8, 8)})
