"""Editing images: what is known stays bit for bit, every word counts, what contradicts or cannot be done is refused, and it is signed."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from makar import registry
from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.data.record import Record
from makar.errors import ConfigError, DataError, UnknownNameError, UnsupportedError, UsageError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.family import build_family
from makar.generation.able import recipes_with_edit
from makar.generation.edit import edit
from makar.generation.generate import generate
from makar.generation.inpainting import laid_over
from makar.provenance.chain import verify
from makar.recipe import Recipe, Stage
from tests import toy_autoencoder as toy

DATA = {"fingerprint": "ef" * 32, "name": "pictures"}
QUICK = {"steps": 2}


def pictures(count=4, side=16, channels=3):
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (side, side, channels), np.uint8) for _ in range(count)]


def saved(path, family, *, fit="crop", labels=("cat", "fox"), source="none", channels=3):
    records = [
        Record(id="0", medium="image", content=pixels, document="d", source="d", split="train", label=label)
        for label in labels
        for pixels in pictures(channels=channels)
    ]
    config = ImageCodecConfig(height=16, width=16, fit=fit, use_labels=labels != (None,), source=source)
    codec = fit_codec(config, iter(records))
    bound = family.bound_to(codec.spec)
    made = build_family(bound)
    made.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    stage = Stage(name="model", codec=codec.config, family=bound)
    recipe = Recipe(name="test", medium="image", summary="for tests", stages=(stage,))
    return save_artifact(path, recipe=recipe, codec=codec, family=made, training={"run": ""}, data=DATA)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Return folders of two models: one of diffusion with classes, one that encodes and decodes."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("home")
    patch.setenv("MAKAR_HOME", str(folder))
    for kind, text in toy.FAMILIES.items():
        patch.setitem(registry.BUILT_IN["families"], kind, text)
    config = DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8)
    models = {
        "painter": saved(folder / "models" / "painter", config),
        "padded": saved(folder / "models" / "padded", config, fit="pad"),
        "toy": saved(folder / "models" / "toy", toy.ToyAutoencoderConfig(), labels=(None,)),
        "doubler": saved(folder / "models" / "doubler", toy.ToyDoublerConfig(), labels=(None,)),
    }
    patch.undo()
    return folder, models


@pytest.fixture
def models(places, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(places[0]))
    for kind, text in toy.FAMILIES.items():
        monkeypatch.setitem(registry.BUILT_IN["families"], kind, text)
    return places[1]


@pytest.fixture
def painter(models):
    return models["painter"]


def photo(rows=16, columns=16, channels=3):
    ramp = np.linspace(0, 255, rows * columns * channels).reshape(rows, columns, channels)
    return ramp.astype(np.uint8)


def one(artifact, image, *, options=QUICK, **how):
    return next(edit(artifact, {"image": image, **how}, options=options))


@pytest.mark.parametrize("rows, columns", [(16, 16), (40, 40), (23, 37), (16, 64), (8, 8)])
@pytest.mark.parametrize("model", ["painter", "padded"])
def test_known_pixels_come_out_bit_for_bit_at_their_own_resolution(models, model, rows, columns):
    image = photo(rows, columns)
    left, top, right, bottom = columns // 4, rows // 4, columns // 2, rows // 2
    asset = one(models[model], image, box=[left, top, right, bottom])
    new = np.zeros((rows, columns), bool)
    new[top:bottom, left:right] = True
    assert asset.content.shape == image.shape
    assert np.array_equal(asset.content[~new], image[~new])
    assert not np.array_equal(asset.content[new], image[new])


def test_a_part_at_the_far_end_of_a_long_image_is_reached(painter):
    image = photo(16, 80)
    asset = one(painter, image, box=[72, 0, 80, 16])
    assert np.array_equal(asset.content[:, :72], image[:, :72])
    assert not np.array_equal(asset.content[:, 72:], image[:, 72:])


def test_a_part_too_wide_for_a_crop_is_seen_as_a_whole(painter):
    image = photo(16, 64)
    mask = np.zeros((16, 64), bool)
    mask[6:9, 2:5] = mask[6:9, 58:61] = True
    asset = one(painter, image, mask=mask)
    assert np.array_equal(asset.content[~mask], image[~mask])
    assert not np.array_equal(asset.content[mask], image[mask])


def test_a_mask_file_a_box_and_transparency_mean_the_same(painter, tmp_path):
    image = photo()
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 4:12] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(image).save(tmp_path / "image.png")
    holed = np.dstack([image, 255 - mask])
    Image.fromarray(holed).save(tmp_path / "holed.png")
    by_file = one(painter, tmp_path / "image.png", mask=tmp_path / "mask.png").content
    assert np.array_equal(one(painter, image, box=(4, 4, 12, 8)).content, by_file)
    assert np.array_equal(one(painter, image, mask=mask > 0).content, by_file)
    through = one(painter, tmp_path / "holed.png").content
    assert np.array_equal(through[:, :, :3][mask == 0], image[mask == 0]) and (through[:, :, 3] == 255).all()
    assert not np.array_equal(through[:, :, :3][mask > 0], image[mask > 0])


@pytest.mark.parametrize(
    "sides", [{"left": 4}, {"right": 5}, {"top": 3}, {"bottom": 6}, {"left": 2, "right": 3, "top": 4, "bottom": 5}]
)
def test_going_on_beyond_a_side_keeps_the_image_and_adds_pixels(painter, sides):
    image = photo(20, 20)
    left, top, right, bottom = (sides.get(side, 0) for side in ("left", "top", "right", "bottom"))
    asset = one(painter, image, **sides)
    assert asset.content.shape == (20 + top + bottom, 20 + left + right, 3)
    assert np.array_equal(asset.content[top : top + 20, left : left + 20], image)
    assert asset.manifest["edit"]["settings"] == sides


def test_strength_decides_how_far_the_result_is(painter):
    image = photo()
    near, far = (one(painter, image, options={**QUICK, "strength": strength}).content for strength in (0.05, 1.0))
    same = one(painter, image, options={**QUICK, "strength": 0.0}).content
    assert np.array_equal(same, image)
    assert np.abs(near.astype(int) - image).mean() < np.abs(far.astype(int) - image).mean()


def test_prompt_label_guidance_seed_and_count_change_what_is_filled_in(painter):
    image, box = photo(), {"box": [4, 4, 12, 12]}
    plain = one(painter, image, **box)
    for options in ({"label": "cat"}, {"label": "fox"}, {"label": "fox", "guidance": 4.0}, {"steps": 3}):
        assert one(painter, image, options={**QUICK, **options}, **box).hash != plain.hash
    by_prompt = next(edit(painter, {"image": image, **box}, prompts="fox", options=QUICK))
    assert by_prompt.hash == one(painter, image, options={**QUICK, "label": "fox"}, **box).hash
    assert by_prompt.manifest["prompt"] == "fox"
    several = list(edit(painter, {"image": image, **box}, count=3, seed=5, options=QUICK))
    assert [asset.manifest["seed"] for asset in several] == [5, 6, 7]
    assert len({asset.hash for asset in several}) == 3
    assert next(edit(painter, {"image": image, **box}, seed=6, options=QUICK)).hash == several[1].hash


def test_the_manifest_states_operation_settings_and_the_hash_of_what_was_given(painter, tmp_path):
    Image.fromarray(photo()).save(tmp_path / "secret name.png")
    asset = one(painter, tmp_path / "secret name.png", box=(4, 4, 8, 8))
    stated = asset.manifest["edit"]
    assert stated["operation"] == "inpaint" and stated["settings"] == {"box": [4, 4, 8, 8]}
    digest = hashlib.sha256((tmp_path / "secret name.png").read_bytes()).hexdigest()
    assert stated["source"]["file_sha256"] == digest and stated["source"]["width"] == 16
    assert asset.manifest["source_type"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert "secret" not in str(asset.manifest)


def test_a_changed_image_verifies_and_says_so(painter, tmp_path):
    path = one(painter, photo(), box=(4, 4, 8, 8)).save(tmp_path / "changed.png")
    found = verify(path)
    assert found.is_intact
    assert any("changed by a trained algorithm" in check.detail for check in found.checks)
    data = path.read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" in data


def test_the_mark_of_a_changed_image_cannot_be_that_of_a_new_one(painter, tmp_path):
    from makar.provenance import embedding

    asset = one(painter, photo(), box=(4, 4, 8, 8))
    lying = {**asset.signed, "manifest": {**asset.manifest, "source_type": embedding.SOURCE_TYPE}}
    data = embedding.png_bytes(asset.content, lying)
    assert not embedding.has_source_mark(data, embedding.COMPOSITE_SOURCE_TYPE)
    (tmp_path / "lying.png").write_bytes(data)
    assert not verify(tmp_path / "lying.png").is_intact


def test_frames_lead_from_one_image_to_another_and_from_seed_to_seed(painter):
    first, last = pictures(2)
    frames = list(edit(painter, {"image": first, "to": last, "frames": 4}, options=QUICK))
    assert len(frames) == 4 and len({frame.hash for frame in frames}) == 4
    assert [frame.manifest["edit"]["frame"] for frame in frames] == [0, 1, 2, 3]
    assert frames[0].manifest["edit"]["to"]["sha256"] != frames[0].manifest["edit"]["source"]["sha256"]
    between = list(edit(painter, {"to_seed": 9, "frames": 3}, seed=2, options={**QUICK, "label": "cat"}))
    assert between[0].manifest["source_type"].endswith("/trainedAlgorithmicMedia")
    assert len(list(edit(painter, {"to_seed": 9}, options=QUICK))) == 8


def test_an_image_of_one_colour_can_be_edited(painter):
    flat = np.full((16, 16, 3), 90, np.uint8)
    assert np.array_equal(one(painter, flat, box=(4, 4, 8, 8)).content[8:], flat[8:])
    assert one(painter, flat, options={**QUICK, "strength": 0.5}).content.shape == flat.shape


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 1), (16, 16, 4)])
def test_grey_and_transparent_images_keep_their_channels(painter, shape):
    image = photo(16, 16, shape[2] if len(shape) == 3 else 1).reshape(shape)
    if shape[-1] == 4:
        image[:, :, 3] = 200
    asset = one(painter, image, box=(4, 4, 8, 8))
    whole = image.reshape(16, 16, -1)
    assert asset.content.shape == whole.shape and np.array_equal(asset.content[8:], whole[8:])


@pytest.mark.parametrize(
    ("how", "options", "part"),
    [
        ({"mask": np.zeros((16, 16), bool)}, {}, "covers nothing"),
        ({"mask": np.ones((16, 16), bool)}, {}, "covers the whole"),
        ({"mask": np.ones((16, 12), bool)}, {}, "12 x 16"),
        ({"box": (4, 4, 4, 8)}, {}, "box 4,4,4,8"),
        ({"box": (4, 4, 40, 8)}, {}, "box"),
        ({"box": (0, 0, 16, 16)}, {}, "covers the whole"),
        ({"box": (4, 4, 8, 8), "mask": np.eye(16, dtype=bool)}, {}, "a mask and a box"),
        ({"box": (4, 4, 8, 8)}, {"strength": 0.5}, "different things"),
        ({"operation": "denoise", "left": 3}, {}, "different things"),
        ({"enlarge": 2, "operation": "colour"}, {}, "different things"),
        ({"frames": 3}, {}, "frames of one image"),
        ({"to_seed": 3}, {}, "two seeds"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_made(painter, how, options, part):
    with pytest.raises(UsageError, match=part):
        edit(painter, {"image": photo(), **how}, options=options)


def test_no_image_and_unknown_words_are_refused(painter):
    with pytest.raises(UsageError, match="no image"):
        edit(painter, {"box": (4, 4, 8, 8)})
    with pytest.raises(UsageError, match="no image"):
        edit(painter, {})
    with pytest.raises(UnknownNameError, match='did you mean "mask"'):
        edit(painter, {"image": photo(), "msk": 3})
    with pytest.raises(ConfigError):
        edit(painter, {"image": photo(), "enlarge": 1})
    with pytest.raises(UsageError, match="at least 1"):
        edit(painter, {"image": photo()}, count=0)
    with pytest.raises(UsageError, match="a prompt or a count"):
        edit(painter, {"image": photo(), "to": photo()}, count=2)
    with pytest.raises(UsageError, match="to itself"):
        list(edit(painter, {"to_seed": 0}))


def test_what_cannot_be_read_is_named(painter, tmp_path):
    (tmp_path / "not.png").write_bytes(b"no image at all")
    with pytest.raises(DataError, match=r"not\.png cannot be read"):
        edit(painter, {"image": tmp_path / "not.png", "box": (4, 4, 8, 8)})
    with pytest.raises(DataError, match="cannot be read"):
        edit(painter, {"image": photo(), "mask": tmp_path / "not.png"})
    with pytest.raises(UsageError, match="there is no file"):
        edit(painter, {"image": tmp_path / "absent.png", "box": (4, 4, 8, 8)})
    with pytest.raises(UsageError, match="an array of float64"):
        edit(painter, {"image": np.zeros((4, 4, 3)), "box": (1, 1, 2, 2)})


def test_so_large_a_part_that_nothing_known_is_left_at_the_models_size_is_refused(painter):
    with pytest.raises(UnsupportedError, match="nothing that is known is left"):
        edit(painter, {"image": photo(4, 4), "left": 400, "top": 400, "right": 400, "bottom": 400})


def test_what_a_family_cannot_do_names_recipes_that_can(models, image_artifact, text_artifact):
    with pytest.raises(UnsupportedError, match="cannot inpaint") as caught:
        edit(models["toy"], {"image": photo(), "box": (4, 4, 8, 8)})
    assert "reconstruct, denoise" in caught.value.expected
    assert "image-class" in caught.value.do and "protein-structure" not in caught.value.do
    with pytest.raises(UnsupportedError, match="cannot enlarge"):
        edit(models["painter"], {"image": photo(), "enlarge": 2})
    with pytest.raises(UnsupportedError, match="cannot image-to-image"):
        edit(image_artifact, {"image": photo(8, 8)}, options={"strength": 0.5})
    with pytest.raises(UnsupportedError, match="cannot infill"):
        edit(text_artifact, {"image": "a.txt", "line": "1"})
    with pytest.raises(UnsupportedError, match='no control "temperature"'):
        edit(models["painter"], {"image": photo(), "box": (4, 4, 8, 8)}, options={"temperature": 1.0})


def test_a_model_that_can_do_two_things_with_an_image_asks_which(models):
    with pytest.raises(UsageError, match="nothing says what to change"):
        edit(models["toy"], {"image": photo()})
    asset = one(models["toy"], photo(), options={}, operation="denoise")
    assert one(models["toy"], photo(), options={}, operation="reconstruct").hash != asset.hash
    assert asset.content.shape == (16, 16, 3) and asset.manifest["edit"]["operation"] == "denoise"
    # The diffusion model can do one thing with a whole image, and does it.
    assert one(models["painter"], photo()).manifest["edit"]["operation"] == "image-to-image"


def test_colours_and_enlarging_work_at_any_size(models):
    doubler = models["doubler"]
    image = photo(30, 21)
    asset = one(doubler, image, options={}, enlarge=2)
    assert np.abs(asset.content.astype(int) - image.repeat(2, 0).repeat(2, 1)).max() <= 1
    assert asset.manifest["edit"] == {**asset.manifest["edit"], "operation": "enlarge", "settings": {"enlarge": 2}}
    with pytest.raises(UnsupportedError, match="3 times as large"):
        edit(doubler, {"image": image, "enlarge": 3})
    coloured = one(doubler, photo(40, 24, 1), options={}, operation="colour").content
    assert coloured.shape == (40, 24, 3)
    assert np.abs(coloured.astype(int) @ [0.299, 0.587, 0.114] - photo(40, 24, 1)[:, :, 0]).mean() < 4


def cutout(side=16):
    """Return a square that stands out, with an edge of half opacity and a colour under what is transparent."""
    image = np.full((side, side, 4), 77, np.uint8)
    image[:, :, 3] = 0
    image[3 : side - 3, 3 : side - 3] = (200, 40, 10, 128)
    image[4 : side - 4, 4 : side - 4] = (200, 40, 10, 255)
    return image


@pytest.mark.parametrize("side", [16, 40])
def test_a_cutout_gets_a_background_and_keeps_its_opaque_pixels(painter, side):
    image = cutout(side)
    asset = one(painter, image, background=True)
    opaque, edge, clear = (image[:, :, 3] == alpha for alpha in (255, 128, 0))
    assert asset.content.shape == (side, side, 3)
    assert np.array_equal(asset.content[opaque], image[opaque][:, :3])
    # The edge lets the background through by half, and what was under full transparency is nowhere.
    assert not np.array_equal(asset.content[edge], image[edge][:, :3])
    assert not (asset.content[clear] == 77).all()
    assert asset.manifest["edit"]["settings"] == {"background": True}
    other = one(painter, image, background=True, options={**QUICK, "label": "fox", "guidance": 8.0})
    assert not np.array_equal(other.content[clear], asset.content[clear])


def test_a_background_can_go_on_beyond_the_sides(painter):
    image = cutout()
    asset = one(painter, image, background=True, right=4)
    assert asset.content.shape == (16, 20, 3)
    opaque = image[:, :, 3] == 255
    assert np.array_equal(asset.content[:, :16][opaque], image[opaque][:, :3])


def test_half_opacity_is_half_of_each():
    over = np.full((1, 2, 4), 200, np.uint8)
    over[:, :, 3] = (255, 51)
    under = np.full((1, 2, 4), 100, np.uint8)
    under[:, :, 3] = 255
    assert laid_over(over, under)[:, :, 0].tolist() == [[200, 120]]
    under[:, :, 3] = 0
    assert laid_over(over, under).tolist() == [[[200, 200, 200, 255], [200, 200, 200, 51]]]


def test_a_background_needs_a_cutout(painter):
    opaque, clear = np.dstack([photo(), np.full((16, 16), 255, np.uint8)]), cutout()
    clear[:, :, 3] = 0
    for image in (photo(), opaque):
        with pytest.raises(UsageError, match="without a transparent part"):
            one(painter, image, background=True)
    with pytest.raises(UsageError, match="no opaque pixel"):
        one(painter, clear, background=True)
    with pytest.raises(UsageError, match="a box and a background"):
        one(painter, cutout(), background=True, box=(1, 1, 3, 3))


def test_a_model_of_transparent_images_makes_them_and_puts_backgrounds_behind_them(models, tmp_path):
    config = DiffusionConfig(features=16, multipliers=(1,), blocks=1, head_width=8)
    artifact = saved(tmp_path / "clear", config, channels=4)
    made = next(generate(artifact, options=QUICK))
    assert made.content.shape == (16, 16, 4) and len(np.unique(made.content[:, :, 3])) > 1
    assert verify(made.save(tmp_path / "made.png")).is_intact
    assert (made.content[made.content[:, :, 3] == 0] == 0).all()
    asset = one(artifact, cutout(), background=True)
    opaque = cutout()[:, :, 3] == 255
    assert np.array_equal(asset.content[opaque][:, :3], cutout()[opaque][:, :3])


def test_recipes_that_can_are_of_the_medium_and_speech_changes_nothing():
    assert recipes_with_edit("control", medium="image") == ["controlnet"]
    assert recipes_with_edit("control") == ["controlnet", "musicgen"]
    assert {"sound", "video", "protein-structure"} < set(recipes_with_edit("inpaint"))
    assert not {"sound", "video", "protein-structure"} & set(recipes_with_edit("inpaint", medium="image"))
