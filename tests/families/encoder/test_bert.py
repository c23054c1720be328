"""The encoder that finds hidden words: equal to transformers' ModernBERT, and what it hides."""

import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.codecs.text_config import BpeCodecConfig
from makar.data.record import Record
from makar.errors import TensorMismatchError, UsageError
from makar.families.encoder.bert_config import BertConfig
from makar.families.family import build_family
from makar.tensor_spec import TARGET
from tests.families.encoder.test_classifier import classifier

TEXT = "the cat sat on the mat and the dog sat on the log " * 3


def bert(**settings):
    record = Record(id="", medium="text", content=TEXT, document="", source="", split="train")
    codec = fit_codec(BpeCodecConfig(vocabulary_size=275), iter([record]))
    config = BertConfig(**{"width": 16, "heads": 2, "depth": 2, "length": 12, **settings}).bound_to(codec.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return codec, family.eval()


def test_transformers_opens_it_and_says_the_same(tmp_path):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import save_file

    codec, family = bert()
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    weights = {name: value.clone() for name, value in family.tensors().items()}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    other = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    rows = torch.from_numpy(codec.encode_text(TEXT)[:10])[None]
    rows[0, 3] = tokenizer.mask_token_id
    with torch.no_grad():
        assert torch.allclose(family.network(rows), other(input_ids=rows).logits, atol=1e-4)
    assert tokenizer.mask_token_id == family.config.mask_token


def test_what_is_hidden_follows_the_shares():
    _, family = bert(mask_share=0.4)
    tokens = torch.full((400, 50), 7)
    read, chosen = family.hidden(tokens, torch.Generator().manual_seed(0))
    assert abs(chosen.float().mean().item() - 0.4) < 0.01
    assert abs((read == family.config.mask_token).float().mean().item() - 0.4 * 0.8) < 0.01
    assert bool((read[~chosen] == 7).all())
    assert 0.02 < ((read != 7) & (read != family.config.mask_token)).float().mean().item() < 0.05


def test_one_token_at_least_is_hidden():
    _, family = bert(mask_share=0.01)
    for seed in range(5):
        assert family.hidden(torch.full((1, 4), 7), torch.Generator().manual_seed(seed))[1].any()


def test_it_learns_a_text_and_finds_hidden_words():
    codec, family = bert(dropout=0.0)
    family.initialise(torch.Generator().manual_seed(0))
    tokens = torch.from_numpy(codec.encode_text(" " + TEXT)).long()
    windows = torch.stack([tokens[start : start + 13] for start in range(0, len(tokens) - 13, 3)])
    (phase,) = family.phases()
    optimiser = torch.optim.Adam(family.parameters(), lr=0.01)
    for step in range(150):
        optimiser.zero_grad()
        phase.loss({TARGET: windows}, torch.Generator().manual_seed(step)).value.backward()
        optimiser.step()
    family.eval()
    (found,) = family.read_text("the cat [MASK] on the mat", codec, query=None)["words"]
    assert max(found, key=lambda word: found[word]) == "sat"


@pytest.mark.parametrize("text", ["no hidden word", "", "[MASK] " + "long " * 40])
def test_texts_without_hidden_words_and_long_ones_are_refused(text):
    codec, family = bert()
    with pytest.raises(UsageError):
        family.read_text(text, codec, query=None)


def test_a_classifier_begins_with_its_encoder_and_with_no_other():
    _, parent = bert(length=12)
    _, child = classifier(readers=2)
    child.config = child.config.changed(vocabulary=parent.config.vocabulary)
    fitting = build_family(child.config)
    fitting.attach(parent)
    fitting.begin(torch.Generator().manual_seed(0), [])
    for reader in (fitting.network, *fitting.network.further):
        for name, value in parent.network.encoder.state_dict().items():
            assert torch.equal(reader.encoder.state_dict()[name], value)
    wrong = build_family(child.config.changed(width=32))
    wrong.attach(parent)
    with pytest.raises(TensorMismatchError, match="sizes"):
        wrong.begin(torch.Generator().manual_seed(0), [])


def test_how_surprising_a_text_is_is_the_sum_over_its_tokens_each_hidden_alone():
    codec, family = bert()
    text, start = "the cat sat on", len("the cat")
    ids, places = codec.encode_places(" " + text)
    expected = 0.0
    for number, (_, after) in enumerate(places):
        if after - 1 > start:
            row = torch.tensor([ids])
            row[0, number] = family.config.mask_token
            with torch.no_grad():
                shares = family.network(row)[0, number, : family.config.vocabulary].log_softmax(-1)
            expected -= float(shares[ids[number]])
    assert family.masked_nats(text, codec, start=start, end=len(text)) == pytest.approx(expected, abs=1e-4)
    # A text that is longer than what is read at once is read by its end.
    longer = "and the dog sat on the log " * 4 + text
    found = family.masked_nats(longer, codec, start=len(longer) - 3, end=len(longer))
    assert found == pytest.approx(
        family.masked_nats(longer[60:], codec, start=len(longer) - 63, end=len(longer) - 60), abs=1e-4
    )
    with pytest.raises(UsageError):
        family.masked_nats(longer, codec, start=0, end=len(longer))
    with pytest.raises(UsageError):
        family.masked_nats(text, codec, start=len(text), end=len(text))
