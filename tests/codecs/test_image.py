"""The image codec: sizes, channels, crop and pad, classes, and the way there and back."""

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.image import UNLABELLED, ImageCodec
from makar.codecs.image_config import ImageCodecConfig, choose_image_codec
from makar.codecs.image_fit import border_colour, channels_needed, fit_image, with_channels
from makar.data import files_source
from makar.data.dataset import open_dataset
from makar.data.record import Record, is_sampled
from makar.errors import ArtifactError, ConfigError, EmptyDataError, UnknownNameError, UnsupportedError


def record(pixels: np.ndarray, label: str | None = None, caption: str | None = None) -> Record:
    return Record(
        id="0" * 16,
        medium="image",
        content=pixels,
        document="d",
        source="s",
        split="train",
        label=label,
        caption=caption,
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def fitted(config: ImageCodecConfig, *records: Record) -> ImageCodec:
    return ImageCodec.fit(config, iter(records))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_image_of_the_right_size_comes_back_unchanged(channels: int) -> None:
    pixels = noise(20, 24, channels)
    if channels == 4:
        # Of half opacity only what is seen comes back: test_alpha.
        pixels[:, :, 3] = 255
        pixels[:4] = 0
    codec = fitted(ImageCodecConfig(height=20, width=24), record(pixels))
    slots = codec.encode(record(pixels))
    assert slots["target"].shape == (channels, 20, 24)
    assert slots["target"].dtype == np.uint8
    assert np.array_equal(codec.decode({"target": codec.to_model("target", slots["target"])}), pixels)


def test_the_model_sees_values_from_minus_one_to_one() -> None:
    codec = fitted(ImageCodecConfig(), record(noise(32, 32, 3)))
    values = codec.to_model("target", np.array([0, 255], np.uint8))
    assert values.dtype == np.float32
    assert values.tolist() == [-1.0, 1.0]


def test_channels_are_the_least_that_hold_the_data() -> None:
    grey_as_colour = np.repeat(noise(16, 16, 1), 3, axis=2)
    opaque = np.concatenate([noise(16, 16, 3), np.full((16, 16, 1), 255, np.uint8)], axis=2)
    assert channels_needed(grey_as_colour) == 1
    assert channels_needed(opaque) == 3
    assert channels_needed(noise(16, 16, 4)) == 4
    codec = fitted(ImageCodecConfig(), record(grey_as_colour), record(noise(16, 16, 3)))
    assert codec.config.channels == 3


def test_stated_channels_win_over_the_data() -> None:
    assert fitted(ImageCodecConfig(channels=1), record(noise(16, 16, 3))).config.channels == 1


def test_crop_keeps_the_middle_and_the_proportions() -> None:
    pixels = np.zeros((40, 100, 1), np.uint8)
    pixels[:, 30:70] = 255
    cropped = fit_image(pixels, height=20, width=20, fit="crop")
    assert cropped.shape == (20, 20, 1)
    assert cropped.min() > 235


def test_pad_keeps_everything_and_fills_with_the_border_colour() -> None:
    pixels = np.full((40, 100, 3), (10, 200, 30), np.uint8)
    pixels[10:30, 40:60] = 255
    padded = fit_image(pixels, height=20, width=20, fit="pad")
    assert padded.shape == (20, 20, 3)
    assert (padded[0] == (10, 200, 30)).all()
    assert padded[10, 10].tolist() == [255, 255, 255]


def test_pad_and_crop_differ_for_another_shape_only() -> None:
    wide, square = noise(20, 60, 3), noise(40, 40, 3)

    def both(pixels: np.ndarray) -> list[np.ndarray]:
        return [fit_image(pixels, height=20, width=20, fit=fit) for fit in ("crop", "pad")]

    assert not np.array_equal(*both(wide))
    assert np.array_equal(*both(square))


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (3, 4), (2000, 1500)])
def test_any_shape_fits_either_way(shape: tuple[int, int]) -> None:
    for fit in ("crop", "pad"):
        assert fit_image(noise(*shape, 3), height=24, width=32, fit=fit).shape == (24, 32, 3)


def test_reducing_keeps_the_mean_and_has_no_moire() -> None:
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)[:, :, None]
    reduced = fit_image(board, height=32, width=32, fit="crop").astype(float)
    assert reduced.mean() == pytest.approx(127.5, abs=1.5)
    assert reduced.std() < 3


def test_colour_of_transparent_pixels_does_not_bleed() -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :32] = (255, 0, 0, 255)
    pixels[:, 32:] = (0, 255, 0, 0)
    reduced = fit_image(pixels, height=16, width=16, fit="crop")
    assert (reduced[reduced[:, :, 3] > 20][:, 1] < 5).all()


