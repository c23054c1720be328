"""Sources that follow from the image: grey as Pillow has it, means of blocks, edges where there are some, and none of it stored."""

import numpy as np
import pytest
from PIL import Image

from makar.codecs.codec import load_codec
from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig, choose_image_codec
from makar.codecs.image_sources import edges, grey, reduced
from makar.data.record import Record
from makar.data.store import build_store
from makar.errors import ConfigError
from makar.families.diffusion.config import DiffusionConfig
from makar.training.batches import BatchSource


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def records(count: int = 3, shape: tuple[int, ...] = (16, 24, 3)) -> list[Record]:
    return [
        Record(id=f"{n:016d}", medium="image", content=pixels, document=f"{n}", source=f"{n}", split="train")
        for n, pixels in enumerate(noise(count, *shape))
    ]


def fitted(config: ImageCodecConfig, shape: tuple[int, ...] = (16, 24, 3)) -> ImageCodec:
    return ImageCodec.fit(config, iter(records(shape=shape)))


def test_grey_is_the_brightness_that_pillow_computes() -> None:
    pixels = noise(9, 11, 3)
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    assert np.array_equal(grey(pixels.transpose(2, 0, 1)[None])[0, 0], expected)


def test_grey_of_what_is_transparent_is_white_and_of_grey_itself() -> None:
    clear = np.zeros((1, 4, 2, 2), np.uint8)
    assert (grey(clear) == 255).all()
    pixels = noise(1, 1, 4, 4)
    assert np.array_equal(grey(pixels), pixels)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_reduced_image_has_the_means_of_blocks(factor: int) -> None:
    pixels = noise(2, 3, 8, 12)
    small = reduced(pixels, factor=factor)
    assert small.shape == (2, 3, 8 // factor, 12 // factor)
    assert abs(float(small[1, 2, 1, 2]) - pixels[1, 2, factor : 2 * factor, 2 * factor : 3 * factor].mean()) <= 0.5
    assert np.array_equal(reduced(small.repeat(factor, 2).repeat(factor, 3), factor=factor), small)


def test_edges_lie_where_brightness_steps_and_nowhere_else() -> None:
    pixels = np.zeros((1, 3, 12, 12), np.uint8)
    pixels[:, :, :, 6:] = 200
    found = edges(pixels)[0, 0]
    # One line, one pixel wide, beside the step, also in the outermost rows.
    assert (found[:, 5:7] == 255).sum() == 12 and not found[:, :5].any() and not found[:, 7:].any()
    assert np.array_equal(edges(pixels.swapaxes(2, 3))[0, 0], found.T)
    assert not edges(np.full((1, 1, 12, 12), 90, np.uint8)).any()


def test_edges_of_a_disc_follow_its_border() -> None:
    rows, columns = np.mgrid[:32, :32] - 15.5
    radius = np.hypot(rows, columns)
    found = edges((255 * (radius < 10)).astype(np.uint8)[None, None])[0, 0] > 0
    assert found.sum() > 40 and (np.abs(radius[found] - 10) < 1.6).all()


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({"source": "grey"}, (1, 16, 24)),
        ({"source": "edges"}, (1, 16, 24)),
        ({"source": "reduced"}, (3, 8, 12)),
        ({"source": "reduced", "reduction": 4}, (3, 4, 6)),
    ],
)
def test_the_source_is_in_the_spec_and_in_the_batch_but_not_in_the_store(settings, sizes, tmp_path) -> None:
    codec = fitted(ImageCodecConfig(height=16, width=24, **settings))
    assert codec.spec["source"].sizes == sizes
    store = build_store(tmp_path / "store", records(), codec.encode, key="k")
    assert set(store.columns) == {"target"}
    family = DiffusionConfig().bound_to(codec.spec)
    batch = BatchSource(store, codec, family=family, seed=0).batch(0, 2)
    assert tuple(batch["source"].shape) == (2, *sizes)
    assert batch["source"].min() >= -1 and batch["source"].max() <= 1
    again = codec.completed({"target": np.stack([codec.encode(one)["target"] for one in records()])})
    rebuilt = load_codec(codec.config, codec.files())
    assert rebuilt.spec == codec.spec and set(again) == {"target", "source"}


def test_colours_are_learned_of_what_is_opaque() -> None:
    codec = fitted(ImageCodecConfig(height=16, width=24, source="grey"), shape=(16, 24, 4))
    assert codec.spec["target"].sizes == (3, 16, 24)


def test_colours_cannot_be_learned_from_grey_images() -> None:
    with pytest.raises(ConfigError, match="grey already"):
        fitted(ImageCodecConfig(source="grey"), shape=(16, 24, 1))


def test_settings_that_do_not_go_together_are_refused() -> None:
    for settings, part in (
        ({"source": "reduced", "height": 18, "reduction": 4}, "reduced by 4"),
        ({"source": "grey", "channels": 1}, "1 channels"),
        ({"reduction": 4}, "source none"),
    ):
        with pytest.raises(ConfigError, match=part):
            ImageCodecConfig(**settings)


def test_sizes_that_are_chosen_can_be_reduced() -> None:
    codec = ImageCodecConfig(source="reduced", reduction=4)
    assert (choose_image_codec(30, width=28, codec=codec).height, codec.source) == (32, "reduced")
    assert choose_image_codec(28, width=28, codec=codec).height == 28
    assert choose_image_codec(30, width=30).height == 30
