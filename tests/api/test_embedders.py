"""Indexes whose vectors come from sentence encoders of others and from an endpoint that runs: what is found, remembered and refused."""

import contextlib
import json
import shutil
import sqlite3

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers", reason="the extra transformers is not installed")
pytest.importorskip("openai", reason="the extra remote is not installed")

from makar.api import knowledge
from makar.api.model import load
from makar.errors import ArtifactError, RemoteError, UnsupportedError, UsageError
from makar.families.pretrained.opening import quiet
from makar.retrieval.embedder import MADE_BY, kept_under
from makar.retrieval.sqlite_index import SqliteIndex
from tests.families.pretrained.tiny_checkpoints import save
from tests.serving.server import Server, request, until

QUESTION = "rain"
"""No word of it is in the documents: only vectors can find anything."""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Return the folder of a sentence encoder with prompts, inside the models folder of a home."""
    place = tmp_path_factory.mktemp("home") / "models" / "meaning"
    place.parent.mkdir()
    with quiet():
        save("headless", place)
    (place / "1_Pooling").mkdir()
    (place / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    prompts = {"prompts": {"query": "where ", "document": "the "}}
    (place / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return place


@pytest.fixture
def papers(tmp_path):
    """Return a folder with three documents."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for number, text in enumerate(("The fox lives in London.", "Anna was in the dark.", "Night, night?")):
        (folder / f"{number}.txt").write_text(text)
    return folder


def kept(index):
    """Return the vectors of an index by document."""
    with contextlib.closing(SqliteIndex.open(index)) as opened:
        numbers, vectors = opened.vectors(kept_under(opened, opened.about(MADE_BY)))
        return {
            stored.document: vector for stored, vector in zip(opened.stored(numbers.tolist()), vectors, strict=True)
        }


def test_a_sentence_encoder_finds_what_no_word_does_by_its_own_prompts(encoder, papers, tmp_path):
    index = tmp_path / "i.sqlite"
    assert knowledge.index(papers, index, encoder=encoder).embedded == 3
    hits = knowledge.search(QUESTION, index)
    assert len(hits) == 3 and all(hit.dense_place and hit.lexical_place is None for hit in hits)
    found = kept(index)
    # The title of a document is read with it; the prompts are those for what is looked through and for a question.
    (bare := tmp_path / "bare").mkdir()
    shutil.copytree(encoder, bare, dirs_exist_ok=True)
    (bare / "config_sentence_transformers.json").unlink()
    plain = load(bare)
    expected = plain.embed(["the 0\nThe fox lives in London."])[0]
    np.testing.assert_allclose(found["papers/0.txt"], expected, atol=1e-3)
    asked = plain.embed(["where " + QUESTION])[0]
    best = sorted(found, key=lambda name: -float(found[name] @ asked))
    assert [hit.stored.document for hit in hits] == best


def test_an_index_takes_no_vectors_of_another_encoder(encoder, papers, tmp_path):
    index, other = tmp_path / "i.sqlite", tmp_path / "other"
    shutil.copytree(encoder, other)
    knowledge.index(papers, index, encoder=other)
    with pytest.raises(ArtifactError, match="made by other"):
        knowledge.index(papers, index, encoder=encoder)
    assert knowledge.index(papers, index, encoder=encoder, change_encoder=True).embedded == 3
    knowledge.index(papers, index, encoder=other, change_encoder=True)
    # Trained on meanwhile, it is another one.
    tensors = load_file(other / "model.safetensors")
    name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
    save_file(tensors | {name: tensors[name] + 1}, other / "model.safetensors", metadata={"format": "pt"})
    for refused in (
        lambda: knowledge.ask("Where is Anna?", index),
        lambda: knowledge.index(papers, index),
        lambda: knowledge.search(QUESTION, index),
    ):
        with pytest.raises(ArtifactError, match="its encoder is now other"):
            refused()
    assert knowledge.index(papers, index, encoder=other, change_encoder=True).embedded == 3
    assert len(knowledge.search(QUESTION, index)) == 3
    with pytest.raises(UnsupportedError, match="address"):
        knowledge.index(papers, index, encoder=other, base_url="http://127.0.0.1:1/v1")
    with pytest.raises(UsageError, match="without an encoder"):
        knowledge.index(papers, index, change_encoder=True)


