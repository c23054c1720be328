"""The encoder that finds answers: equal to ModernBERT of transformers, learns by heart, reads long passages, knows when there is none."""

import pytest
import torch

from makar.errors import UsageError
from makar.families.encoder.passage_windows import all_offsets, cut, drawn_offsets, room
from makar.families.encoder.span_finder_config import SpanFinderConfig
from makar.families.family import build_family
from makar.tensor_spec import SPAN, TARGET
from tests.codecs.test_question_text import PASSAGE, ROWS, codec, row


def finder(rows=ROWS, **settings):
    fitted = codec(rows)
    config = SpanFinderConfig(**{"width": 32, "heads": 2, "depth": 2, **settings}).bound_to(fitted.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    return fitted, family.eval()


def batch(fitted, rows=ROWS):
    made = [fitted.encode(one) for one in rows]
    return {name: torch.stack([torch.from_numpy(one[name].astype("int64")) for one in made]) for name in made[0]}


def taught(fitted, family, rows, *, steps=80):
    given, (phase,) = batch(fitted, rows), family.phases()
    optimiser = torch.optim.Adam(family.parameters(), lr=0.004)
    family.train()
    for step in range(steps):
        optimiser.zero_grad()
        phase.loss(given, torch.Generator().manual_seed(step)).value.backward()
        optimiser.step()
    return family.eval()


def test_transformers_opens_it_and_says_the_same(tmp_path):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import save_file

    fitted, family = finder(matches=False)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    for name, content in family.files(fitted).items():
        (tmp_path / name).write_bytes(content)
    weights = {name: value.clone() for name, value in family.tensors().items()}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    other = transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path).eval()
    given = batch(fitted)[TARGET]
    exists = given != family.config.padding_token
    with torch.no_grad():
        theirs, ours = other(input_ids=given, attention_mask=exists.long()), family.network(given, given < 0)
    assert torch.allclose(ours[..., 0][exists], theirs.start_logits[exists], atol=1e-4)
    assert torch.allclose(ours[..., 1][exists], theirs.end_logits[exists], atol=1e-4)


def test_words_of_the_question_are_marked_in_the_passage():
    fitted, family = finder()
    rows = batch(fitted)
    begin = rows[SPAN][:, 0] - 1
    windows = cut(
        rows[TARGET], begin, torch.zeros(3).long(), length=family.config.length, padding=family.config.padding_token
    )
    for tokens, shared, first in zip(windows.tokens.tolist(), windows.shared.tolist(), begin.tolist()):
        asked = tokens[: first - 1]
        assert [place for place, mark in enumerate(shared) if mark] == [
            n for n in range(first, len(tokens)) if tokens[n] in asked
        ]
        assert any(shared)
    assert family.files(fitted) == {}


def test_the_loss_of_an_ignorant_finder_is_that_of_drawing_by_lot():
    fitted, family = finder()
    given = batch(fitted, [ROWS[1]])
    places = int((given[TARGET] != family.config.padding_token).sum()) - int(given[SPAN][0, 0]) + 2
    # Fresh heads say zero everywhere: one of the tokens of the passage, or none.
    loss = family.validation_loss(given, torch.Generator())
    assert float(loss.value) == pytest.approx(float(torch.tensor(float(places)).log()), abs=1e-5) and loss.count == 1


def test_it_learns_a_few_answers_by_heart_and_finds_them_in_a_long_passage():
    fitted, family = finder(dropout=0.0, token_dropout=0.0)
    taught(fitted, family, ROWS)
    said = family.read_text(PASSAGE, fitted, query="Where does Bob live?")
    assert said["answer"].strip(",") == "Paris" and PASSAGE[said["start"] : said["end"]] == said["answer"]
    assert 0.4 < said["probability"] <= 1.0 and "windows" not in said
    assert family.read_text(PASSAGE * 5, fitted, query="Who is in London?")["windows"] > 1


def test_it_learns_that_there_is_no_answer():
    rows = [*ROWS, row("Who flies?"), row("Who swims?")]
    fitted, family = finder(rows, dropout=0.0, token_dropout=0.0)
    taught(fitted, family, rows)
    assert family.read_text(PASSAGE, fitted, query="Who flies?")["answer"] == ""
    assert family.read_text(PASSAGE, fitted, query="Where does Bob live?")["answer"].strip(",") == "Paris"


def test_an_answer_that_is_not_there_teaches_nothing():
    fitted, family = finder()
    given = batch(fitted, [row("Why?", "because")])
    assert float(family.validation_loss(given, torch.Generator()).value) == 0.0


def test_an_answer_is_no_longer_than_it_may_be_and_lies_in_the_passage():
    for longest in (1, 5):
        fitted, family = finder(longest_answer=longest, length=20)
        given = batch(fitted)
        begin = given[SPAN][:, 0] - 1
        found = family.find(given[TARGET], begin)
        assert found.windows > len(given[TARGET])
        assert bool((found.span[:, 1] >= found.span[:, 0]).all())
        assert bool((found.span[:, 1] - found.span[:, 0] < longest).all())
        assert bool((found.span[:, 0] >= begin).all()) and bool((found.probability > 0).all())


def test_windows_hold_all_of_a_passage_behind_the_question():
    tokens, begin, padding = torch.arange(1, 41)[None], torch.tensor([4]), 99
    rooms = room(begin, 12)
    owner, offsets = all_offsets(torch.tensor([36]), rooms)
    windows = cut(tokens.expand(len(owner), -1), begin.expand(len(owner)), offsets, length=12, padding=padding)
    assert windows.tokens[:, :4].tolist() == [[1, 2, 3, 4]] * len(owner)
    assert set(windows.tokens[windows.inside].tolist()) == set(range(5, 41))
    for window, offset in zip(windows.tokens.tolist(), offsets.tolist()):
        assert window[4] == 5 + offset
    # Of a question that is longer than half a window the end token stays.
    long = cut(tokens, torch.tensor([20]), torch.tensor([0]), length=12, padding=padding)
    assert long.tokens[0].tolist() == [1, 2, 3, 4, 5, 20, 21, 22, 23, 24, 25, 26] and long.null.tolist() == [5]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_windows_that_are_drawn_hold_the_answer_as_often_as_they_should(share):
    draws = torch.rand((500, 2), generator=torch.Generator().manual_seed(0))
    counts, rooms = torch.full((500,), 100), torch.full((500,), 20)
    offsets = drawn_offsets(counts, rooms, torch.tensor([[50, 54]]).expand(500, 2), draws, share=share)
    holds = (offsets <= 50) & (offsets + 20 > 54)
    assert holds.all() if share else 0.1 < float(holds.float().mean()) < 0.4
    assert int(offsets.min()) == (35 if share else 0) and int(offsets.max()) == (50 if share else 80)


@pytest.mark.parametrize(("text", "query"), [(PASSAGE, None), (PASSAGE, " "), ("  ", "Who?")])
def test_a_missing_question_or_passage_is_refused(text, query):
    fitted, family = finder()
    with pytest.raises(UsageError):
        family.read_text(text, fitted, query=query)
