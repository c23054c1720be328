"""Tacotron and VITS go through the verbs of speech: train on recordings with their words, speak, measured on held-out ones."""

import numpy as np
import pytest

import makar
from tests.cli.small_models import see
from tests.recipes.spoken_data import write_spoken

SETTINGS = {
    "tacotron": ["channels=16", "recurrent=16", "narrow=16", "later=16"],
    "vits": ["channels=16", "latent_channels=8", "couplings=2", "blocks=1", "judge_channels=2"],
}


@pytest.mark.parametrize("recipe", SETTINGS)
def test_a_text_is_spoken_and_the_voice_is_measured(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_spoken(tmp_path / "data", count=10)
    tiny = [word for text in SETTINGS[recipe] for word in ("--set", f"stages.0.family.{text}")]
    tiny += ["--set", "stages.0.codec.units=letters", "--set", "stages.0.optimisation.batch_size=4"]
    trained = see("train", "data", "--recipe", recipe, "--steps", "2", *tiny, "-o", "voice")
    assert 'makar generate voice "TEXT"' in trained.messages
    model = makar.load("voice")
    first, again, other = (model.generate("low high", seed=seed)[0] for seed in (1, 1, 2))
    assert first.content.wave == again.content.wave != other.content.wave
    assert first.manifest["edit"]["operation"] == "speak" and np.isfinite(first.content.samples).all()
    # How long a text is follows from its units and not from what was learned of their sound; a stop may only be earlier.
    (slow,) = model.generate("low high", seed=1, options={"speed": 0.5})
    assert slow.content.seconds >= first.content.seconds
    assert "no text" in see("generate", "voice", code=2).messages
    report = see("evaluate", "voice", "--samples", "1", "-o", "report", "--json").values
    score = report["scores"]["loudness_difference"]
    assert score["value"] > score["baselines"]["usual sound of each unit"]["value"] > 0
    (page,) = (tmp_path / "report").rglob("*.html")
    assert "data:audio/wav;base64," in page.read_text(encoding="utf-8")
