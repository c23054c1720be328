"""The recipe dalle2 from a captioned folder to images: of a description, of what an image shows, between two images, and measured."""

import json

import numpy as np
import pytest
from PIL import Image

import makar
from makar.errors import UnsupportedError
from makar.recipes.imagined_images import dalle2
from tests.generation.test_words import captioned

SMALL = [
    "stages.0.family.features=8",
    "stages.0.family.caption_width=16",
    "stages.0.family.head_width=8",
    "stages.0.family.vector_width=8",
    "stages.1.family.features=16",
    "stages.1.family.head_width=8",
    "stages.1.family.caption_width=16",
    "stages.1.family.blocks=1",
    "stages.2.family.features=16",
    "stages.2.family.head_width=8",
    "stages.2.family.caption_width=16",
    *(f"stages.{number}.optimisation.batch_size=6" for number in range(3)),
]
QUICK = {"steps": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    (folder / "data").mkdir()
    for record in captioned(24):
        Image.fromarray(record.content).save(folder / "data" / f"{record.id}.png")
        (folder / "data" / f"{record.id}.txt").write_text(record.caption, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder / "home"))
        yield makar.train(folder / "data", recipe="dalle2", steps=3, output="squares", settings=SMALL)


def test_a_model_carries_its_encoder_and_its_prior_and_opens_again(run):
    header = json.loads((run.model.path / "makar.json").read_text(encoding="utf-8"))
    assert list(header["components"]) == ["pairs", "prior"]
    one = run.model.generate("a red square", seed=3, options=QUICK)[0]
    again = makar.load(run.model.path).generate("a red square", seed=3, options=QUICK)[0]
    assert one.content.shape == (16, 16, 3) and np.array_equal(one.content, again.content)
    assert makar.verify(run.model.path).is_intact


def test_what_is_imagined_follows_from_caption_and_seed(run):
    codec = run.model.artifact.codec()
    import torch

    red, blue = (torch.from_numpy(codec.encode_caption(text)) for text in ("a red square", "a blue square"))
    made = codec.imagine([red, blue, red, None], [1, 1, 2, 1])
    again = codec.imagine([None, red], [1, 1])
    assert made.shape == (4, 8, 1, 1) and made.abs().max() <= 1
    assert torch.allclose(made[0], again[1], atol=1e-4) and torch.allclose(made[3], again[0], atol=1e-4)
    assert not torch.allclose(made[0], made[2], atol=1e-3)


def test_an_image_is_varied_and_leads_to_another(run, tmp_path):
    first, last = (np.full((20, 16, 3), colour, np.uint8) for colour in ((200, 10, 10), (10, 10, 200)))
    varied = run.model.edit(first, count=2, options=QUICK)
    assert len(varied) == 2 and varied[0].manifest["edit"]["operation"] == "vary"
    assert not np.array_equal(varied[0].content, varied[1].content)
    with_words = run.model.edit(first, prompt="a green square", options=QUICK | {"guidance": 5.0})[0]
    assert not np.array_equal(with_words.content, varied[0].content)
    frames = run.model.edit(first, how={"to": last, "frames": 3}, options=QUICK)
    assert len(frames) == 3 and np.array_equal(frames[0].content, varied[0].content)
    between = run.model.edit(None, how={"to_seed": 4, "frames": 3}, options=QUICK)
    assert len(between) == 3 and np.array_equal(
        between[0].content, run.model.generate(seed=0, options=QUICK)[0].content
    )


def test_what_a_vector_cannot_do_is_refused(run):
    image = np.zeros((16, 16, 3), np.uint8)
    for how, options in (({"box": (0, 0, 4, 4)}, {}), ({}, {"strength": 0.5})):
        with pytest.raises(UnsupportedError) as caught:
            run.model.edit(image, how=how, options=options)
        assert "vary" in caught.value.expected
    with pytest.raises(UnsupportedError, match="tokens"):
        run.model.generate("x" * 10_000)


def test_an_empty_prompt_and_one_in_another_script_are_drawn(run):
    for prompt in ("", "赤"):
        assert run.model.generate(prompt, options=QUICK)[0].content.shape == (16, 16, 3)


def test_shares_add_up_and_the_vector_is_no_image():
    recipe = dalle2()
    assert sum(stage.share for stage in recipe.stages) == pytest.approx(1)
    prior, decoder = recipe.stages[1].family, recipe.stages[2].family
    assert (prior.height, prior.width) == (1, 1) and decoder.source_is_vector and decoder.source_planes == 0
    assert decoder.edits == ("vary", "interpolate", "interpolate-seeds")
