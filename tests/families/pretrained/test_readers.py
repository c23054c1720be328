"""What heads that read say of texts: labels, entities, answers, masked words, as the pipelines of transformers say it."""

from types import SimpleNamespace

import pytest
import torch
import transformers

from makar.api.model import load
from makar.errors import UnsupportedError, UsageError
from makar.families.pretrained.encoder_family import EncoderCheckpoint
from makar.families.pretrained.opening import quiet
from tests.cli.small_models import see

TEXT = "anna lives in london, the rain was dark"


def asked(kind, folder, *inputs, **options):
    """Return what a pipeline of transformers says."""
    with quiet():
        return transformers.pipeline(kind, model=str(folder), device="cpu")(*inputs, **options)


def test_labels_have_the_probabilities_of_transformers(checkpoints):
    (row,) = load(checkpoints("classifier")).predict(TEXT)
    theirs = {
        one["label"]: one["score"] for one in asked("text-classification", checkpoints("classifier"), TEXT, top_k=None)
    }
    assert row["probabilities"] == pytest.approx(theirs, abs=1e-5)
    assert row["what"] == "label" and row["label"] == max(theirs, key=theirs.get) and row["input"] == TEXT


def test_several_labels_and_a_number(checkpoints):
    (row,) = load(checkpoints("many_labels")).predict(TEXT)
    theirs = {
        one["label"]: one["score"] for one in asked("text-classification", checkpoints("many_labels"), TEXT, top_k=None)
    }
    assert row["probabilities"] == pytest.approx(theirs, abs=1e-5)
    assert set(row["labels"]) == {name for name, share in theirs.items() if share > 0.5}
    (number,) = load(checkpoints("regressor")).predict(TEXT)
    found = asked("text-classification", checkpoints("regressor"), TEXT, function_to_apply="none")
    assert number["score"] == pytest.approx(found[0]["score"], abs=1e-5)


def test_entities_are_those_of_transformers(checkpoints):
    (row,) = load(checkpoints("tagger")).predict(TEXT)
    theirs = asked("token-classification", checkpoints("tagger"), TEXT, aggregation_strategy="first")
    ours = [(one["kind"], one["start"], one["end"]) for one in row["entities"]]
    assert ours == [(one["entity_group"], one["start"], one["end"]) for one in theirs] and ours
    assert all(TEXT[one["start"] : one["end"]] == one["text"] for one in row["entities"])


@pytest.mark.parametrize(
    "tags, entities",
    [
        ("S-PER S-PER O B-LOC E-LOC I-LOC O", [("PER", "anna"), ("PER", "lives"), ("LOC", "london,"), ("LOC", "the")]),
        ("U-PER L-PER O B-LOC I-LOC L-LOC O", [("PER", "anna"), ("PER", "lives"), ("LOC", "london, the")]),
        ("PER PER O LOC O LOC O", [("PER", "anna lives"), ("LOC", "london"), ("LOC", "the")]),
    ],
)
def test_entities_of_heads_with_other_schemes(tags, entities, checkpoints):
    codec = load(checkpoints("tagger")).artifact.codec()
    words = tags.split()
    labels = tuple(dict.fromkeys(words))
    encoding = codec.encode_places(TEXT)
    numbers = [labels.index("O" if word is None or word >= len(words) else words[word]) for word in encoding.word_ids]
    head = SimpleNamespace(
        config=SimpleNamespace(labels=labels),
        _windows=lambda encoding: [(None, None, range(len(numbers)))],
        _asked=lambda ids, types: {"logits": torch.eye(len(labels))[numbers][None]},
    )
    found = EncoderCheckpoint._entities(head, TEXT, codec)["entities"]
    assert [(one["kind"], one["text"]) for one in found] == entities


def test_the_answer_is_the_likeliest_span_of_the_passage(checkpoints):
    question = "where does anna live"
    (row,) = load(checkpoints("answers")).predict(TEXT, query=question)
    with quiet():
        network = transformers.AutoModelForQuestionAnswering.from_pretrained(checkpoints("answers")).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoints("answers"))
    given = tokenizer(question, TEXT, return_tensors="pt", return_offsets_mapping=True)
    inside = [at for at, number in enumerate(given.sequence_ids(0)) if number == 1]
    offsets = given.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        made = network(**given)
    start, end = made.start_logits[0, inside].softmax(-1), made.end_logits[0, inside].softmax(-1)
    spans = {(a, b): float(start[a] * end[b]) for a in range(len(inside)) for b in range(a, min(a + 30, len(inside)))}
    first, last = max(spans, key=spans.get)
    assert (row["start"], row["end"]) == (offsets[inside[first]][0], offsets[inside[last]][1])
    assert row["probability"] == pytest.approx(spans[first, last], rel=1e-4)
    assert row["answer"] == TEXT[row["start"] : row["end"]] and row["query"] == question


def test_masked_words_are_those_of_transformers(checkpoints):
    text = "the [MASK] was in [MASK]"
    (row,) = load(checkpoints("masked")).predict(text)
    theirs = asked("fill-mask", checkpoints("masked"), text)
    assert [list(words.values()) for words in row["words"]] == [
        pytest.approx([one["score"] for one in words], abs=1e-5) for words in theirs
    ]
    assert list(row["words"][0]) == [one["token_str"] for one in theirs[0]]


@pytest.mark.parametrize("name", ["classifier", "tagger", "answers"])
def test_a_text_beyond_the_context_is_read_in_windows_and_that_is_said(name, checkpoints):
    model = load(checkpoints(name))
    query = "where does anna live" if name == "answers" else None
    long = "the night was dark " * 40 + TEXT
    (short,), (row,) = model.predict(TEXT, query=query), model.predict(long, query=query)
    assert "windows" not in short and row["windows"] > 2
    if name == "tagger":
        assert any(one["start"] > 600 for one in row["entities"])


def test_what_does_not_fit_the_head_is_refused(checkpoints, tmp_path):
    for name, text, query in (
        ("classifier", TEXT, "where?"),
        ("answers", TEXT, None),
        ("masked", TEXT, None),
        ("masked", "[MASK] " * 80, None),
        ("classifier", "  ", None),
    ):
        with pytest.raises(UsageError):
            load(checkpoints(name)).predict(text, query=query)
    with pytest.raises(UnsupportedError, match="predicts nothing") as refused:
        load(checkpoints("gpt2")).predict(TEXT)
    assert "makar generate" in refused.value.do and "caption" not in refused.value.do
    with pytest.raises(UnsupportedError, match="shorter question"):
        load(checkpoints("answers")).predict(TEXT, query="where " * 80)
    with pytest.raises(UnsupportedError, match="anomaly"):
        load(checkpoints("tagger")).predict(TEXT, what="anomaly")


def test_files_folders_and_lines_are_texts(checkpoints, tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "texts" / "b.md").write_text("rain", encoding="utf-8")
    rows = see("predict", checkpoints("classifier"), tmp_path / "texts", TEXT, "--json").values
    assert [row["input"].rpartition("/")[2] for row in rows] == ["a.txt", "b.md", TEXT]
    assert rows[0]["probabilities"] == rows[2]["probabilities"] != rows[1]["probabilities"]
    monkeypatch.setattr("sys.stdin", iter(["rain\n", "\n", "night\n"]))
    assert [row["input"] for row in see("predict", checkpoints("classifier"), "-", "--json").values] == [
        "rain",
        "night",
    ]
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xff")
    assert "UTF-8" in see("predict", checkpoints("classifier"), tmp_path / "bad.txt", code=1).messages