@pytest.mark.slow
@pytest.mark.loopback
@pytest.mark.timeout(600)
def test_an_endpoint_gives_the_vectors_and_is_known_by_them(encoder, papers, tmp_path):
    server, index, local = Server(encoder.parents[1]), tmp_path / "i.sqlite", tmp_path / "local.sqlite"
    try:
        address = server.address + "/v1"
        assert knowledge.index(papers, index, encoder="openai:meaning", base_url=address).embedded == 3
        assert knowledge.index(papers, index).embedded == 0
        (bare := tmp_path / "meaning").mkdir()
        shutil.copytree(encoder, bare, dirs_exist_ok=True)
        (bare / "config_sentence_transformers.json").unlink()
        knowledge.index(papers, local, encoder=bare)
        # Over the interface a text is neither a question nor what is looked through.
        theirs, ours = kept(index), kept(local)
        assert theirs.keys() == ours.keys()
        for name, vector in ours.items():
            np.testing.assert_allclose(theirs[name], vector, atol=2e-3)
        order = [hit.stored.document for hit in knowledge.search(QUESTION, index)]
        assert order == [hit.stored.document for hit in knowledge.search(QUESTION, local)] and len(order) == 3
        assert knowledge.ask("Where does the fox live?", index).is_found
        with contextlib.closing(sqlite3.connect(index)) as connection, connection:
            connection.execute(
                "update about set value = ? where name = 'vector of the probe'", (json.dumps([1.0] * 16),)
            )
        with pytest.raises(ArtifactError, match="something else of the same text"):
            knowledge.search(QUESTION, index)
        # Agreed to, and it turns out to be the very one that made them: no vector is made again.
        again = {"encoder": "openai:meaning", "base_url": address, "change_encoder": True}
        assert knowledge.index(papers, index, **again).embedded == 0 and len(knowledge.search(QUESTION, index)) == 3
        store_of_sentences(server)
    finally:
        assert server.stop() == 0
    with pytest.raises(RemoteError, match="cannot be reached"):
        knowledge.index(papers, tmp_path / "none.sqlite", encoder="openai:meaning", base_url=address)


@pytest.mark.slow
@pytest.mark.loopback
@pytest.mark.timeout(600)
def test_a_server_hands_on_the_vectors_of_an_endpoint(encoder, tmp_path):
    behind = Server(encoder.parents[1])
    front = Server(tmp_path, "openai:meaning", "--base-url", behind.address + "/v1")
    try:
        found = []
        for server in (behind, front):
            status, _, content = request(
                server.address, "/v1/embeddings", {"model": "meaning", "input": ["rain", "fox"]}
            )
            assert status == 200, content
            found.append(json.loads(content))
        own, handed_on = ([row["embedding"] for row in one["data"]] for one in found)
        np.testing.assert_allclose(own, handed_on, atol=1e-6)
        assert found[0]["usage"] == found[1]["usage"]
    finally:
        assert front.stop() == 0 and behind.stop() == 0


def store_of_sentences(server):
    """Search a vector store of the server by the sentence encoder."""

    def asked(path, body=None):
        status, _, content = request(server.address, path, body)
        assert status == 200, content
        return json.loads(content)

    body = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--x\r\n'
    body += (
        b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nThe fox lives in London.\r\n--x--\r\n'
    )
    status, _, content = request(
        server.address, "/v1/files", body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert status == 200, content
    store = asked("/v1/vector_stores", {"embedding_model": "meaning", "file_ids": [json.loads(content)["id"]]})
    until(lambda: asked(f"/v1/vector_stores/{store['id']}")["status"] == "completed", seconds=120)
    (found,) = asked(f"/v1/vector_stores/{store['id']}/search", {"query": QUESTION})["data"]
    assert found["filename"] == "a.txt"
