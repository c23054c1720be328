"""Vectors from endpoints: in parts, in order, asked again where the endpoint is busy; what are no vectors is refused with what to do."""

import numpy as np
import pytest

pytest.importorskip("openai", reason="the extra remote is not installed")

from makar.api.model import load
from makar.errors import RemoteError, UsageError
from makar.families.remote import vectors
from makar.generation.embed import embed
from tests.families.remote import endpoint

pytestmark = pytest.mark.loopback


@pytest.fixture
def server():
    """Return a running endpoint."""
    running = endpoint.start()
    yield running
    running.ending.set()
    running.shutdown()
    running.server_close()


def given(server, name, texts):
    """Return what an endpoint gives for texts."""
    return embed(load(f"openai:{name}", base_url=server.url).artifact, texts)


def test_texts_go_out_in_parts_and_vectors_come_back_in_order(server, monkeypatch):
    monkeypatch.setattr(vectors, "MOST_CHARACTERS", 300)
    texts = [f"{'x' * (1 + number % 7)} word" for number in range(70)]
    made = given(server, "any", texts)
    expected = np.array([[len(text), len(text.split()[0]), 1.0] for text in texts])
    np.testing.assert_allclose(made.values, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-6)
    sizes = [len(body["input"]) for _, body, _ in server.asked]
    assert sum(sizes) == 70 and max(sizes) <= vectors.TOGETHER and len(sizes) > 70 / vectors.TOGETHER
    assert all(sum(map(len, body["input"])) <= 300 for _, body, _ in server.asked)
    assert made.tokens == 70 and all(body["encoding_format"] == "float" for _, body, _ in server.asked)


def test_a_busy_endpoint_is_asked_again_and_one_that_counts_no_tokens_is_taken_as_it_is(server):
    assert given(server, "busy-2", ["a fox"]).values.shape == (1, 3) and len(server.asked) == 3
    assert given(server, "silent", ["a fox"]).tokens == 0
    with pytest.raises(UsageError, match="empty"):
        given(server, "any", ["a fox", " "])


@pytest.mark.parametrize(
    "name, words",
    [
        ("few", "1 vectors for 2 texts"),
        ("uneven", "2 widths"),
        ("nested", "width"),
        ("zero", "zero or not finite"),
        ("words", "could not convert"),
        ("unknown", "no model"),
        ("chats", "does not support embeddings"),
    ],
)
def test_what_are_no_vectors_is_refused(name, words, server):
    with pytest.raises(RemoteError) as caught:
        given(server, name, ["a fox", "the red hat"])
    assert words in str(caught.value) and caught.value.do
