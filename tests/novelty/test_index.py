"""One index for every medium: copies are found and named, new things are not refused, nothing is built twice."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from makar.errors import DataError, UnsupportedError
from makar.novelty.index import NoveltyIndex, text_windows
from tests.novelty.samples import BytesCodec, PixelCodec, image_store, random_words, smooth_images, text_store


@pytest.fixture(scope="module")
def text_index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    generator = np.random.default_rng(0)
    phrases = [random_words(generator, 8) for _ in range(40)]

    def text(count):
        return " ".join(
            phrases[generator.integers(40)] if generator.random() < 0.3 else random_words(generator, 8)
            for _ in range(count)
        )

    train = [text(250) for _ in range(10)]
    store = text_store(folder / "train", train)
    held_out = text_store(folder / "held", [text(250) for _ in range(12)], split="held_out")
    index = NoveltyIndex.build(store, held_out, BytesCodec(), medium="text", folder=folder / "index")
    return index, train, text


def test_planted_passages_are_copies_with_their_source(text_index):
    index, train, text = text_index
    generator = np.random.default_rng(5)
    for _ in range(50):
        document = int(generator.integers(10))
        words = train[document].split()
        start = int(generator.integers(len(words) - 60))
        found = index.check(text(10) + " " + " ".join(words[start : start + 60]) + " " + text(10))
        assert found.is_copy
        assert found.longest_span >= 60
        assert found.nearest[0].document == f"text-{document}.txt"
        assert found.nearest[0].licence == "CC0-1.0"
        assert found.score < 0.8
        assert "text-" in found.summary()


def test_new_text_is_no_copy_and_the_share_is_counted_from_that_of_people(text_index):
    index, _, text = text_index
    alarms = [index.check(text(32)).is_copy for _ in range(200)]
    assert np.mean(alarms) <= 0.02
    found = index.check(text(32))
    assert found.baseline["share_13"] < 0.2
    assert found.excess_13 == max(0, found.share_13 - found.baseline["share_13"])
    assert index.items >= 80


@pytest.fixture(scope="module")
def image_index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    generator = np.random.default_rng(0)
    train = smooth_images(generator, 300, channels=3)
    held_out = smooth_images(generator, 150, channels=3)
    index = NoveltyIndex.build(
        image_store(folder / "train", train),
        image_store(folder / "held", held_out, split="held_out"),
        PixelCodec(),
        medium="image",
        folder=folder / "index",
    )
    return index, train


def changed(images, how):
    values = torch.from_numpy(images.transpose(0, 3, 1, 2)).float() / 255
    if how == "noise":
        values = values + 0.03 * torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
    elif how == "gain":
        values = values * 0.8
    elif how == "shift":
        values = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(values, (1, 0, 1, 0), mode="replicate"), 2, 1)
    elif how == "crop":
        values = torch.nn.functional.interpolate(values[:, :, 2:27, 1:26], size=(28, 28), mode="bilinear")
    elif how == "flip":
        values = values.flip(3)
    return (values.clamp(0, 1) * 255).round().byte().numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("how", ["none", "noise", "gain", "shift", "crop", "flip"])
def test_changed_training_images_are_copies_with_their_source(image_index, how):
    index, train = image_index
    found = index.check_many(list(changed(train[40:70], how)))
    assert np.mean([one.is_copy for one in found]) == 1
    assert [one.nearest[0].record for one in found] == list(range(40, 70))
    assert found[0].nearest[0].licence == "CC0-1.0"


def test_new_images_are_no_copies(image_index):
    index, _ = image_index
    found = index.check_many(list(smooth_images(np.random.default_rng(9), 100, channels=3)))
    assert np.mean([one.is_copy for one in found]) <= 0.05
    assert 0 < index.threshold < found[0].baseline["distance_ratio"] < 1


def test_images_of_other_size_and_channels_are_compared_too(image_index):
    index, train = image_index
    enlarged = np.repeat(np.repeat(train[3], 2, 0), 2, 1)
    transparent = np.concatenate([train[5], np.full((28, 28, 1), 255, np.uint8)], 2)
    found = index.check_many([enlarged, train[4], transparent])
    assert [one.nearest[0].record for one in found] == [3, 4, 5]
    assert np.array_equal(index.training_image(4), train[4])


def test_the_same_build_gives_the_same_answer_and_is_not_repeated(image_index, tmp_path):
    index, train = image_index
    header = json.loads((index.folder / "novelty.json").read_text())
    stores = image_store(index.folder.parent / "train", train), None
    again = NoveltyIndex.build(*stores, PixelCodec(), medium="image", folder=tmp_path / "index")
    for name in ("images.bin", "vectors.bin"):
        assert (again.folder / name).read_bytes() == (index.folder / name).read_bytes()
    before = (tmp_path / "index" / "vectors.bin").stat().st_mtime_ns
    NoveltyIndex.build(*stores, PixelCodec(), medium="image", folder=tmp_path / "index")
    assert (tmp_path / "index" / "vectors.bin").stat().st_mtime_ns == before
    assert header["items"] == 150
    assert again.items == 0


def test_another_store_is_indexed_anew_and_nothing_is_left_over(tmp_path):
    first = text_store(tmp_path / "a", ["one two three"])
    NoveltyIndex.build(first, None, BytesCodec(), medium="text", folder=tmp_path / "index")
    second = text_store(tmp_path / "b", ["four five six seven"])
    index = NoveltyIndex.build(second, None, BytesCodec(), medium="text", folder=tmp_path / "index")
    assert index.check("four five six").longest_span == 3
    assert index.check("one two three").longest_span == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "index"]


def test_to_dictionary_is_json(text_index, image_index):
    for novelty in (text_index[0].check("a b c"), image_index[0].check(image_index[1][0])):
        values = json.loads(json.dumps(novelty.to_dictionary()))
        assert set(values) >= {field.name for field in dataclasses.fields(novelty)} | {"excess_13", "excess_50"}


def test_what_cannot_be_measured_is_refused(tmp_path, text_index):
    with pytest.raises(DataError):
        NoveltyIndex.open(tmp_path / "nothing")
    with pytest.raises(DataError):
        text_index[0].check(np.zeros((4, 4, 1), np.uint8))
    with pytest.raises(UnsupportedError):
        NoveltyIndex.build(text_index[0], None, BytesCodec(), medium="smell", folder=tmp_path / "index")


def test_windows_are_of_equal_length_and_spread(tmp_path):
    store = text_store(tmp_path / "s", [random_words(np.random.default_rng(0), 1000), "too short", "w " * 20])
    windows = text_windows(store, BytesCodec(), words=100)
    assert [len(window.split()) for window in windows] == [100] * 10 + [20]
    assert len(text_windows(store, BytesCodec(), words=100, most=4)) == 4


def test_what_a_killed_build_left_is_removed_also_when_the_index_is_finished(tmp_path):
    store = text_store(tmp_path / "train", [random_words(np.random.default_rng(0), 300)])
    for _ in range(2):
        left = tmp_path / "novelty.x1y2z3"
        left.mkdir()
        (left / "shard-00000.words").write_bytes(b"half")
        NoveltyIndex.build(store, None, BytesCodec(), medium="text", folder=tmp_path / "novelty")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["novelty", "train"]
