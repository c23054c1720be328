"""The encoder-decoder: what it computes, what it learns from, and that transformers computes the same."""

import json
import math

import pytest
import torch
from safetensors.torch import save_file

from makar.artifacts.export import export_artifact
from makar.artifacts.save import save_artifact
from makar.codecs.pair_config import PairCodecConfig
from makar.errors import ConfigError, TensorMismatchError, UnsupportedError
from makar.families.seq2seq.config import PAIRS, SPANS, Seq2seqConfig
from makar.families.seq2seq.decoding import Writer
from makar.families.seq2seq.family import Seq2seqFamily, first_text
from makar.families.seq2seq.positions import distance_buckets
from makar.recipe import OptimisationConfig, Origin, Parent, Recipe, Stage
from makar.recipes.rewriting import rewrite
from tests.families.seq2seq import models


def padded(rows):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


both = pytest.mark.parametrize("copies", [True, False])


@both
def test_what_fills_up_changes_nothing(copies):
    family, rows = models.family(copies=copies), models.sources()
    begun = torch.tensor([[0, 7, 9]])
    alone = [family.network(row[None], begun) for row in rows]
    together = family.network(torch.nn.functional.pad(padded(rows), (0, 4)), begun.expand(3, -1))
    for one, other in zip(alone, together):
        assert torch.allclose(one[0], other, atol=1e-5)


def test_a_position_sees_nothing_of_those_after_it():
    family, (source, *_) = models.family(), models.sources()
    first, second = (family.network(source[None], torch.tensor([[0, 7, last]])) for last in (9, 11))
    assert torch.equal(first[:, :2], second[:, :2]) and not torch.equal(first[:, 2], second[:, 2])


@both
def test_writing_with_what_was_kept_gives_the_logits_of_the_whole(copies):
    family, rows = models.family(copies=copies), models.sources()
    begun = torch.tensor([[0, 7, 9, 20, 21], [0, 3, 3, 8, 1], [0, 250, 4, 5, 6]]).repeat(1, 14)
    block = Writer(family.network).begin(rows, beginnings=1)
    with torch.no_grad():
        whole = family.network(padded(rows), begun)
        steps = torch.stack([block.step(tokens) for tokens in begun.T], 1)
    assert begun.shape[1] > 64, "the cache has to grow"
    assert torch.allclose(whole, steps, atol=1e-4)


@both
def test_the_loss_is_the_mean_surprise_at_the_first_text_of_a_row(copies):
    family, rows = models.family(copies=copies), models.sources()
    target = torch.tensor([[5, 6, 1, 7, 1], [5, 1, 0, 0, 0], [9, 9, 9, 9, 9]])
    loss = family.validation_loss({"source": padded(rows), "target": target}, torch.Generator())
    begun = torch.nn.functional.pad(target, (1, 0))[:, :-1]
    surprise = -family.network(padded(rows), begun).log_softmax(-1).gather(2, target[..., None])[..., 0]
    counted = first_text(target)
    assert loss.count == counted.sum() == 10
    assert float(loss.value) == pytest.approx(surprise[counted].mean().item(), abs=1e-5)


def test_smoothing_is_learned_and_not_judged():
    batch = {"source": padded(models.sources()), "target": torch.tensor([[5, 1], [6, 1], [7, 1]])}
    plain, smoothed = models.family(smoothing=0.0, dropout=0.0), models.family(smoothing=0.3, dropout=0.0)
    draw = torch.Generator()
    learned = [family.phases()[0].loss(batch, draw).value.item() for family in (plain, smoothed)]
    judged = [family.validation_loss(batch, draw).value.item() for family in (plain, smoothed)]
    assert learned[0] == pytest.approx(judged[0], abs=1e-6) and judged[0] == judged[1] and learned[0] != learned[1]


