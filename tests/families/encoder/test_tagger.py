"""The encoder that tags words: equal to transformers' ModernBERT, never an invalid sequence, and right places in a text."""

import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.codecs.tagged_text_config import TaggedTextCodecConfig
from makar.data.record import Record
from makar.errors import UsageError
from makar.families.encoder.tagger_config import TaggerConfig
from makar.families.family import build_family
from makar.tensor_spec import FEATURES, PLACES, TAGS, TARGET, mismatches


def row(words, tags):
    return Record(
        id="",
        medium="text",
        content=" ".join(words),
        document="",
        source="",
        split="train",
        roles={"tokens": tuple(words), "tags": tuple(tags)},
    )


ROWS = [
    row(["Ada", "Lovelace", "lived", "in", "London"], ["B-PER", "I-PER", "O", "O", "B-LOC"]),
    row(["London", "rain"], ["B-LOC", "O"]),
    row(["Ada", "ran"], ["B-PER", "O"]),
]


def tagger(rows=ROWS, **settings):
    codec = fit_codec(TaggedTextCodecConfig(vocabulary_size=280, length=40, words=10), iter(rows))
    config = TaggerConfig(width=16, heads=2, depth=1, **settings).bound_to(codec.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return codec, family.eval()


def batch(codec, rows=ROWS):
    made = [codec.encode(one) for one in rows]
    return {name: torch.stack([torch.from_numpy(one[name].astype("int64")) for one in made]) for name in made[0]}


def test_transformers_opens_it_and_says_the_same(tmp_path):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import save_file

    codec, family = tagger(features=False)
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    theirs_names = ("model.", "head.", "classifier.")
    weights = {name: value.clone() for name, value in family.tensors().items() if name.startswith(theirs_names)}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    other = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    given = batch(codec)
    with torch.no_grad():
        exists = given[TARGET] != family.config.padding_token
        theirs = other(input_ids=given[TARGET], attention_mask=exists.long()).logits
        ours = family.network.at_words(given[TARGET], given[PLACES])
    for number in range(len(ROWS)):
        places = given[PLACES][number][given[PLACES][number] > 0] - 1
        assert torch.allclose(ours[number, : len(places)], theirs[number, places], atol=1e-4)


def test_no_sequence_is_ever_invalid():
    codec, family = tagger()
    assert codec.tag_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    draw = torch.Generator().manual_seed(5)
    given = batch(codec)
    for _ in range(5):
        with torch.no_grad():
            for parameter in family.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=draw))
        for tags, places in zip(family.tags(given)[0].tolist(), given[PLACES], strict=True):
            before = "O"
            for number in tags[: int((places > 0).sum())]:
                name = codec.tag_names[number]
                assert not name.startswith("I-") or before[2:] == name[2:]
                before = name


def test_the_features_learn_at_the_rate_that_feature_rate_says():
    (phase,) = tagger(feature_rate=7.0)[1].phases()
    assert {group.learning_rate_scale for group in phase.groups} == {1.0, 7.0}


def test_rows_of_other_words_do_not_fit():
    codec, family = tagger()
    assert not mismatches(codec.spec, family.config.accepts())
    assert mismatches(codec.spec, family.config.changed(words=11).accepts())
    assert mismatches(codec.spec, family.config.changed(entities=False).accepts())


def test_it_learns_a_few_texts_by_heart_and_finds_their_entities():
    codec, family = tagger(token_dropout=0.0, dropout=0.0)
    family.initialise(torch.Generator().manual_seed(0))
    given, (phase,) = batch(codec), family.phases()
    optimiser = torch.optim.Adam([p for group in phase.groups for p in group.parameters], lr=0.02)
    family.train()
    for step in range(30):
        optimiser.zero_grad()
        phase.loss(given, torch.Generator().manual_seed(step)).value.backward()
        optimiser.step()
    family.eval().calibrate([given])
    text = "In London, Ada Lovelace ran."
    said = family.read_text(text, codec, query=None)
    assert [(one["kind"], one["text"]) for one in said["entities"]] == [("LOC", "London"), ("PER", "Ada Lovelace")]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in said["entities"])
    assert all(0 < one["probability"] <= 1 for one in said["entities"])


def test_long_texts_are_read_in_pieces_and_empty_ones_refused():
    codec, family = tagger()
    said = family.read_text("Ada ran in London . " * 8, codec, query=None)
    assert said["windows"] >= 4
    for text in ("", " \n "):
        with pytest.raises(UsageError):
            family.read_text(text, codec, query=None)
    with pytest.raises(UsageError):
        family.read_text("Ada", codec, query="who?")


def test_tags_that_mark_no_entities_are_said_word_by_word():
    rows = [row(["a", "dog"], ["DET", "NOUN"]), row(["runs"], ["VERB"])]
    codec, family = tagger(rows)
    assert not codec.marks_entities and not family.config.entities
    said = family.read_text("a dog runs", codec, query=None)["entities"]
    assert [one["text"] for one in said] == ["a", "dog", "runs"] and {one["tag"] for one in said} <= set(
        codec.tag_names
    )


def test_a_text_with_a_tag_that_was_not_learned_teaches_nothing():
    codec, family = tagger()
    given = batch(codec, [row(["Ada"], ["B-MISC"])])
    assert given[TAGS][0, 0] == len(codec.tag_names)
    assert float(family.validation_loss(given, torch.Generator()).value) == 0.0
    assert given[FEATURES].shape == (1, 10, 24)
