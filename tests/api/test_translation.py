"""Translations from end to end: from a folder of pairs or of two domains to translated files with proof, and a report; what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

import makar
from makar.data.dataset import open_dataset
from makar.errors import ConfigError, DataError, UnknownNameError, UnsupportedError
from makar.evaluation import extractor
from makar.planning import Request, choose_recipe, plan_training
from tests.cli.small_models import see, write_texts
from tests.data.test_pairs import encoded, pair_folders, picture, write

SMALL = ["stages.0.family.features=4", "stages.0.family.blocks=1", "stages.0.optimisation.batch_size=4"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return (folder of pairs, pix2pix, cyclegan) trained for a few steps."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("data") / "d"
    for number in range(30):
        write(folder / "line" / f"{number:03}.png", picture(number, size=(16, 16), flip=True))
        write(folder / "colour" / f"{number:03}.png", picture(number, size=(16, 16)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(home))
        models = [
            makar.train(folder, recipe=recipe, steps=6, output=recipe, settings=SMALL).model
            for recipe in ("pix2pix", "cyclegan")
        ]
    return home, folder, *models


@pytest.fixture(autouse=True)
def at_home(shop, monkeypatch, tmp_path):
    monkeypatch.setenv("MAKAR_HOME", str(shop[0]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extractor, "STEPS", 2)


def test_a_translation_has_the_size_of_the_model_and_states_what_was_given(shop):
    _, _, pairs, _ = shop
    given = picture(3, size=(40, 40))
    (asset,) = pairs.edit(given, how={"operation": "translate"})
    (again,) = pairs.edit(given, seed=5)  # the one thing that it can do with a whole image
    assert asset.content.shape == (16, 16, 3) and np.array_equal(asset.content, again.content)
    assert asset.manifest["edit"]["operation"] == "translate"
    assert asset.manifest["edit"]["source"]["sha256"]
    assert asset.manifest["source_type"].endswith("compositeWithTrainedAlgorithmicMedia")


def test_the_direction_of_two_domains_is_chosen_in_python_and_in_the_shell(shop, tmp_path):
    _, _, _, domains = shop
    given = picture(3, size=(16, 16))
    made = {
        name: domains.edit(given, how={"operation": "translate"}, options={"direction": name} if name else {})[
            0
        ].content
        for name in (None, "line", "colour")
    }
    assert np.array_equal(made[None], made["line"]) and not np.array_equal(made["line"], made["colour"])
    with pytest.raises(UnknownNameError, match="colour"):
        domains.edit(given, options={"direction": "color"})
    Image.fromarray(given).save("given.png")
    rows = see(
        "edit", "cyclegan", "given.png", "--translate", "--direction", "colour", "-o", "out.png", "--json"
    ).values
    assert np.array_equal(np.asarray(Image.open("out.png")), made["colour"])
    assert rows[0]["manifest"]["settings"]["direction"] == "colour"
    see("verify", "out.png")
    assert 'no control "direction"' in see("edit", "pix2pix", "given.png", "--direction", "line", code=2).messages


def test_what_a_translation_cannot_do_is_refused_with_what_can(shop):
    _, _, pairs, _ = shop
    with pytest.raises(UnsupportedError, match="makes none from nothing") as caught:
        pairs.generate()
    assert '"image"' in caught.value.do
    with pytest.raises(UnsupportedError, match="cannot inpaint") as caught:
        pairs.edit(picture(1, size=(16, 16)), how={"box": (2, 2, 6, 6)})
    assert "translate" in caught.value.expected and "image" in caught.value.do
    Image.fromarray(picture(1, size=(16, 16))).save("a.png")
    assert "recipe" in see("generate", "pix2pix", code=2).messages


def test_other_models_name_the_recipes_that_translate(shop, tmp_path):
    from makar.generation.able import recipes_with_edit

    assert {"pix2pix", "cyclegan"} <= set(recipes_with_edit("translate"))


@pytest.mark.parametrize("index", [2, 3])
def test_held_out_images_are_translated_and_compared(shop, tmp_path, index):
    report = shop[index].evaluate(folder=tmp_path / "report")
    values = json.loads(report.json.read_text(encoding="utf-8"))
    assert values["verdict"] and values["details"]["translated"]
    page = report.html.read_text(encoding="utf-8")
    if index == 2:
        assert set(values["scores"]) >= {"l1"}
        baselines = values["scores"]["l1"]["baselines"]
        assert 0 < values["scores"]["l1"]["value"] < 255
        # The given image is the negative of the real one.
        assert baselines["the given image as it is"]["value"] > 60
        assert "Held-out images, their translations, and the real images" in page
    else:
        assert "translations into line" in page and "translations into colour" in page


def test_more_held_out_images_are_compared_as_clouds_too(shop, tmp_path):
    other = pair_folders(tmp_path / "d", count=12, start=200)
    for model, keys in ((shop[2], {"l1", "fid", "distance_translated"}), (shop[3], {"fid_line", "fid_colour"})):
        dataset = open_dataset(other, held_out_share=0.5)
        held_out = sum(record.pair is not None for record in dataset.records("held_out"))
        values = model.evaluate(dataset, folder=tmp_path / model.short_name).to_dictionary()
        assert (keys <= set(values["scores"])) == (held_out >= 8)
        assert "l1" in values["scores"] or model is shop[3]


def test_recipes_for_pairs_refuse_data_without_and_say_what_is_there(tmp_path):
    folder = pair_folders(tmp_path / "d", count=8)
    for path in (folder / "line").iterdir():
        path.rename(path.with_name(f"line-{path.name}"))
    with pytest.raises(UnsupportedError, match="bears the name") as caught:
        choose_recipe(open_dataset(folder), Request(steps=5, recipe="pix2pix"))
    assert "line" in caught.value.came and "colour" in caught.value.came and "cyclegan" in caught.value.do
    plain = tmp_path / "plain"
    for number in range(6):
        write(plain / f"{number}.png", picture(number))
    with pytest.raises(UnsupportedError, match="there are none"):
        choose_recipe(open_dataset(plain), Request(steps=5, recipe="pix2pix"))
    with pytest.raises(UnsupportedError, match="needs a class"):
        choose_recipe(open_dataset(plain), Request(steps=5, recipe="cyclegan"))


def test_three_domains_are_refused(tmp_path):
    for place, name in enumerate(("a", "b", "c")):
        for number in range(6):
            write(tmp_path / "d" / name / f"{number}.png", picture(50 * place + number))
    with pytest.raises(ConfigError, match="3 domains"):
        plan_training(open_dataset(tmp_path / "d"), Request(recipe="cyclegan", steps=5))


def test_two_images_only_are_too_few(tmp_path):
    with pytest.raises(DataError, match="only 2 usable images"):
        open_dataset(pair_folders(tmp_path / "d", count=1))


def test_the_plan_counts_pairs_and_takes_the_size_of_one_image(tmp_path):
    dataset = open_dataset(pair_folders(tmp_path / "d", count=20))
    plan = plan_training(dataset, Request(recipe="pix2pix", steps=5))
    stage = plan.recipe.stages[0]
    assert (stage.codec.height, stage.codec.width, stage.codec.source) == (16, 16, "pair")
    assert (stage.family.height, stage.family.width, stage.family.channels) == (16, 16, 3)
    side_by_side = tmp_path / "s"
    for number in range(8):
        write(side_by_side / f"{number}.png", picture(number, size=(16, 32)))
    plan = plan_training(
        open_dataset(side_by_side), Request(recipe="pix2pix", steps=5, settings=["stages.0.codec.source=left"])
    )
    assert (plan.recipe.stages[0].codec.height, plan.recipe.stages[0].codec.width) == (16, 16)


def test_a_table_of_two_columns_learns_both_ways(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = {
        "photo": [encoded(picture(number, size=(16, 16))) for number in range(16)],
        "map": [encoded(picture(number, size=(16, 16), flip=True)) for number in range(16)],
    }
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "t.parquet")
    for source in ("pair", "pair-back"):
        settings = [*SMALL, f"stages.0.codec.source={source}"]
        model = makar.train(tmp_path / "t.parquet", recipe="pix2pix", steps=2, output=source, settings=settings).model
        assert model.edit(picture(1))[0].content.shape == (16, 16, 3)


def test_recipes_that_translate_refuse_text(tmp_path):
    with pytest.raises(UnsupportedError, match="learns from image"):
        choose_recipe(open_dataset(write_texts(tmp_path / "t")), Request(steps=5, recipe="pix2pix"))


def test_images_of_one_colour_each_are_learned_and_translated(tmp_path):
    for number in range(16):
        for name, pixels in (("a", 10 * number), ("b", 255 - 10 * number)):
            write(tmp_path / "d" / name / f"{number}.png", np.full((16, 16, 3), pixels, np.uint8))
    model = makar.train(tmp_path / "d", recipe="pix2pix", steps=3, output="flat", settings=SMALL).model
    assert model.edit(np.full((16, 16), 90, np.uint8))[0].content.shape[:2] == (16, 16)
