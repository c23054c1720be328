"""The built-in speech goes through the verbs: Tacotron learns it with the times of its phones, which nobody searches for."""

import shutil

import pytest

import makar
from tests.cli.small_models import see

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="the program flite is not installed")
SOURCE = "builtin:spoken:sentences=20"
TINY = ["channels=16", "recurrent=16", "narrow=16", "later=16"]


def test_tacotron_learns_from_times_that_are_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = [word for text in TINY for word in ("--set", f"stages.0.family.{text}")]
    trained = see("train", SOURCE, "--recipe", "tacotron", "--steps", "2", *tiny, "-o", "voice")
    assert "recordings came with times: when what is spoken in them was not searched for" in trained.messages
    assert makar.load("voice").generate("bin blue at alpha one now", seed=1)[0].content.seconds > 0.5
    searched = ["--set", "stages.0.codec.use_times=false"]
    without = see("train", SOURCE, "--recipe", "tacotron", "--steps", "2", *tiny, *searched, "-o", "other")
    assert "came with times" not in without.messages