def test_channels_convert_in_every_direction() -> None:
    for have in (1, 3, 4):
        for want in (1, 3, 4):
            assert with_channels(noise(5, 6, have), want).shape == (5, 6, want)
    clear = np.zeros((1, 1, 4), np.uint8)
    assert with_channels(clear, 3).tolist() == [[[255, 255, 255]]]
    assert with_channels(np.full((1, 1, 3), 7, np.uint8), 1).tolist() == [[[7]]]


def test_border_colour_is_the_most_usual_one() -> None:
    pixels = np.full((8, 8, 3), 9, np.uint8)
    pixels[0, 0] = 255
    assert border_colour(pixels).tolist() == [9, 9, 9]


def test_classes_are_numbered_by_name_and_counted() -> None:
    records = [record(noise(16, 16, 1), label) for label in ("cat", "ant", "cat")]
    codec = fitted(ImageCodecConfig(height=16, width=16, use_labels=True), *records)
    assert codec.class_names == ("ant", "cat")
    assert codec.class_counts == {"ant": 1, "cat": 2}
    assert codec.encode(records[0])["class"] == 1
    assert codec.spec["class"].vocabulary == 2


def test_labels_are_counted_without_decoding_every_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(400):
        folder = tmp_path / ("cat" if number % 3 else "dog")
        folder.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    dataset = open_dataset(tmp_path)
    wanted = Counter(record.label for record in dataset.records("train"))
    decoded = []
    real = files_source.read_image

    def counted(content: bytes) -> np.ndarray:
        decoded.append(1)
        return real(content)

    monkeypatch.setattr(files_source, "read_image", counted)
    config = ImageCodecConfig(height=16, width=16, use_labels=True)
    codec = ImageCodec.fit(config, dataset.records("train"))
    assert codec.class_counts == dict(wanted)
    assert len(decoded) == sum(map(is_sampled, range(wanted.total()))) < 0.75 * wanted.total()
    assert ImageCodec.fit(config, iter(list(dataset.records("train")))).class_counts == codec.class_counts


@pytest.mark.parametrize("last", ["a-bright", "z-bright"])
def test_colour_is_found_in_whatever_folder_it_is(tmp_path: Path, last: str) -> None:
    for kind, channels in (("grey", 1), (last, 3)):
        (tmp_path / kind).mkdir()
        for number in range(300):
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8, channels), dtype=np.uint8)
            Image.fromarray(pixels.repeat(4 - channels, -1)[..., :3]).save(tmp_path / kind / f"{number}.png")
    codec = ImageCodec.fit(ImageCodecConfig(height=16, width=16), open_dataset(tmp_path).records("train"))
    assert codec.config.channels == 3


def test_images_without_a_label_are_a_class_of_their_own() -> None:
    records = [record(noise(16, 16, 1), label) for label in ("cat", None)]
    codec = fitted(ImageCodecConfig(height=16, width=16, use_labels=True), *records)
    assert codec.class_names == ("cat", UNLABELLED)
    assert codec.encode(record(noise(16, 16, 1), None))["class"] == 1


def test_a_label_that_was_never_learned_is_left_out() -> None:
    codec = fitted(ImageCodecConfig(use_labels=True), record(noise(16, 16, 1), "cat"))
    assert codec.encode(record(noise(16, 16, 1), "dog")) == {}


def test_without_labels_there_is_no_class_slot() -> None:
    codec = fitted(ImageCodecConfig(), record(noise(16, 16, 1), "cat"))
    assert "class" not in codec.spec
    assert set(codec.encode(record(noise(16, 16, 1), "cat"))) == {"target"}


def test_labels_are_refused_where_there_are_none_or_too_many() -> None:
    with pytest.raises(ConfigError, match="no image has a label"):
        fitted(ImageCodecConfig(use_labels=True), record(noise(16, 16, 1)))
    with pytest.raises(ConfigError, match="different labels"):
        fitted(ImageCodecConfig(use_labels=True), *[record(noise(16, 16, 1), str(n)) for n in range(1001)])


def test_no_records_is_an_error() -> None:
    with pytest.raises(EmptyDataError):
        fitted(ImageCodecConfig())


def test_sizes_and_fits_outside_the_choices_are_refused() -> None:
    with pytest.raises(ConfigError):
        ImageCodecConfig(height=8)
    with pytest.raises(UnknownNameError, match="crop"):
        ImageCodecConfig(fit="crob")


def test_files_bring_the_codec_back() -> None:
    config = ImageCodecConfig(height=16, width=20, use_labels=True)
    codec = fit_codec(config, iter([record(noise(16, 20, 3), "é"), record(noise(16, 20, 3), "b")]))
    again = load_codec(config, codec.files())
    pixels = noise(30, 30, 4)
    assert again.spec == codec.spec
    assert np.array_equal(again.encode(record(pixels, "b"))["target"], codec.encode(record(pixels, "b"))["target"])