@both
def test_a_pair_is_learned_by_heart(copies):
    family = Seq2seqFamily(models.family(copies=copies).config.changed(dropout=0.0, smoothing=0.0))
    family.initialise(torch.Generator().manual_seed(0))
    arrays = [models.codec().encode(models.record(*pair)) for pair in models.PAIRS]
    batch = {name: padded([torch.from_numpy(row[name].astype("int64")) for row in arrays]) for name in arrays[0]}
    optimiser = torch.optim.Adam(family.parameters(), lr=0.02)
    (phase,) = family.phases()
    for _ in range(60):
        optimiser.zero_grad()
        loss = phase.loss(batch, torch.Generator()).value
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1
    drawn = (
        family.eval()
        .sampler(models.codec())
        .sample(family.options(), [{"source": row} for row in models.sources()], [0, 0, 0])
    )
    written = {number: slots["text"].tobytes().decode() for number, slots, _ in drawn}
    assert [written[number] for number in range(3)] == [target for _, target in models.PAIRS]


def test_buckets_are_exact_near_by_and_grow_far_away():
    found = distance_buckets(torch.arange(-20, 1), buckets=32, farthest=128, both_ways=False).tolist()
    assert found[-16:] == list(range(15, -1, -1)) and found[0] == 17
    assert distance_buckets(torch.tensor([5, -900]), buckets=32, farthest=128, both_ways=False).tolist() == [0, 31]


def test_cost_follows_the_usual_lengths():
    short, long = (Seq2seqConfig(vocabulary=100, source_length=length, target_length=20) for length in (20, 200))
    assert long.training_operations() > 3 * short.training_operations()
    assert long.activation_bytes() > 3 * short.activation_bytes()
    config = Seq2seqConfig(vocabulary=100).bound_to(models.codec().spec)
    lengths = models.codec().lengths
    assert (config.source_length, config.target_length) == (lengths.source, lengths.target)


@pytest.mark.parametrize(
    "settings", [{"width": 30, "heads": 4}, {"buckets": 30}, {"farthest": 16}, {"learns": "spans", "marks": 2}]
)
def test_sizes_that_cannot_be_are_refused(settings):
    with pytest.raises(ConfigError):
        Seq2seqConfig(**settings)


def test_tensors_of_another_size_are_refused():
    family = models.family()
    with pytest.raises(TensorMismatchError, match=r"shared\.weight"):
        family.load_tensors(family.tensors() | {"shared.weight": torch.zeros(2, 2)})


