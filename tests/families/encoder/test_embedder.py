"""The encoder that makes vectors: the loss against its closed form, parts of documents, weights of tokens, and transformers."""

import numpy as np
import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.codecs.similar_text_config import TEXT, SimilarTextCodecConfig
from makar.data.record import Record
from makar.errors import ConfigError
from makar.families.encoder.embedder import contrast
from makar.families.encoder.embedder_config import EmbedderConfig
from makar.families.encoder.views import crops, longest_pieces
from makar.families.family import build_family
from makar.tensor_spec import SCORE, SOURCE, TARGET

TINY = {"width": 16, "heads": 2, "depth": 1}


def pair(first, second, similarity=1.0):
    roles = {"first": first, "second": second, "similarity": similarity}
    return Record(id="", medium="text", content=first, document="", source="", split="train", roles=roles)


ROWS = [pair("a red fox", "the fox is red"), pair("a blue hat", "the hat is blue"), pair("one dog", "a dog alone")]


def embedder(rows=ROWS, **settings):
    codec = fit_codec(SimilarTextCodecConfig(vocabulary_size=280), iter(rows))
    config = EmbedderConfig(**{**TINY, **settings}).bound_to(codec.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    return codec, family.eval()


def batch(codec, rows=ROWS):
    made = [codec.encode(one) for one in rows]
    return {
        name: torch.tensor(np.stack([one[name] for one in made]).astype("float32" if name == SCORE else "int64"))
        for name in made[0]
    }


def test_the_loss_is_that_of_telling_each_from_all_others():
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    nothing, all_ = torch.zeros(2, 2, dtype=torch.bool), torch.ones(2)
    rows = [-torch.log_softmax(logits[number], 0)[number] for number in (0, 1)]
    columns = [-torch.log_softmax(logits[:, number], 0)[number] for number in (0, 1)]
    assert float(contrast(logits, nothing, all_)) == pytest.approx(float(sum(rows) + sum(columns)) / 4)
    # A pair that is not alike does not count, and one that says the same as another cannot be told from it.
    assert float(contrast(logits, nothing, torch.tensor([1.0, 0.0]))) == pytest.approx(float(rows[0] + columns[0]) / 2)
    assert float(contrast(logits, ~nothing, all_)) == pytest.approx(0.0, abs=1e-6)


def test_pairs_that_say_the_same_do_not_drive_each_other_apart():
    codec, family = embedder()
    twice = batch(codec, [ROWS[0], ROWS[0]])
    assert float(family.validation_loss(twice, torch.Generator()).value) == pytest.approx(0.0, abs=1e-5)


def test_it_learns_a_few_pairs_by_heart():
    codec, family = embedder(dropout=0.0, token_dropout=0.0)
    given, (phase,) = batch(codec), family.phases()
    optimiser = torch.optim.Adam(family.parameters(), lr=0.01)
    for step in range(60):
        optimiser.zero_grad()
        phase.loss(given, torch.Generator().manual_seed(step)).value.backward()
        optimiser.step()
    first, second = family.vectors(given[SOURCE]), family.vectors(given[TARGET])
    assert (first @ second.T).argmax(1).tolist() == [0, 1, 2]
    assert torch.allclose(first.norm(dim=1), torch.ones(3), atol=1e-5)


def test_rare_tokens_weigh_more_from_the_start():
    codec, family = embedder()
    family.initialise_from_data([batch(codec)])
    weights = family.network.weights.detach().exp()
    common, rare = (int(codec.rows.tokens(word)[0]) for word in ("the", "one"))
    assert weights[common] < weights[rare] <= 1.0 and float(weights[family.config.padding_token]) == 1.0


def test_padding_changes_nothing_and_transformers_reads_the_same(tmp_path):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import save_file

    codec, family = embedder(weighted=False)
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    weights = {name: value.clone() for name, value in family.tensors().items()}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    other = transformers.AutoModel.from_pretrained(tmp_path).eval()
    given = batch(codec)[TARGET]
    exists = given != family.config.padding_token
    with torch.no_grad():
        stream = other(input_ids=given, attention_mask=exists.long()).last_hidden_state
    theirs = torch.nn.functional.normalize((stream * exists[..., None]).sum(1), dim=-1)
    assert torch.allclose(family.vectors(given), theirs, atol=1e-4)
    longer = torch.cat([given, torch.full((3, 5), family.config.padding_token)], 1)
    assert torch.allclose(family.network(longer), family.vectors(given), atol=1e-5)
    assert embedder()[1].files(codec) == {}


def test_parts_lie_within_one_document_of_a_window():
    end, padding = 0, 99
    windows = torch.tensor([[5, 6, 0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0] * 10])
    pieces = longest_pieces(windows, end)
    assert pieces.tolist() == [[3, 7], [0, 10], [0, 1]]
    assert longest_pieces(windows, None).tolist() == [[0, 10]] * 3
    for seed in range(20):
        draws = torch.rand((3, 2), generator=torch.Generator().manual_seed(seed))
        made = crops(windows, pieces, draws, longest=4, least=0.3, padding=padding)
        for row, (start, size), whole in zip(made.tolist(), pieces.tolist(), windows.tolist()):
            kept = [token for token in row if token != padding]
            assert min(2, size) <= len(kept) <= max(2, size // 2) and str(kept)[1:-1] in str(
                whole[start : start + size]
            )
    most = crops(windows, pieces, torch.ones(3, 2), longest=4, least=0.3, padding=padding)
    assert most[1].tolist() == [7, 8, 9, 10]


def test_any_text_is_learned_from_its_own_parts():
    text = Record(id="", medium="text", content="a red fox ran. " * 20, document="", source="", split="train")
    codec = fit_codec(SimilarTextCodecConfig(vocabulary_size=280).for_task(""), iter([text]))
    assert codec.config.learns == TEXT and set(codec.spec.slots) == {TARGET}
    config = EmbedderConfig(**TINY, length=8).bound_to(codec.spec)
    assert (config.batching, config.window_length) == ("windows", 16)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    family.know(codec)
    assert family.end_token == codec.end_token
    stream = torch.from_numpy(codec.encode(text)[TARGET].astype("int64"))[:34].view(2, 17)
    (phase,) = family.phases()
    assert float(phase.loss({TARGET: stream}, torch.Generator().manual_seed(1)).value.detach()) > 0.0


@pytest.mark.parametrize(("scores", "shares"), [((0.0, 2.5, 5.0), [0.0, 0.5, 1.0]), ((1.0, 1.0, 1.0), [1.0, 1.0, 1.0])])
def test_scores_become_shares_of_their_range(scores, shares):
    rows = [pair("a", "b", score) for score in scores]
    codec = fit_codec(SimilarTextCodecConfig(vocabulary_size=280), iter(rows))
    assert [float(codec.encode(one)[SCORE]) for one in rows] == shares and codec.has_scores == (len(set(scores)) > 1)


def test_rows_without_two_texts_are_refused():
    with pytest.raises(ConfigError, match="two texts"):
        fit_codec(
            SimilarTextCodecConfig(),
            iter([Record(id="", medium="text", content="a", document="", source="", split="train")]),
        )
