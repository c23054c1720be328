"""Previews: true estimates of the network, signed as what they are, and the finished asset is the same with and without them."""

import numpy as np
import pytest
import torch

from makar.errors import UnsupportedError, UsageError
from makar.families.diffusion.solvers import SOLVERS, unipc
from makar.families.diffusion.watching import Watching
from makar.generation.edit import edit
from makar.generation.generate import generate
from makar.generation.jobs import make_jobs
from makar.generation.previewing import Previews, shown
from makar.generation.prompts import read_prompts
from makar.generation.request import Request
from makar.provenance.chain import verify
from tests.generation import test_edit
from tests.generation.test_edit import pictures

models, places = test_edit.models, test_edit.places

STEPS = {"steps": 8, "guidance": 1.0}


def made(assets, most=3):
    """Return (previews, finished assets) of assets in the making."""
    seen = []
    finished = list(shown(assets, Previews(show=seen.append, most=most)))
    return seen, finished


@pytest.mark.parametrize("solver", SOLVERS)
def test_on_a_straight_path_every_estimate_is_its_end(solver):
    end, seen = torch.full((2, 1, 2, 2), 3.0), []
    watching = Watching(seen.append, most=3)
    watching.first = 5
    times = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    field = watching.watched(lambda x, t: (end - x) / (1 - t), times, torch.Tensor.numpy)
    SOLVERS[solver](field, torch.zeros(2, 1, 2, 2), times)
    assert [(one.index, one.step, one.steps) for one in seen] == [(i, s, 5) for s in (2, 3, 4) for i in (5, 6)]
    assert all(np.allclose(one.slots["target"], 3.0, atol=1e-5) for one in seen)


def test_an_estimate_on_a_bent_path_is_where_the_velocity_points_and_not_the_end():
    seen = []
    times = [0.0, 0.25, 0.5, 0.75, 1.0]
    field = Watching(seen.append, most=1).watched(lambda x, t: torch.cos(3 * x) + t, times, torch.Tensor.numpy)
    end = unipc(field, torch.zeros(1, 1, 1, 1), times)
    assert seen[0].step == 3 and abs(seen[0].slots["target"].item() - end.item()) > 1e-3


def test_previews_come_in_order_before_their_image_and_change_nothing_of_it(models):
    seen, finished = made(generate(models["painter"], prompts="fox", count=2, seed=3, options=STEPS))
    plain = list(generate(models["painter"], prompts="fox", count=2, seed=3, options=STEPS))
    assert [one.hash for one in finished] == [one.hash for one in plain]
    assert [(one.manifest["seed"], one.manifest["estimate"]["step"]) for one in seen] == [
        (seed, step) for step in (3, 5, 7) for seed in (3, 4)
    ]
    assert all(one.manifest["estimate"]["steps"] == 8 and one.content.shape == (16, 16, 3) for one in seen)
    assert len({one.id for one in [*seen, *finished]}) == 8 and "estimate" not in finished[0].manifest


def test_late_estimates_are_nearer_to_the_image_than_early_ones(models):
    seen, (finished,) = made(generate(models["painter"], prompts="fox", seed=3, options=STEPS), most=6)
    far = [np.abs(one.content.astype(float) - finished.content).mean() for one in seen]
    assert far == sorted(far, reverse=True) and len(far) == 6 and 0 < far[-1] < far[0] / 2


@pytest.mark.parametrize("most, count", [(1, 1), (3, 2)])
def test_there_are_no_more_previews_than_steps_before_the_last(models, most, count):
    seen, _ = made(generate(models["painter"], options={"steps": 3}), most=most)
    assert len(seen) == count


def test_what_is_known_stays_in_every_preview_of_a_changed_image(models):
    (pixels,), box = pictures(1), (4, 4, 12, 12)
    seen, (finished,) = made(
        edit(models["painter"], {"image": pixels, "box": box}, prompts="fox", options={"steps": 2})
    )
    outside = np.ones((16, 16), bool)
    outside[4:12, 4:12] = False
    assert len(seen) == 3 and seen[0].manifest["edit"] == finished.manifest["edit"]
    assert all((one.content[outside] == pixels[outside]).all() for one in [*seen, finished])
    assert (seen[0].content[~outside] != finished.content[~outside]).any()


@pytest.mark.parametrize("options", [{"strength": 0.5, "steps": 4}, {"solver": "ancestral", "steps": 4}])
def test_previews_follow_every_way_to_an_image(models, options):
    given = {"image": pictures(1)[0]}
    asked = (
        edit(models["painter"], given, options=options)
        if "strength" in options
        else generate(models["painter"], options=options)
    )
    assert [one.manifest["estimate"]["step"] for one in made(asked)[0]] == [2, 3]


def test_a_preview_is_verified_as_what_it_is(models, tmp_path):
    seen, _ = made(generate(models["painter"], options=STEPS), most=1)
    checks = {check.name: check for check in verify(seen[0].save(tmp_path / "early.png")).checks}
    assert checks["content"].status == "ok" and "step 5 of 8, not the finished" in checks["preview"].detail


class Darker:
    """A guard that refuses what is brighter than something."""

    name = "darker"

    def __init__(self, limit):
        self.limit = limit

    def refusal(self, draft):
        """Return why not."""
        return "too bright" if draft.content.mean() > self.limit else None


@pytest.mark.parametrize("limit, count", [(255.0, 2), (-1.0, 0)])
def test_what_a_guard_refuses_is_not_shown(models, limit, count):
    request = Request(models["painter"], options=STEPS, novelty=None, refuse_copies=False)
    request.guards = (Darker(limit),)
    seen = []
    request.show(Previews(show=seen.append, most=2))
    jobs = make_jobs(read_prompts(None, request.codec, request.family), 1, 0)
    assert len(list(request.draw(jobs, 0))) == 1 and len(seen) == count


def test_what_makes_an_image_at_once_has_no_previews(models):
    with pytest.raises(UnsupportedError, match="step by step"):
        made(generate(models["toy"]))
    with pytest.raises(UnsupportedError, match="several pieces"):
        made(edit(models["doubler"], {"image": pictures(1)[0], "enlarge": 2}))
    with pytest.raises(UsageError, match="at least 1"):
        Previews(show=print, most=0)


def test_who_raises_while_watching_ends_the_work(models):
    def tired(asset):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(shown(generate(models["painter"], options=STEPS), Previews(show=tired, most=1)))