@pytest.mark.parametrize("tied", [True, False])
def test_transformers_computes_the_same_logits_and_the_same_text(tied, tmp_path):
    transformers = pytest.importorskip("transformers")
    codec = models.codec()
    family = models.family(tied=tied, norm_epsilon=1e-5, buckets=16, farthest=40, copies=False)
    for name, content in family.files(codec).items():
        (tmp_path / name).write_bytes(content)
    save_file(family.tensors(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    model, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert {key: found for key, found in report.items() if found} == {}
    source = padded(models.sources())
    begun = torch.randint(0, codec.spec["target"].vocabulary, (3, 50), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = model(input_ids=source, attention_mask=source.ne(0).long(), decoder_input_ids=begun).logits
        ours = family.network(source, begun)
    assert ours.abs().mean() > 0.1 and (theirs - ours).abs().max() < 1e-4
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert [tokenizer(text).input_ids for text, _ in models.PAIRS[:2]] == [row.tolist() for row in models.sources()[:2]]
    text = model.generate(source[:1], attention_mask=source[:1].ne(0).long(), num_beams=4, max_new_tokens=10)
    options = family.options(beams=4, max_tokens=10)
    _, slots, _ = next(family.sampler(codec).sample(options, [{"source": models.sources()[0]}], [0]))
    assert slots["target"].tolist() == [token for token in text[0].tolist()[1:] if token != 1]
    assert json.loads((tmp_path / "config.json").read_text())["num_layers"] == family.config.encoder_depth


def test_copying_gives_tokens_of_the_source_what_the_output_layer_does_not():
    plain, copying = models.family(copies=False), models.family(copies=True)
    copying.begin_from(plain, [])
    (source, *_), begun = models.sources(), torch.tensor([[0, 7, 9]])
    with torch.no_grad():
        written, mixed = (made.network(source[None], begun).softmax(-1)[0] for made in (plain, copying))
    stands = torch.zeros(written.shape[1], dtype=torch.bool).index_fill(0, source, True)
    assert torch.allclose(mixed.sum(-1), torch.ones(3), atol=1e-5)
    share = mixed[:, ~stands] / written[:, ~stands]
    assert torch.allclose(share, share[:, :1].expand_as(share), rtol=1e-3) and (share < 0.99).all()
    assert (mixed[:, stands].sum(-1) > written[:, stands].sum(-1)).all()


def test_what_copies_or_not_begins_from_the_other():
    plain, copying = models.family(copies=False), models.family(seed=1, copies=True)
    before = copying.tensors()["copying.keys.weight"]
    copying.begin_from(plain, [])
    taken, given = copying.tensors(), plain.tensors()
    assert torch.equal(taken["copying.keys.weight"], before)
    assert all(torch.equal(taken[name], tensor) for name, tensor in given.items()) and len(taken) == len(given) + 4
    back = models.family(seed=2, copies=False)
    back.begin_from(copying, [])
    assert all(torch.equal(tensor, given[name]) for name, tensor in back.tensors().items())


def test_a_model_from_before_there_was_copying_stays_as_it_is():
    for learns, copies in ((PAIRS, False), (SPANS, None)):
        config = Seq2seqConfig(learns=learns, vocabulary=300, marks=40)
        codec = PairCodecConfig(task="rewrite" if learns == PAIRS else SPANS, vocabulary_size=300, marks=40)
        stage = Stage(name="model", codec=codec, family=config, optimisation=OptimisationConfig())
        recipe = Recipe(name="t5", medium="text", summary="s", expected="", stages=(stage,))
        origin = Origin(
            parent=Parent(name="old", hash="0" * 64), recipe=recipe, plain_spec=lambda stage: models.codec().spec
        )
        assert rewrite(origin).stages[-1].family.copies is copies


def test_a_model_that_copies_does_not_say_that_it_is_t5():
    assert set(models.family(copies=True).files(models.codec())) == {"tokenizer.json"}
    assert "config.json" in models.family(copies=False).files(models.codec())


def test_where_much_stands_in_the_source_it_is_copied():
    (pair, *_) = models.PAIRS
    far, near = (
        Seq2seqConfig().bound_to(models.codec().counted(iter([models.record(*texts)])).spec)
        for texts in (("xyz", pair[1]), (pair[0], pair[0]))
    )
    assert (far.copies, near.copies) == (False, True)
    assert Seq2seqConfig(copies=False).bound_to(models.codec().spec).copies is False
    assert near.parameter_count() == sum(parameter.numel() for parameter in Seq2seqFamily(near).parameters())


def test_attention_starts_as_blunt_as_that_of_others():
    """Queries are divided by eight, others divide by the root of the head width: at width 64 it is the same."""
    family = models.family()
    query = family.tensors()["encoder.block.0.layer.0.SelfAttention.q.weight"]
    kept = family.network.get_parameter("encoder.0.attention.projected.weight")[: family.config.width]
    assert torch.equal(query * 8, kept) and math.sqrt(64) == 8


@both
def test_both_halves_are_traced_for_any_number_and_length(copies):
    for part in models.family(copies=copies).onnx_parts():
        free = {name: dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for name, axes in part.dynamic.items()}
        inputs = tuple(part.inputs.values())
        torch.export.export(part.module, inputs, dynamic_shapes=tuple(free[name] for name in part.inputs))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter warns about its own dependencies
def test_a_model_that_copies_goes_out_as_onnx_and_as_nothing_else(tmp_path):
    pytest.importorskip("onnxruntime")
    family, codec = models.family(copies=True), models.codec()
    stage = Stage(name="model", codec=codec.config, family=family.config)
    artifact = save_artifact(
        tmp_path / "model",
        recipe=Recipe(name="rewrite", medium="text", summary="for tests", stages=(stage,)),
        codec=codec,
        family=family,
        training={"run": ""},
        data={"path": "", "fingerprint": "", "files": 0, "records": 0, "split": {}, "skipped": {}, "warnings": []},
    )
    # What it computes is compared with torch, at other lengths too, before the export ends.
    written = export_artifact(artifact, folder=tmp_path / "out", to="onnx")
    assert {"encoder.onnx", "decoder.onnx"} <= {path.name for path in written.iterdir()}
    with pytest.raises(UnsupportedError, match="no form in transformers") as caught:
        export_artifact(artifact, folder=tmp_path / "none", to="transformers")
    assert "family.copies=false" in caught.value.expected