def test_encoding_sixty_thousand_small_images_takes_seconds() -> None:
    images = noise(2000, 28, 28, 1)
    codec = fitted(ImageCodecConfig(height=28, width=28), record(images[0]))
    start = time.process_time()
    for pixels in images:
        codec.encode(record(pixels))
    assert (time.process_time() - start) / len(images) * 60_000 < 6


def test_chosen_size_keeps_small_images_and_the_shape_of_large_ones() -> None:
    assert (choose_image_codec(28, width=28).height, choose_image_codec(28, width=28).width) == (28, 28)
    wide = choose_image_codec(600, width=1200)
    assert (wide.height, wide.width) == (16, 32)
    assert choose_image_codec(600, width=600, largest=64).height == 64
    assert choose_image_codec(9, width=9).height == 16


def captioned(*captions: str | None, **values: object) -> ImageCodec:
    config = ImageCodecConfig(**{"height": 16, "width": 16, "use_captions": True, "caption_length": 8, **values})
    return fitted(config, *[record(noise(16, 16, 1), label="a", caption=caption) for caption in captions])


def test_captions_are_rows_of_one_length() -> None:
    codec = captioned("a red fox", "a blue fox", "a fox")
    spec = codec.spec["caption"]
    assert (spec.kind, spec.axes, spec.sizes) == ("tokens", ("length",), (8,))
    rows = [codec.encode(record(noise(16, 16, 1), caption=text))["caption"] for text in ("a red fox", "fox", "")]
    assert all(row.shape == (8,) and row.max() < spec.vocabulary for row in rows)
    assert rows[1].tolist() == [rows[0][rows[0] > 0][-1], 0, 0, 0, 0, 0, 0, 0]
    assert rows[2].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert np.array_equal(codec.encode(record(noise(16, 16, 1)))["caption"], rows[2])


def test_without_captions_in_the_settings_there_is_no_caption_slot() -> None:
    codec = fitted(ImageCodecConfig(height=16, width=16), record(noise(16, 16, 1), caption="a fox"))
    assert "caption" not in codec.spec and set(codec.files()) == {"image_codec.json"}
    with pytest.raises(UnsupportedError, match="no captions"):
        codec.encode_caption("a fox")


def test_length_and_vocabulary_of_captions_are_those_of_the_settings() -> None:
    texts = [f"the {word} of a {other}" for word in ("colour", "shadow", "picture") for other in ("house", "garden")]
    assert captioned(*texts, caption_length=5).spec["caption"].sizes == (5,)
    few, many = (captioned(*texts, caption_vocabulary=size) for size in (260, 300))
    assert few.spec["caption"].vocabulary < many.spec["caption"].vocabulary <= 302
    assert (
        len(few.encode_caption("colour")[few.encode_caption("colour") > 0]) > (many.encode_caption("colour") > 0).sum()
    )


def test_case_spaces_and_compatibility_forms_of_a_caption_do_not_count() -> None:
    codec = captioned("a red fox")
    expected = codec.encode_caption("a red fox")
    for same in ("A Red FOX", "  a  red\u00a0fox\n", "\uff41 red fox"):
        assert np.array_equal(codec.encode_caption(same), expected)


def test_captions_in_any_script_are_told_apart() -> None:
    codec = captioned("ein Fuchs", "\u72d0", "\u043b\u0438\u0441\u0430", caption_length=16)
    rows = {
        tuple(codec.encode_caption(text)) for text in ("ein Fuchs", "\u72d0", "\u043b\u0438\u0441\u0430", "\U0001f98a")
    }
    assert len(rows) == 4


def test_a_caption_that_is_too_long_is_cut_in_training_and_refused_as_a_prompt() -> None:
    codec = captioned("a red fox")
    text = "a red fox " * 1000
    assert codec.encode(record(noise(16, 16, 1), caption=text))["caption"].shape == (8,)
    with pytest.raises(UnsupportedError, match="fewer words"):
        codec.encode_caption(text)
    with pytest.raises(UnsupportedError, match="100001 characters"):
        codec.encode_caption("a" * 100_001)


def test_captions_and_labels_are_learned_together() -> None:
    codec = captioned("a red fox", None, "a fox", use_labels=True)
    assert set(codec.spec.slots) == {"target", "class", "caption"}
    assert codec.class_counts == {"a": 3}


def test_captions_are_refused_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match="no image has a caption"):
        captioned(None, "", "  ")


def test_files_bring_the_tokens_of_captions_back() -> None:
    codec = captioned("a red fox", "a blue fox")
    again = load_codec(codec.config, codec.files())
    assert np.array_equal(again.encode_caption("a blue fox"), codec.encode_caption("a blue fox"))
    with pytest.raises(ArtifactError):
        load_codec(codec.config, {"image_codec.json": codec.files()["image_codec.json"]})
