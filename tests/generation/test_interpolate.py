"""What lies between two seeds is judged and signed like everything else."""

import numpy as np
import pytest

from makar.errors import CopyRefusedError, UnsupportedError, UsageError
from makar.generation import request
from makar.generation.generate import generate
from makar.generation.interpolate import can_interpolate, interpolate
from makar.provenance.chain import verify
from tests.generation.test_built_in_families import painter  # noqa: F401

STEPS = {"steps": 2}


class RefusesEverything:
    name = "nothing"

    def refusal(self, draft):
        return "nothing may pass"


def test_the_ends_are_the_assets_of_the_two_seeds_and_the_middle_is_neither(painter, tmp_path):  # noqa: F811
    first, middle, last = interpolate(painter, first_seed=1, last_seed=2, count=3, options=STEPS)
    ends = [next(generate(painter, seed=seed, options=STEPS, prompts=None)).content for seed in (1, 2)]
    assert np.array_equal(first.content, ends[0])
    assert not np.array_equal(middle.content, first.content) and not np.array_equal(middle.content, last.content)
    assert middle.manifest["between"] == {"last_seed": 2, "share": 0.5} and middle.manifest["seed"] == 1
    assert verify(middle.save(tmp_path / "a.png")).is_intact


def test_guards_judge_it(painter, monkeypatch):  # noqa: F811
    monkeypatch.setattr(request, "GUARDS", (RefusesEverything(),))
    with pytest.raises(CopyRefusedError, match="nothing may pass"):
        interpolate(painter, first_seed=1, last_seed=2, count=3, options=STEPS)


def test_a_model_without_such_a_way_says_so(text_artifact):
    assert not can_interpolate(text_artifact)
    with pytest.raises(UnsupportedError, match="no way"):
        interpolate(text_artifact, first_seed=1, last_seed=2, count=3)
    with pytest.raises(UsageError):
        interpolate(text_artifact, first_seed=1, last_seed=2, count=1)
