"""Adapters learn, are saved as folders of PEFT, and come back with their own base only."""

import json
import shutil

import numpy as np
import pytest
import torch

from makar.artifacts.load import load_artifact
from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.errors import ArtifactError, IntegrityError, UnsupportedError
from makar.families.family import build_family
from makar.generation.generate import generate
from makar.home import home
from makar.recipe import Recipe, Stage
from tests.families.pretrained.tiny_pipelines import SIDE

NAMES = ["stable_diffusion", "stable_diffusion_2", "stable_diffusion_xl", "stable_diffusion_3", "flux"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def learn(family, batch, *, steps=12):
    """Take some steps and return the first and the last loss at the same noise."""
    (phase,) = family.phases()
    optimiser = torch.optim.Adam([one for group in phase.groups for one in group.parameters], lr=0.02)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = phase.loss(batch, generator(1))
        loss.value.backward()
        optimiser.step()
        losses.append(float(loss.value.detach()))
    return losses[0], losses[-1]


def save(family, place):
    """Save a family as the model of a recipe."""
    codec = fit_codec(PromptedImageCodecConfig(height=SIDE, width=SIDE), iter(()))
    recipe = Recipe(
        name="lora",
        medium="image",
        summary="an adapter",
        stages=(Stage(name="adapter", codec=codec.config, family=family.config),),
    )
    data = {"fingerprint": "0" * 64, "name": "foxes", "medium": "image"}
    return save_artifact(place, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_learns_and_begins_as_the_pipeline_itself(name, adapted, batch, pipelines):
    family = adapted(name)
    base = build_family(family.config.changed(rank=0))
    options = family.options(steps=2)
    first, other = (next(iter(one.sampler(None).sample(options, [{}], [3])))[1]["target"] for one in (family, base))
    assert np.allclose(first, other, atol=1e-5)
    before, after = learn(family, batch)
    assert after < before
    changed = next(iter(family.sampler(None).sample(options, [{}], [3])))[1]["target"]
    assert not np.allclose(first, changed, atol=1e-3)


def test_words_that_are_learned_are_those_of_the_example(adapted, batch):
    family = adapted(strength=0.3)
    turned = {**batch, "caption": batch["caption"].flip(0)}
    assert float(family.validation_loss(batch, generator()).value) != float(
        family.validation_loss(turned, generator()).value
    )


def test_the_pipeline_keeps_what_it_knew(adapted, batch):
    family = adapted(class_prompt="a fox", class_images=2, class_steps=2)
    family.initialise_from_data([])
    other = adapted(class_prompt="a fox", class_images=2, class_steps=3)
    other.initialise_from_data([])
    assert family.prior.abs().sum() > 0 and not torch.equal(family.prior, other.prior)
    assert "prior" in family.state_dict() and not any("prior" in name for name in family.tensors())
    (phase,) = family.phases()
    loss = phase.loss(batch, generator())
    assert float(loss.value.detach()) == pytest.approx(loss.metrics["own"] + loss.metrics["prior"], rel=1e-5)
    plain = adapted().phases()[0].loss(batch, generator())
    assert "prior" not in plain.metrics
    more = adapted(class_prompt="a fox", class_images=4)
    assert more.prior.shape[0] == 4


def test_precision_of_the_trainer_is_used(adapted, batch):
    family = adapted(strength=0.3)
    full = float(family.validation_loss(batch, generator()).value)
    family.precision = "bfloat16"
    half = float(family.validation_loss(batch, generator()).value)
    assert half != full and half == pytest.approx(full, rel=0.05)


def test_a_saved_adapter_comes_back_and_peft_opens_it(adapted, pipelines, tmp_path):
    from diffusers import UNet2DConditionModel
    from peft import PeftModel

    family = adapted(strength=0.3, alpha=3.0, targets="transformer")
    artifact = save(family, tmp_path / "foxes")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in artifact.path.iterdir()}
    (own,) = generate(artifact, prompts="a fox", options={"steps": 2})
    options, caption = family.options(steps=2), torch.tensor([byte + 2 for byte in b"a fox"])
    there = next(iter(family.sampler(None).sample(options, [{"caption": caption}], [0])))[1]["target"]
    assert np.array_equal(own.content, np.rint((there.transpose(1, 2, 0).clip(-1, 1) + 1) * 127.5).astype(np.uint8))
    unet = UNet2DConditionModel.from_pretrained(pipelines("stable_diffusion"), subfolder="unet")
    peft = PeftModel.from_pretrained(unet, artifact.path).eval()
    inputs = torch.randn(1, 4, 8, 8, generator=generator()), torch.tensor([500]), torch.randn(1, 3, 8)
    with torch.no_grad():
        theirs = peft(*inputs).sample
        ours = family._denoiser(*inputs).sample
    assert torch.allclose(ours, theirs, atol=1e-5)
    plain = UNet2DConditionModel.from_pretrained(pipelines("stable_diffusion"), subfolder="unet")
    with torch.no_grad():
        assert not torch.allclose(ours, plain(*inputs).sample, atol=1e-3)


def test_another_base_is_refused(adapted, pipelines, tmp_path):
    base = shutil.copytree(pipelines("stable_diffusion"), tmp_path / "base")
    load_artifact(base)
    artifact = save(adapted(), tmp_path / "foxes")
    load_artifact(base)
    assert load_artifact(artifact.path).family() is not None
    settings = base / "scheduler" / "scheduler_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"beta_end": 0.02}))
    with pytest.raises(IntegrityError, match="another pipeline"):
        load_artifact(artifact.path).family()
    shutil.rmtree(home() / "ledger")
    with pytest.raises(ArtifactError, match="not on this machine") as caught:
        load_artifact(artifact.path).family()
    assert "makar generate FOLDER" in caught.value.do


def test_a_forged_configuration_is_found(adapted):
    config = adapted().config
    with pytest.raises(IntegrityError, match="denoiser_weights"):
        build_family(config.changed(denoiser_weights=config.denoiser_weights + 1))


def test_a_pipeline_as_it_came_learns_nothing(adapted, batch):
    with pytest.raises(UnsupportedError, match="nothing to learn"):
        adapted(rank=0).phases()
    with pytest.raises(UnsupportedError, match="learns nothing"):
        adapted(rank=0).validation_loss(batch, generator())


def test_forgotten_descriptions_change_the_loss(adapted, batch):
    losses = [
        float(adapted(strength=0.3, caption_dropout=share).phases()[0].loss(batch, generator()).value.detach())
        for share in (0.0, 1.0)
    ]
    assert losses[0] != losses[1]
