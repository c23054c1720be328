"""What every codec keeps, built in or brought by a plug-in: content comes back, settings and files rebuild it, it makes what it says."""

import json

import numpy as np
import pytest

from makar import registry
from makar.codecs.codec import load_codec
from makar.data.backbone import Backbone
from makar.data.record import WRITTEN
from makar.errors import MakarError
from tests.contract import samples

# What the loader of saved models turns into an ArtifactError.
REFUSED = (MakarError, ValueError, KeyError)

every_codec = pytest.mark.parametrize("name, medium", samples.codec_cases())


def _back(codec, slots):
    return codec.decode({slot: codec.to_model(slot, values) for slot, values in slots.items()})


@every_codec
def test_content_that_was_decoded_comes_back_unchanged(name, medium):
    if medium == "sound":
        pytest.skip(
            "the phases of a sound are found anew each time: tests/codecs/test_sound.py says how near it comes back"
        )
    codec = samples.codec(name, medium)
    for record in samples.records(medium):
        once = _back(codec, codec.encode(record))
        again = codec.encode(type(record)(**_fields(record) | {"content": once}))
        twice = _back(codec, again)
        assert type(once) is type(record.content)
        if codec.plain is not codec:
            assert once.shape == twice.shape  # what an autoencoder loses, it loses again
            continue
        if isinstance(once, Backbone):
            # Places are sums of bonds, and a float has seven digits.
            assert once.residues == twice.residues and np.allclose(once.atoms, twice.atoms, atol=1e-3)
            continue
        assert np.array_equal(once, twice) if isinstance(once, np.ndarray) else once == twice


@pytest.mark.parametrize(
    "name, medium", [case for case in samples.codec_cases() if case[1] in WRITTEN and case[1] != "music"]
)
def test_text_comes_back_letter_for_letter(name, medium):
    codec = samples.codec(name, medium)
    for record in samples.records(medium):
        assert _back(codec, codec.encode(record)) == record.content


@every_codec
def test_encoding_fits_the_spec(name, medium):
    codec = samples.codec(name, medium)
    for record in samples.records(medium):
        slots = codec.encode(record)
        assert set(slots) == set(codec.spec.slots)
        for key, stored in slots.items():
            slot = codec.spec[key]
            values = codec.to_model(key, stored)
            assert values.ndim == len(slot.axes)
            assert all(want in (None, have) for want, have in zip(slot.sizes, values.shape, strict=True))
            if slot.kind == "tokens":
                assert values.dtype.kind in "iu" and values.min() >= 0 and values.max() < slot.vocabulary
            else:
                assert values.dtype == np.float32
                assert slot.minimum <= values.min() and values.max() <= slot.maximum


@every_codec
def test_configuration_comes_back_from_json(name, medium):
    config = samples.codec(name, medium).config
    assert registry.config_class(config.kind).from_dictionary(json.loads(config.to_json())) == config


@every_codec
def test_files_rebuild_the_codec(name, medium):
    codec = samples.codec(name, medium)
    rebuilt = load_codec(codec.config, codec.files(), samples.codec_components(codec.config))
    for record in samples.records(medium):
        first, second = codec.encode(record), rebuilt.encode(record)
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[slot], second[slot]) for slot in first)
    assert rebuilt.spec == codec.spec


@every_codec
def test_damaged_files_are_refused(name, medium):
    codec = samples.codec(name, medium)
    if not codec.files():
        pytest.skip("this codec has no files")
    with pytest.raises(REFUSED):
        load_codec(
            codec.config,
            dict.fromkeys(codec.files(), b"\x00damaged"),
            samples.codec_components(codec.config),
        )
    with pytest.raises(REFUSED):
        load_codec(codec.config, {}, samples.codec_components(codec.config))


def _fields(record):
    return {name: getattr(record, name) for name in record.__slots__}
