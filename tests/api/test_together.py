"""Requests of several threads share one running batch, and each gets what it would get alone."""

import concurrent.futures

import pytest

import makar
from makar.api.together import together
from makar.errors import UnsupportedError
from tests.cli.conftest import models, place  # noqa: F401  the small models of the shell's tests


def test_requests_of_threads_get_what_they_get_alone(place):  # noqa: F811
    model = makar.load("writer")
    prompts = ["In which", "Chapter 3", "", "bears"]
    options = {"max_tokens": 30}
    alone = [model.generate(prompt or None, options=options)[0].content for prompt in prompts]
    with together(model), concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda prompt: model.generate(prompt or None, options=options)[0].content, prompts)
        assert list(made) == alone
        # A text that is dropped in the middle stops nobody.
        pieces = model.stream("Chapter", options={"max_tokens": 30})
        next(pieces)
        pieces.close()
        assert model.generate("bears", options=options)[0].content == alone[3]
    assert model.generate("bears", options=options)[0].content == alone[3]


def test_a_model_of_images_has_no_running_batch(place):  # noqa: F811
    with pytest.raises(UnsupportedError, match="running batch"):
        together(makar.load("painter"))
