"""Other people's clients against a real server: every call that they have for what is offered here."""

import openai
import pytest

from makar.families.diffusion.config import DiffusionConfig
from tests.clients.environment import CLIENTS, needs, said
from tests.families.encoder.test_embedder import embedder
from tests.generation.test_edit import saved
from tests.serving.server import Server, talker
from tests.serving.test_images_and_files import saved_text

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.timeout(1500), needs(CLIENTS)]

CALLS = {
    "openai_calls.py": 18,
    "langchain_calls.py": 10,
    "llama_index_calls.py": 5,
    "litellm_calls.py": 7,
    "instructor_calls.py": 3,
    "llm_calls.py": 5,
}
"""Scripts and how many calls each makes."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of small models."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker")
        saved(folder / "models" / "painter", DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8))
        saved_text(folder / "models" / "finder", *embedder())
    running = Server(folder)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


@pytest.mark.parametrize("script, count", CALLS.items())
def test_every_call_of_a_client_works(server, script, count):
    made = said(script, server.address, seconds=1400)
    assert len(made["calls"]) == count, made["calls"]
    if "version" in made:
        # The client of OpenAI there is of the other major.
        assert made["version"].partition(".")[0] != openai.__version__.partition(".")[0]
