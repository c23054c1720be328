"""Images as latents or tokens: scaled as promised, back as images, and never with another autoencoder than the one they were made with."""

import dataclasses

import numpy as np
import pytest
import torch

from makar.artifacts.components import component_of, family_hash
from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.latent import LatentCodec
from makar.codecs.latent_config import LatentCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, ConfigError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.family import build_family
from tests.toy_autoencoder import ToyAutoencoder, ToyAutoencoderConfig

BASE = ImageCodecConfig(height=16, width=16)


def records(count=40, label=True):
    generator = np.random.default_rng(0)
    return [
        Record(
            id=str(number),
            medium="image",
            content=generator.integers(0, 256, (16, 16, 1), dtype=np.uint8),
            document=str(number),
            source=str(number),
            split="train",
            label=("odd" if number % 2 else "even") if label else None,
        )
        for number in range(count)
    ]


def family(seed=0, **values):
    made = ToyAutoencoder(ToyAutoencoderConfig(**values))
    made.initialise(torch.Generator().manual_seed(seed))
    return made.eval()


def codec(config=None, made=None):
    parts = {"autoencoder": component_of(made or family())}
    return fit_codec(config or LatentCodecConfig(base=BASE), iter(records()), parts)


def stored(encoder, slot="target"):
    return np.stack([encoder.encode(record)[slot] for record in records()])


@pytest.mark.parametrize("deviation", [0.5, 1.0])
def test_every_channel_has_mean_zero_and_the_deviation_that_was_asked_for(deviation):
    encoder = codec(LatentCodecConfig(base=BASE, deviation=deviation))
    values = encoder.to_model("target", stored(encoder))
    assert values.dtype == np.float32 and values.shape == (40, 3, 4, 4)
    assert np.abs(values.mean((0, 2, 3))).max() < 1e-3
    assert np.abs(values.std((0, 2, 3)) - deviation).max() < 1e-2
    assert encoder.spec["target"].maximum == 6 * deviation


def test_what_it_makes_is_within_the_range_it_promises():
    made = family()
    encoder = codec(made=made)
    with torch.no_grad():
        made.down.mul_(100.0)  # as if an image were far from all that were seen
    values = stored(encoder)
    assert values.max() == encoder.spec["target"].maximum and values.min() == encoder.spec["target"].minimum


def test_encoding_and_decoding_are_those_of_the_family():
    made, record = family(), records()[0]
    encoder = codec(made=made)
    pixels = torch.from_numpy(encoder.base.to_model("target", encoder.base.encode(record)["target"]))
    with torch.no_grad():
        expected = made.decode(made.encode(pixels[None]))[0]
    found = encoder.decode({"target": encoder.to_model("target", encoder.encode(record)["target"])})
    assert np.abs(found.astype(int) - encoder.base.decode({"target": expected.numpy()}).astype(int)).max() <= 1


def test_a_batch_is_encoded_as_its_records_are():
    encoder = codec()
    together = encoder.encode_together(records())
    for one, record in zip(together, records(), strict=True):
        assert np.allclose(one["target"], encoder.encode(record)["target"], atol=2e-3)


def test_tokens_stay_tokens_and_come_back():
    encoder = codec(made=family(tokens=16))
    tokens = stored(encoder)
    assert tokens.dtype == np.uint16 and tokens.shape == (40, 16) and tokens.max() < 16
    slot = encoder.spec["target"]
    assert (slot.kind, slot.vocabulary, slot.sizes) == ("tokens", 16, (16,))
    assert encoder.to_model("target", tokens).dtype == np.int64
    assert encoder.decode({"target": tokens[0].astype(np.int64)}).shape == (16, 16, 1)


def test_labels_of_the_base_are_passed_on():
    encoder = codec(LatentCodecConfig(base=BASE.changed(use_labels=True)))
    assert encoder.class_names == ("even", "odd") and encoder.class_counts == {"even": 20, "odd": 20}
    assert encoder.spec["class"].vocabulary == 2
    assert stored(encoder, "class").tolist()[:4] == [0, 1, 0, 1]
    assert isinstance(encoder.plain, ImageCodec)
    assert DiffusionConfig().bound_to(encoder.spec).classes == 2


def test_it_is_rebuilt_from_its_files():
    made = family()
    encoder = codec(made=made)
    again = load_codec(encoder.config, encoder.files(), {"autoencoder": component_of(made)})
    assert isinstance(again, LatentCodec)
    assert np.array_equal(stored(again), stored(encoder))
    assert again.files() == encoder.files()


def test_another_autoencoder_is_refused():
    encoder = codec()
    with pytest.raises(ArtifactError, match="another"):
        load_codec(encoder.config, encoder.files(), {"autoencoder": component_of(family(seed=1))})


def test_the_hash_is_that_of_weights_and_settings():
    assert family_hash(family()) == family_hash(family())
    assert family_hash(family()) != family_hash(family(seed=1))
    assert family_hash(family(tokens=8)) != family_hash(family(tokens=9))


def test_an_image_of_one_colour_can_be_encoded():
    flat = dataclasses.replace(records()[0], content=np.full((16, 16, 1), 7, np.uint8))
    encoder = fit_codec(LatentCodecConfig(base=BASE), iter([flat] * 3), {"autoencoder": component_of(family())})
    values = encoder.encode(flat)["target"]
    assert np.isfinite(values).all() and np.isfinite(encoder.decode({"target": values.astype(np.float32)})).all()


def test_without_its_component_it_cannot_be_made():
    with pytest.raises(ConfigError, match='works through "autoencoder"'):
        fit_codec(LatentCodecConfig(base=BASE), iter(records()))
    with pytest.raises(ConfigError, match="one of: other"):
        fit_codec(LatentCodecConfig(base=BASE), iter(records()), {"other": component_of(family())})
    with pytest.raises(ConfigError, match="trained family"):
        LatentCodec.fit(LatentCodecConfig(base=BASE), iter(records()))


def test_other_images_than_the_autoencoder_learned_are_refused():
    with pytest.raises(ConfigError, match="the codec below makes"):
        codec(LatentCodecConfig(base=BASE.changed(height=20)))


def test_a_family_that_encodes_nothing_is_no_component():
    with pytest.raises(ConfigError, match="encodes nothing"):
        component_of(build_family(DiffusionConfig(features=16, head_width=8)))
