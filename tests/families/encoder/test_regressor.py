"""The encoder that gives texts numbers: in the unit of the data, equal to transformers' ModernBERT, and what cannot be learned from."""

import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.codecs.graded_text_config import GradedTextCodecConfig
from makar.data.record import Record
from makar.errors import ConfigError, UsageError
from makar.families.encoder.regressor_config import RegressorConfig
from makar.families.family import build_family
from makar.tensor_spec import SCORE, TARGET


def row(text, score):
    roles = {"text": text, "score": score}
    return Record(id="", medium="text", content=text, document="", source="", split="train", roles=roles)


ROWS = [row("a bad film", 1000.0), row("a good film", 1005.0), row("a fair film", 1003.0), row("a film", 1002.0)]


def regressor(**settings):
    codec = fit_codec(GradedTextCodecConfig(vocabulary_size=280, length=12), iter(ROWS))
    config = RegressorConfig(**{"width": 16, "heads": 2, "depth": 1, "gram_rows": 64, **settings}).bound_to(codec.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    return codec, family.eval()


def batch(codec):
    made = [codec.encode(one) for one in ROWS]
    return {
        TARGET: torch.tensor([one[TARGET].tolist() for one in made]),
        SCORE: torch.tensor([float(one[SCORE]) for one in made]),
    }


def test_numbers_are_learned_as_deviations_and_said_in_the_unit_of_the_data():
    codec, family = regressor()
    given = batch(codec)
    assert float(given[SCORE].mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(given[SCORE].square().mean()) == pytest.approx(1.0, abs=1e-5)
    # Fresh heads and tables say zero, which is the mean.
    assert family.read_text("a film", codec, query=None) == {"score": 1002.5}
    assert float(family.validation_loss(given, torch.Generator()).value) == pytest.approx(1.0, abs=1e-5)


def test_it_learns_a_few_by_heart():
    codec, family = regressor(dropout=0.0, token_dropout=0.0)
    given, (phase,) = batch(codec), family.phases()
    optimiser = torch.optim.Adam(family.parameters(), lr=0.02)
    for step in range(60):
        optimiser.zero_grad()
        phase.loss(given, torch.Generator().manual_seed(step)).value.backward()
        optimiser.step()
    family.calibrate([given])
    for one in ROWS:
        assert family.read_text(one.content, codec, query=None)["score"] == pytest.approx(one.roles["score"], abs=0.7)
    assert family.read_text("a good film " * 9, codec, query=None)["windows"] > 1


def test_transformers_opens_it_and_says_the_same(tmp_path):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import save_file

    codec, family = regressor(grams=0)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    weights = {name: value.clone() for name, value in family.tensors().items() if name != "gram_share"}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    other = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    given = batch(codec)[TARGET]
    with torch.no_grad():
        theirs = other(input_ids=given, attention_mask=(given != family.config.padding_token).long()).logits
    assert theirs.shape == (4, 1) and torch.allclose(family.said(given), theirs, atol=1e-4)
    assert regressor()[1].files(codec) == {}


@pytest.mark.parametrize("rows", [[], [row("a", 3.0), row("b", 3.0)], [row("a", float("inf")), row("b", 1.0)]])
def test_texts_without_numbers_that_differ_are_refused(rows):
    with pytest.raises(ConfigError):
        fit_codec(GradedTextCodecConfig(vocabulary_size=280), iter(rows))


@pytest.mark.parametrize(("text", "query"), [(" ", None), ("a film", "how many?")])
def test_empty_texts_and_questions_are_refused(text, query):
    codec, family = regressor()
    with pytest.raises(UsageError):
        family.read_text(text, codec, query=query)
