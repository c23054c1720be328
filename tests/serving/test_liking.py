"""The library is filtered by what people said, and shown in the order in which somebody would like it."""

import dataclasses

import numpy as np
import pytest

from makar.api import feedback
from makar.errors import EmptyDataError, UnknownNameError, UsageError
from makar.generation.library import Library, Wanted
from makar.provenance.content import describe_content
from makar.provenance.embedding import png_bytes
from makar.provenance.keys import signing_key
from makar.provenance.manifest import sign
from makar.serving.studio.liking import best_first, by_rating
from tests.generation.test_library import entry

LIGHTS = (200, 20, 90, 240, 150)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Return a library of five pictures of different brightness, of which the first three were rated by two people."""
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    library = Library(tmp_path / "library.sqlite")
    for number, light in enumerate(LIGHTS):
        pixels = np.full((8, 8, 3), light, np.uint8)
        kept = entry(number)
        manifest = {"schema": 1, "type": "asset", "content": describe_content(pixels), "artifact": {"hash": "ab" * 32}}
        signed = sign(kept.signed["manifest"] | manifest, signing_key())
        png = png_bytes(pixels, signed)
        library.keep(dataclasses.replace(kept, signed=signed, content=png))
        if number < 3:
            item, _ = feedback.signed_item(signed, png=png)
            feedback.judge([item], kind="stars", value=[5 if light > 99 else 1], rater="ann")
            feedback.judge([item], kind="stars", value=[1 if light > 99 else 2], rater="bob")
    return library


def lights(rows):
    return [LIGHTS[row["seed"]] for row in rows]


def test_what_people_found_good_or_poor_or_said_nothing_of(library):
    found = {one: library.newest(by_rating(Wanted(), one)) for one in ("good", "poor", "unrated")}
    assert {one: lights(rows) for one, rows in found.items()} == {"good": [], "poor": [90, 20], "unrated": [150, 240]}
    feedback.remove(rater="bob")
    assert lights(library.newest(by_rating(Wanted(limit=9), "good"))) == [200]
    with pytest.raises(UsageError, match="rating"):
        by_rating(Wanted(), "best")


def test_what_somebody_likes_comes_first(library):
    images = Wanted(medium="image", limit=3)
    assert lights(best_first(library, images, "ann")) == [240, 200, 150]
    assert lights(best_first(library, images, "bob")) == [20, 90, 150]
    feedback.remove(rater="ann")
    assert lights(best_first(library, images, "all")) == [20, 90, 150]
    with pytest.raises(UnknownNameError):
        best_first(library, images, "ann")
    with pytest.raises(EmptyDataError):
        best_first(library, Wanted(medium="text"), "bob")
    with pytest.raises(UsageError, match="one medium"):
        best_first(library, Wanted(), "bob")


def test_what_has_no_features_comes_last(library):
    library.keep(dataclasses.replace(entry(10), content=b"<svg/>", type="image/svg+xml"))
    rows = best_first(library, Wanted(medium="image"), "ann")
    assert [row["seed"] for row in rows][-1] == 10 and len(rows) == 6
