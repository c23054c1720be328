"""Checkpoints of sound behind the server: a Whisper writes down what a VITS says, with the official client."""

import io

import openai
import pytest

from tests.serving.server import Server

pytest.importorskip("transformers", reason="the extra transformers is not installed")

from makar.families.pretrained.checkpoint_settings import quiet_transformers
from tests.families.pretrained.tiny_sounds import save

pytestmark = [pytest.mark.loopback, pytest.mark.slow]


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    with quiet_transformers():
        save("whisper", folder / "models" / "listener")
        save("vits", folder / "models" / "voices", voices=2)
    running = Server(folder)
    with openai.OpenAI(base_url=running.address + "/v1", api_key="none", max_retries=0) as made:
        yield made.audio
    assert running.stop() == 0


def test_what_one_says_the_other_writes_down(audio):
    asked = {"model": "voices", "input": "the fox ran", "voice": "1", "extra_body": {"seed": 3}, "speed": 0.5}
    first, second = (audio.speech.create(**asked, response_format="wav").content for _ in range(2))
    assert first == second and first[:4] == b"RIFF"
    found = audio.transcriptions.create(
        file=io.BytesIO(first), model="listener", response_format="verbose_json", language="de"
    )
    guessed = audio.transcriptions.create(file=io.BytesIO(first), model="listener", response_format="verbose_json")
    assert found.language == "de" and guessed.language in ("de", "en", "gd") and found.duration > 0.05
    with pytest.raises(openai.BadRequestError, match="the language"):
        audio.transcriptions.create(file=io.BytesIO(first), model="listener", language="xx")
