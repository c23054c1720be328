"""Sentence encoders of others: what is pooled is what a formula says, long texts are read whole, and what is not known is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch.nn import functional

import makar
from makar.errors import ArtifactError, UnsupportedError
from makar.families.pretrained.opening import quiet
from makar.families.pretrained.sentence_layout import POOLINGS
from makar.generation.embed import embed
from tests.families.pretrained.tiny_checkpoints import WIDTH

TEXTS = ["the fox was in london", "rain", "anna lives where the dark night was in london . the fox"]
TRANSFORMER = "sentence_transformers.models.Transformer"
POOLING = "sentence_transformers.models.Pooling"


def hidden(folder, texts, kind=transformers.AutoModel):
    """Return what the network of a folder says of the tokens of texts, and which of them are there, as transformers has it."""
    with quiet():
        network = kind.from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = tokenizer(texts, return_tensors="pt", padding=len(texts) > 1)
    with torch.no_grad():
        return network(**given).last_hidden_state, given["attention_mask"]


def by_formula(name, stream, mask):
    """Return vectors of texts one by one, without padding."""
    found = []
    for row, marks in zip(stream, mask, strict=True):
        own = row[: int(marks.sum())]
        place = torch.arange(1, len(own) + 1)[:, None]
        found.append(
            {
                "cls": own[0],
                "lasttoken": own[-1],
                "max": own.amax(0),
                "mean": own.mean(0),
                "mean_sqrt_len_tokens": own.sum(0) / len(own) ** 0.5,
                "weightedmean": (own * place).sum(0) / place.sum(),
            }[name]
        )
    return torch.stack(found)


@pytest.fixture
def sentences(checkpoints, tmp_path):
    """Return a function that makes the folder of a sentence encoder as sentence-transformers saves it."""

    def made(*modules, base="headless", pooling=None, more=None, tokens=None):
        folder = tmp_path / "meaning"
        shutil.copytree(checkpoints(base), folder)
        places = ["", *(f"{number}_{kind.rpartition('.')[2]}" for number, kind in enumerate(modules, 1))]
        listed = [
            {"idx": number, "name": str(number), "path": place, "type": kind}
            for number, (kind, place) in enumerate(zip((TRANSFORMER, *modules), places, strict=True))
        ]
        (folder / "modules.json").write_text(json.dumps(listed))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling or {"pooling_mode_mean_tokens": True}))
        for name, values in (("config_sentence_transformers.json", more), ("sentence_bert_config.json", tokens)):
            if values is not None:
                (folder / name).write_text(json.dumps(values))
        return folder

    return made


def add_layer(folder, place, *, outputs=4, activation="torch.nn.modules.activation.Tanh"):
    """Put a layer with weights into a folder and return weights and bias."""
    generator = torch.Generator().manual_seed(3)
    weight, bias = torch.randn(outputs, WIDTH, generator=generator), torch.randn(outputs, generator=generator)
    (folder / place).mkdir()
    settings = {"in_features": WIDTH, "out_features": outputs, "bias": True, "activation_function": activation}
    (folder / place / "config.json").write_text(json.dumps(settings))
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / place / "model.safetensors")
    return weight, bias


@pytest.mark.parametrize("stated", POOLINGS)
def test_every_way_of_pooling_is_its_formula(stated, sentences, checkpoints):
    folder = sentences(POOLING, pooling={"word_embedding_dimension": WIDTH, stated: True})
    expected = functional.normalize(by_formula(POOLINGS[stated], *hidden(checkpoints("headless"), TEXTS)), dim=1)
    np.testing.assert_allclose(makar.load(folder).embed(TEXTS), expected.numpy(), atol=1e-6)


def test_several_poolings_stand_behind_one_another_and_newer_folders_name_them(sentences, checkpoints):
    folder = sentences(POOLING, pooling={"embedding_dimension": WIDTH, "pooling_mode": ["cls", "mean"]})
    stream, mask = hidden(checkpoints("headless"), TEXTS)
    both = torch.cat([by_formula(name, stream, mask) for name in ("cls", "mean")], 1)
    found = makar.load(folder).embed(TEXTS)
    assert found.shape == (3, 2 * WIDTH)
    np.testing.assert_allclose(found, functional.normalize(both, dim=1).numpy(), atol=1e-6)


def test_a_layer_behind_it_is_applied_and_the_vector_is_cut_where_the_folder_says_so(sentences, checkpoints):
    normalize = "sentence_transformers.models.Normalize"
    folder = sentences(POOLING, "sentence_transformers.models.Dense", normalize, more={"truncate_dim": 3})
    weight, bias = add_layer(folder, "2_Dense")
    pooled = by_formula("mean", *hidden(checkpoints("headless"), TEXTS))
    expected = functional.normalize(torch.tanh(pooled @ weight.T + bias)[:, :3], dim=1)
    model = makar.load(folder)
    np.testing.assert_allclose(model.embed(TEXTS), expected.numpy(), atol=1e-6)
    assert model.artifact.family_config.width == 3
    # Other weights of the layer are another model, although the network is the same.
    before = model.hash
    add = torch.zeros(4)
    save_file({"linear.weight": weight + 1, "linear.bias": bias + add}, folder / "2_Dense" / "model.safetensors")
    assert makar.load(folder).hash != before


def test_a_plain_encoder_gives_the_mean_and_one_with_a_head_stays_what_it_is(checkpoints):
    model = makar.load(checkpoints("headless"))
    expected = functional.normalize(by_formula("mean", *hidden(checkpoints("headless"), TEXTS)), dim=1)
    np.testing.assert_allclose(model.embed(TEXTS), expected.numpy(), atol=1e-6)
    rows = model.predict(TEXTS, query="the fox")
    assert rows[0]["what"] == "similarity" and rows[0]["similarity"] >= rows[1]["similarity"]
    with pytest.raises(UnsupportedError, match="makes no vectors"):
        makar.load(checkpoints("masked")).embed(TEXTS)


@pytest.mark.parametrize("base", ["masked", "t5", "gpt2"])
def test_whatever_head_a_sentence_encoder_names_its_network_is_opened_without(base, sentences, checkpoints):
    folder = sentences(POOLING, base=base)
    kind = transformers.T5EncoderModel if base == "t5" else transformers.AutoModel
    for text in TEXTS[:2]:
        expected = functional.normalize(by_formula("mean", *hidden(checkpoints(base), [text], kind)), dim=1)
        np.testing.assert_allclose(makar.load(folder).embed([text]), expected.numpy(), atol=1e-5)


def test_what_is_longer_than_is_read_at_once_is_the_mean_of_windows(sentences):
    folder = sentences(POOLING, tokens={"max_seq_length": 8, "do_lower_case": False})
    model = makar.load(folder)
    made = embed(model.artifact, ["the fox was in london", "the fox " * 10])
    # Eight tokens with what stands around them: six of the text, three further on each time.
    assert made.windows.tolist() == [1, 6] and model.artifact.family_config.context == 8
    halves = embed(model.artifact, ["the fox the fox the fox", "fox the fox the fox the"]).values
    mean = halves[[0, 1, 0, 1, 0]].sum(0) + embed(model.artifact, ["fox the fox the fox"]).values[0]
    np.testing.assert_allclose(made.values[1], mean / np.linalg.norm(mean), atol=1e-5)


def test_a_question_and_what_is_looked_through_are_read_with_their_prompts(sentences):
    prompts = {"query": "where does ", "passage": "the rain ", "other": "anna "}
    folder = sentences(POOLING, more={"prompts": prompts, "default_prompt_name": "other"})
    artifact = makar.load(folder).artifact
    plain = {
        purpose: embed(artifact, ["fox in london"], purpose=purpose).values
        for purpose in ("text", "question", "passage")
    }
    # Where a question has no prompt of its own, it has that of any text.
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"other": "anna "}, "default_prompt_name": "other"})
    )
    np.testing.assert_array_equal(
        embed(makar.load(folder).artifact, ["fox in london"], purpose="question").values, plain["text"]
    )
    (folder / "config_sentence_transformers.json").unlink()
    bare = makar.load(folder)
    for purpose, before in (("text", "anna "), ("question", "where does "), ("passage", "the rain ")):
        np.testing.assert_allclose(plain[purpose], bare.embed([before + "fox in london"]), atol=1e-6)
    assert bare.hash != artifact.hash, "prompts belong to what a model is"


@pytest.mark.parametrize(
    "change, error, words",
    [
        (lambda folder: {"type": "evil.Module"}, ArtifactError, "code of others"),
        (lambda folder: {"path": "../outside"}, ArtifactError, "folders inside"),
        (lambda folder: {"type": "sentence_transformers.models.LSTM"}, UnsupportedError, "LSTM"),
    ],
)
def test_modules_that_are_not_known_are_refused(change, error, words, sentences):
    folder = sentences(POOLING)
    listed = json.loads((folder / "modules.json").read_text())
    listed[1] |= change(folder)
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(error) as caught:
        makar.load(folder)
    assert words in str(caught.value)


def test_what_a_folder_lacks_or_does_otherwise_is_refused(sentences):
    folder = sentences(POOLING, "sentence_transformers.models.Dense")
    with pytest.raises(ArtifactError, match=r"no model.safetensors"):
        (folder / "2_Dense").mkdir()
        (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"x")
        makar.load(folder)
    shutil.rmtree(folder / "2_Dense")
    add_layer(folder, "2_Dense", activation="torch.nn.modules.rnn.LSTM")
    with pytest.raises(UnsupportedError, match="LSTM"):
        makar.load(folder)
    shutil.rmtree(folder / "2_Dense")
    add_layer(folder, "2_Dense")
    settings = json.loads((folder / "2_Dense" / "config.json").read_text())
    (folder / "2_Dense" / "config.json").write_text(json.dumps(settings | {"in_features": 5}))
    with pytest.raises(ArtifactError, match="takes 5 numbers"):
        makar.load(folder)
    (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"include_prompt": False}))
    with pytest.raises(UnsupportedError, match="prompts"):
        makar.load(folder)
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(ArtifactError, match="there is no"):
        makar.load(folder)


def test_texts_that_go_into_a_chat_template_first_are_refused(sentences):
    folder = sentences(POOLING, tokens={"modality_config": {"text": {}, "message": {}}})
    with pytest.raises(UnsupportedError, match="message"):
        makar.load(folder)
