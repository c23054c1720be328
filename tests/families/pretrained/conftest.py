"""Folders of tiny pipelines that all tests of pretrained models share; without the extra these tests are skipped."""

import functools
import hashlib

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers", reason="the extra diffusers is not installed")

from makar.artifacts.load import load_artifact
from makar.families.family import build_family
from makar.families.pretrained.opening import quiet
from tests.families.pretrained import tiny_checkpoints, tiny_pipelines


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory):
    """Return a function from the name of a function in ``tiny_pipelines`` to the folder of that pipeline."""
    place = tmp_path_factory.mktemp("pipelines")

    @functools.cache
    def folder(name):
        with quiet():
            getattr(tiny_pipelines, name)().save_pretrained(place / name)
        return place / name

    return folder


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Return a function from the name of a function in ``tiny_checkpoints`` to the folder of that checkpoint."""
    place = tmp_path_factory.mktemp("checkpoints")

    @functools.cache
    def folder(name):
        with quiet():
            return tiny_checkpoints.save(name, place / name)

    return folder


@pytest.fixture
def adapted(pipelines):
    """Return a function that gives a new family with an adapter of a pipeline whose matrices are not zero."""

    def family(name="stable_diffusion", *, strength=0.0, **changes):
        config = load_artifact(pipelines(name)).recipe.stages[-1].family
        values = {"rank": 2, "height": tiny_pipelines.SIDE, "width": tiny_pipelines.SIDE, **changes}
        made = build_family(config.changed(**values))
        generator = torch.Generator().manual_seed(0)
        made.initialise(generator)
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(strength * torch.randn(parameter.shape, generator=generator))
        return made

    return family


@pytest.fixture
def picture():
    """Return a picture that is larger than the pipelines' and not square."""
    return np.random.default_rng(0).integers(0, 256, (20, 26, 3), dtype=np.uint8)


@pytest.fixture
def batch():
    """Return three pictures with descriptions as a family gets them."""
    captions = torch.zeros(3, 16, dtype=torch.int64)
    for row, words in zip(captions, ("a red fox", "a cat", "")):
        row[: len(words)] = torch.tensor([byte + 2 for byte in words.encode()])
    captions[2, 0] = 1
    images = torch.rand(3, 3, tiny_pipelines.SIDE, tiny_pipelines.SIDE, generator=torch.Generator().manual_seed(0))
    return {"target": images * 2 - 1, "caption": captions}


@pytest.fixture
def digest():
    """Return a function from an asset to the hash of its pixels."""
    return lambda asset: hashlib.sha256(asset.content.tobytes()).hexdigest()
