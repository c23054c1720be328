"""Images compared with words: the likeliest label, images ordered by a text, and what cannot be asked that way."""

import numpy as np
import pytest
import torch
from PIL import Image

from makar import registry
from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.data.record import Record
from makar.errors import UnsupportedError, UsageError
from makar.families.contrastive.config import ContrastiveConfig
from makar.families.family import build_family
from makar.generation.predict import predict
from makar.recipe import Recipe, Stage
from tests import toy_autoencoder as toy
from tests.generation.test_edit import DATA, photo
from tests.generation.test_edit import saved as saved_plain

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


def captioned(count=12):
    """Return records of plain squares, each called by its colour."""
    draw = np.random.default_rng(0)
    records = []
    for number in range(count):
        name, colour = list(COLOURS.items())[number % 3]
        pixels = np.clip(draw.normal(colour, 12, (16, 16, 3)), 0, 255).astype(np.uint8)
        caption = f"a {name} square"
        facts = {"document": str(number), "source": str(number), "split": "train"}
        records.append(Record(id=str(number), medium="image", content=pixels, caption=caption, **facts))
    return records


def saved_reader(path, *, steps=0):
    """Save a small model of images and captions, trained for a few steps on squares."""
    codec = fit_codec(
        ImageCodecConfig(height=16, width=16, use_captions=True, caption_length=8, caption_vocabulary=300),
        iter(captioned()),
    )
    family = ContrastiveConfig(features=8, multipliers=(1, 2), caption_width=16, head_width=8, vector_width=8)
    bound = family.bound_to(codec.spec)
    made = build_family(bound)
    made.initialise(torch.Generator().manual_seed(0))
    slots = [codec.encode(record) for record in captioned()]
    batch = {
        name: torch.from_numpy(np.stack([codec.to_model(name, row[name]) for row in slots]).astype(kind))
        for name, kind in (("target", np.float32), ("caption", np.int64))
    }
    made.initialise_from_data([batch])
    optimiser = torch.optim.Adam(made.parameters(), 1e-2)
    made.train()
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        loss = made.phases()[0].loss(made.prepare(batch, generator), generator).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    stage = Stage(name="pairs", codec=codec.config, family=bound)
    recipe = Recipe(name="test", medium="image", summary="for tests", stages=(stage,))
    return save_artifact(path, recipe=recipe, codec=codec, family=made.eval(), training={"run": ""}, data=DATA)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder))
    reader = saved_reader(folder / "models" / "reader", steps=60)
    patch.undo()
    return folder, reader


@pytest.fixture
def reader(places, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(places[0]))
    return places[1]


def squares():
    return [np.full((16, 16, 3), colour, np.uint8) for colour in COLOURS.values()]


def test_the_likeliest_label_is_told_with_the_shares_of_all(reader):
    labels = ["a red square", "a green square", "a blue square"]
    rows = list(predict(reader, squares(), labels=labels))
    assert [row["label"] for row in rows] == labels and {row["what"] for row in rows} == {"labels"}
    for row in rows:
        assert list(row["probabilities"]) == labels
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["probability"] == max(row["probabilities"].values())
    assert list(predict(reader, squares(), labels=", ".join(labels))) == rows
    turned = list(predict(reader, squares(), labels=labels[::-1], what="labels"))
    assert [row["label"] for row in turned] == labels


def test_a_query_puts_images_in_order(reader, tmp_path):
    for name, pixels in zip(COLOURS, squares(), strict=True):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    for name in COLOURS:
        rows = list(predict(reader, tmp_path, query=f"a {name} square"))
        assert [row["rank"] for row in rows] == [1, 2, 3] and rows[0]["input"].endswith(f"{name}.png")
        assert rows[0]["similarity"] >= rows[1]["similarity"] >= rows[2]["similarity"]
        assert rows[0]["query"] == f"a {name} square"


@pytest.mark.parametrize("words", ["赤い四角", "ein rotes Viereck", "\U0001f7e5", "АБВ"])
def test_words_in_any_script_are_read(reader, words):
    # Three letters of three bytes each may be more tokens than this model reads.
    try:
        rows = list(predict(reader, squares(), query=words))
    except UnsupportedError as error:
        assert "tokens" in error.came
        return
    assert len(rows) == 3 and all(np.isfinite(row["similarity"]) for row in rows)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({"labels": ["a", "b"], "query": "a"}, "labels and a query"),
        ({"labels": ["a", " "]}, "labels of"),
        ({"labels": []}, "labels of no words"),
        ({"labels": "a,a"}, "labels of"),
        ({"query": "  "}, "similarity of ''"),
        ({"what": "labels"}, "labels of no words"),
        ({"what": "similarity"}, "similarity of no words"),
        ({"what": "similarity", "labels": ["a"]}, 'words for "labels" and "similarity"'),
        ({}, "not said what to predict"),
        ({"query": "x" * 10_000}, "a prompt of"),
    ],
)
def test_what_cannot_be_asked_is_refused(reader, asked, part):
    with pytest.raises(UsageError, match=part):
        list(predict(reader, squares(), **asked))


def test_a_model_without_words_names_the_recipe_that_has_them(reader, own_home, monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN["families"], toy.KIND, toy.FAMILIES[toy.KIND])
    detector = saved_plain(own_home / "models" / "detector", toy.ToyAutoencoderConfig(), labels=(None,))
    for asked in ({"labels": ["a", "b"]}, {"query": "a"}):
        with pytest.raises(UnsupportedError) as caught:
            predict(detector, photo(), **asked)
        assert "clip" in caught.value.do


def test_what_is_proposed_after_training_is_what_the_model_can_do(reader, own_home):
    from makar.api.model import Model
    from makar.cli.train_verb import _first_try
    from makar.families.diffusion.config import DiffusionConfig

    assert _first_try(Model(reader), "eyes") == "predict eyes IMAGES"
    painter = saved_plain(own_home / "models" / "painter", DiffusionConfig(features=16, blocks=1, head_width=8))
    assert _first_try(Model(painter), "painter") == "generate painter"
