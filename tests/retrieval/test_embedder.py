"""An index knows whose vectors it has, and takes no others."""

import numpy as np
import pytest

from makar.errors import ArtifactError
from makar.retrieval.embedder import check_embedder, kept_under, note_embedder
from makar.retrieval.sqlite_index import SqliteIndex


@pytest.fixture
def index(tmp_path):
    """Return an index without vectors."""
    return SqliteIndex.create(tmp_path / "i.sqlite")


def test_another_name_is_another_embedder_unless_it_is_changed_on_purpose(index):
    check_embedder(index, "any 00")
    note_embedder(index, "finder 11")
    note_embedder(index, "finder 11")
    check_embedder(index, "finder 11")
    for refused in (lambda: check_embedder(index, "finder 22"), lambda: note_embedder(index, "finder 22")):
        with pytest.raises(ArtifactError, match="made by finder 11") as caught:
            refused()
        assert "--change-encoder" in caught.value.do
    note_embedder(index, "finder 22", is_changed=True)
    check_embedder(index, "finder 22")
    with pytest.raises(ArtifactError, match="made by finder 22"):
        check_embedder(index, "finder 11")


def test_an_endpoint_is_known_by_what_it_says_of_one_text(index):
    vector = np.random.default_rng(0).standard_normal(64)
    note_embedder(index, "openai:m 11", vector)
    first = kept_under(index, "openai:m 11")
    # It may round, and scale.
    check_embedder(index, "openai:m 11", 3 * np.round(vector, 2))
    check_embedder(index, "openai:m 11")
    with pytest.raises(ArtifactError, match="cosine"):
        check_embedder(index, "openai:m 11", np.random.default_rng(1).standard_normal(64))
    with pytest.raises(ArtifactError, match="32 numbers, and 64 before"):
        check_embedder(index, "openai:m 11", vector[:32])
    note_embedder(index, "openai:m 11", vector + 9, is_changed=True)
    assert first != kept_under(index, "openai:m 11") != "openai:m 11"
    # What was noted before by a model on this machine says nothing of an endpoint.
    note_embedder(index, "finder 11", is_changed=True)
    check_embedder(index, "finder 11", vector)
    assert kept_under(index, "finder 11") == "finder 11"
