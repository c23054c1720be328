"""The encoder that tells classes: equal to transformers' ModernBERT, blind to padding, and calibrated."""

import json

import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.codecs.labelled_text_config import LabelledTextCodecConfig
from makar.errors import UnsupportedError, UsageError
from makar.families.encoder.classifier_config import ClassifierConfig
from makar.families.family import build_family
from makar.nn.token_grams import TokenGrams, gram_rows
from makar.tensor_spec import CLASS, TARGET
from tests.codecs.test_labelled_text import ROWS

TINY = {"width": 16, "heads": 2, "depth": 2, "length": 12, "gram_rows": 64}


def classifier(**settings):
    codec = fit_codec(LabelledTextCodecConfig(vocabulary_size=270, length=12), iter(ROWS))
    config = ClassifierConfig(**{**TINY, **settings}).bound_to(codec.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return codec, family.eval()


def test_transformers_opens_it_and_says_the_same(tmp_path):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import save_file

    codec, family = classifier(grams=0)
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    weights = {name: value for name, value in family.tensors().items() if name not in ("temperature", "gram_share")}
    save_file(
        {name: value.clone() for name, value in weights.items()}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    other = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert other.config.id2label == {0: "neg", 1: "pos"}
    rows = torch.tensor([codec.rows.row(codec.rows.tokens(text)).tolist() for text in ("a good film", "bad")])
    with torch.no_grad():
        theirs = other(input_ids=rows, attention_mask=(rows != family.config.padding_token).long()).logits
        (ours,) = family.network.votes(rows)
    assert torch.allclose(ours, theirs, atol=1e-4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer(" a good film")["input_ids"] == codec.rows.tokens("a good film").tolist()
    assert (tokenizer.mask_token_id, tokenizer.pad_token_id) == (family.config.mask_token, family.config.padding_token)


def test_padding_changes_nothing():
    codec, family = classifier()
    row = torch.from_numpy(codec.windows("a good film"))
    longer = torch.cat([row, torch.full((1, 5), family.config.padding_token)], 1)
    for short, long in zip(family.network.votes(row[:, :6]), family.network.votes(longer), strict=True):
        assert torch.allclose(short, long, atol=1e-5)


def test_runs_of_tokens_are_told_apart_and_stop_at_padding():
    tokens = torch.tensor([[5, 6, 7], [6, 5, 7], [5, 6, 0]])
    exists = torch.tensor([[True, True, True], [True, True, True], [True, True, False]])
    rows = gram_rows(tokens, exists, longest=2, rows=1 << 20)
    assert rows.shape == (3, 5)
    assert rows[0, 0] == rows[1, 1] and rows[0, 3] != rows[1, 3] and rows[0, 3] == rows[2, 3]
    assert rows[2, 2] == 0 and rows[2, 4] == 0 and int(rows.min()) >= 0


def test_a_text_said_twice_over_says_no_less():
    grams = TokenGrams(rows=100, outputs=2, longest=1, dropout=0.0)
    torch.nn.init.ones_(grams.table)
    once, twice = (grams(torch.ones(1, n, dtype=torch.int64), torch.ones(1, n, dtype=torch.bool)) for n in (4, 8))
    assert once[0, 0].item() == pytest.approx(2.0) and twice[0, 0].item() == pytest.approx(8**0.5)


def test_readers_and_table_vote_by_share():
    _, family = classifier(readers=3)
    tokens = torch.randint(0, 260, (4, 6), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        votes = family.network.votes(tokens)
        assert len(votes) == 4 and not torch.allclose(votes[0], votes[1])
        for share in (0.0, 0.25, 1.0):
            expected = (1 - share) * sum(votes[:3]) / 3 + share * votes[3]
            assert torch.allclose(family.network.mixed(votes, share), expected, atol=1e-6)


def test_the_table_learns_at_the_rate_that_gram_rate_says():
    (phase,) = classifier(gram_rate=7.0)[1].phases()
    assert [group.learning_rate_scale for group in phase.groups] == [1.0, 1.0, 7.0]


def test_calibration_finds_the_temperature_and_moves_no_decision():
    _, family = classifier(grams=0)
    draw = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, 260, (256, 8), generator=draw)
    with torch.no_grad():
        for last in (family.network.head.classifier.weight, family.network.head.constants):
            last.mul_(4.0 / family.network.votes(tokens)[0].std())
        logits = family.network.votes(tokens)[0]
    # Labels as a judge three times less sure would give them.
    right = torch.multinomial((logits / 3).softmax(-1), 1, generator=draw)[:, 0]
    before = family.probabilities(tokens)
    family.calibrate([{TARGET: tokens, CLASS: right}])
    assert 2.2 < float(family.temperature) < 4.2
    assert torch.equal(before.argmax(1), family.probabilities(tokens).argmax(1))
    family.calibrate([])


def test_a_text_of_no_known_class_teaches_nothing():
    _, family = classifier()
    batch = {TARGET: torch.randint(0, 260, (3, 8)), CLASS: torch.full((3,), 2)}
    assert float(family.validation_loss(batch, torch.Generator()).value) == 0.0


def test_questions_empty_texts_and_writing_are_refused():
    codec, family = classifier()
    with pytest.raises(UsageError):
        family.read_text("a film", codec, query="which?")
    with pytest.raises(UsageError):
        family.read_text("  ", codec, query=None)
    with pytest.raises(UnsupportedError, match="text"):
        list(family.sampler(codec).sample(family.options(), [{}], [0]))


def test_a_long_text_is_read_whole_and_it_is_said():
    codec, family = classifier()
    said = family.read_text("a good film " * 20, codec, query=None)
    assert said["windows"] > 1 and sum(said["probabilities"].values()) == pytest.approx(1.0)
    assert "windows" not in family.read_text("a film", codec, query=None)
    json.dumps(said)
