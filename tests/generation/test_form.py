"""Forms of text: every output has the form whatever the model has learned, and what cannot be kept is refused before anything is drawn."""

import json
import re

import numpy as np
import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.data.record import Record
from makar.errors import DataError, MakarError, UnsupportedError, UsageError
from makar.families.transformer.options import TextOptions
from makar.families.transformer.sampling import choose, strategies
from makar.generation.form import make_form, read_form
from makar.generation.form_constraint import FormConstraint
from makar.tensor_spec import TARGET

pytest.importorskip("llguidance")

TEXTS = ['the fox ate 12 grapes, and called it "lunch" {ok} [x]: Zażółć Q-é 🦊 . @']
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "bb", "c c"]}, "minItems": 2, "maxItems": 5},
        "address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "score": {"type": ["number", "null"]},
    },
    "required": ["name", "age", "tags", "address"],
    "additionalProperties": False,
}


def codec_of(config):
    """Return a codec of a few letters."""
    records = [
        Record(id="0" * 16, medium="text", content=text, document="d", source="s", split="train") for text in TEXTS
    ]
    return fit_codec(config, iter(records))


CODECS = [ByteCodecConfig(), CharacterCodecConfig(), BpeCodecConfig(vocabulary_size=300)]


def written(form, codec, *, seed, limit=120, options=None):
    """Return the text of a model that has learned nothing, drawn under a form."""
    constraint = FormConstraint(form, codec, limit=limit)
    chain = strategies(options or TextOptions(temperature=1.0, top_p=0.9, top_k=5), (constraint,))
    draws = torch.Generator().manual_seed(seed)
    history = [1, 2, 3]
    for _ in range(limit):
        logits = torch.randn(codec.vocabulary + 3, generator=draws) * 3
        token = choose(logits, history, chain=chain, generator=draws)
        if token == codec.end_token:
            break
        history.append(token)
    constraint.check(history[3:])
    return codec.decode({TARGET: np.array(history[3:])})


@pytest.mark.parametrize("config", CODECS, ids=lambda config: config.kind)
def test_json_of_a_schema_is_valid_whatever_is_drawn(config):
    codec, form = codec_of(config), make_form("json_schema", SCHEMA)
    found = [json.loads(written(form, codec, seed=seed, limit=160)) for seed in range(6)]
    for value in found:
        assert set(SCHEMA["required"]) <= set(value) <= set(SCHEMA["properties"])
        assert 0 <= value["age"] <= 150 and 2 <= len(value["tags"]) <= 5 and set(value["tags"]) <= {"a", "bb", "c c"}
    assert len({json.dumps(value) for value in found}) > 1


@pytest.mark.parametrize(
    "pattern", [r"[0-9]{4}-[0-9]{2}", r"[a-z]+@[a-z]+\.(de|org)", r"(yes|no)( [a-z]+)+\.", r"a{3,9}b?"]
)
def test_a_text_matches_its_expression(pattern):
    codec = codec_of(ByteCodecConfig())
    texts = {written(make_form("regex", pattern), codec, seed=seed, limit=40) for seed in range(5)}
    assert all(re.fullmatch(pattern, text) for text in texts) and len(texts) > 1


def test_a_choice_is_one_of_the_choices():
    codec = codec_of(CharacterCodecConfig())
    form = make_form("choice", "yes, no (not yet), n.o|x")
    assert {written(form, codec, seed=seed) for seed in range(12)} == {"yes", "no (not yet)", "n.o|x"}
    arrows = make_form("choice", ["<b>", "a > b", "->"])
    assert {written(arrows, codec_of(ByteCodecConfig()), seed=seed) for seed in range(12)} == {"<b>", "a > b", "->"}


def test_greedy_and_penalised_texts_have_the_form_too():
    codec = codec_of(ByteCodecConfig())
    for options in (TextOptions(temperature=0.0), TextOptions(repetition_penalty=3.0, min_p=0.5)):
        json.loads(written(make_form("json_schema", SCHEMA), codec, seed=1, options=options, limit=160))


def test_a_call_of_a_tool_is_in_the_shape_of_openai():
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {
                    "type": "object",
                    "properties": {key: {"type": "integer"}},
                    "required": [key],
                    "additionalProperties": False,
                },
            },
        }
        for name, key in (("add", "x"), ("weather", "day"))
    ]
    codec, form = codec_of(ByteCodecConfig()), make_form("tools", json.dumps(tools))
    calls = [json.loads(form.finish(written(form, codec, seed=seed)))[0] for seed in range(6)]
    for call in calls:
        assert call["type"] == "function" and call["id"].startswith("call_")
        arguments = json.loads(call["function"]["arguments"])
        assert set(arguments) == {"x" if call["function"]["name"] == "add" else "day"}
    assert len({call["function"]["name"] for call in calls}) == 2


def test_parameters_of_tools_may_refer_to_definitions_of_their_own():
    def tool(name, kind):
        place = {
            "type": "object",
            "properties": {"x": {"type": kind}},
            "required": ["x"],
            "additionalProperties": False,
        }
        listed = {"type": "array", "items": {"$ref": "#/$defs/Place"}, "minItems": 1, "maxItems": 1}
        properties = {"to": {"$ref": "#/$defs/Place"}, "by": listed}
        closed = {"required": ["to", "by"], "additionalProperties": False, "$defs": {"Place": place}}
        return {"name": name, "parameters": {"type": "object", "properties": properties, **closed}}

    codec = codec_of(ByteCodecConfig())
    for tools in ([tool("go", "boolean")], [tool("go", "boolean"), tool("come", "null")]):
        form = make_form("tools", tools)
        for seed in range(4):
            call = json.loads(form.finish(written(form, codec, seed=seed)))[0]["function"]
            arguments = json.loads(call["arguments"])
            kind = bool if call["name"] == "go" else type(None)
            assert type(arguments["to"]["x"]) is type(arguments["by"][0]["x"]) is kind


@pytest.mark.parametrize(
    "kind, value, words",
    [
        ("regex", "(ab", "cannot be kept"),
        ("regex", "", "pattern"),
        ("json_schema", "{", "no JSON"),
        ("json_schema", {"type": "objec"}, "cannot be kept"),
        ("json_schema", {"type": "string", "not": {"const": "a"}}, "cannot be kept"),
        ("choice", "yes,,no", "empty choice"),
        ("tools", [], "at least one"),
        ("tools", [{"name": "a"}, {"name": "a"}], "two tools"),
    ],
)
def test_forms_that_cannot_be_kept_are_refused(kind, value, words):
    with pytest.raises(UsageError, match=words):
        make_form(kind, value)


def test_two_forms_and_too_little_room_are_refused():
    with pytest.raises(UsageError, match="at once"):
        read_form({"regex": "a", "choice": "b"})
    with pytest.raises(MakarError, match="tokens at least"):
        FormConstraint(make_form("json_schema", SCHEMA), codec_of(ByteCodecConfig()), limit=20)
    with pytest.raises(UnsupportedError, match="no tokens"):
        FormConstraint(make_form("choice", "x"), _letters(), limit=20)


def _letters():
    class Letters:
        vocabulary, end_token = 2, 1

        def token_bytes(self):
            return [b"a", b"<end>"]

        def special_tokens(self):
            return [1]

        def encode_text(self, text):
            return np.zeros(len(text), np.int64)

    return Letters()


def test_a_text_that_was_cut_is_an_error():
    codec = codec_of(ByteCodecConfig())
    constraint = FormConstraint(make_form("json_schema", SCHEMA), codec, limit=160)
    with pytest.raises(DataError, match="did not end"):
        constraint.check(list(b'{"name": "x'))
