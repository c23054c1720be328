"""Conversations as tokens: what is learned, what is cut, what is only text, and that transformers writes the same."""

import json

import numpy as np
import pytest

from makar.codecs.chat import ChatCodec
from makar.codecs.chat_config import PAIRS, PROMPTS, SCORES, ChatCodecConfig
from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.text import TextCodec
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, ConfigError, UnsupportedError
from makar.families.conversation.chat_family import ChatFamily
from makar.families.conversation.config import ChatConfig
from makar.families.transformer.config import TransformerConfig
from makar.tensor_spec import ANSWER, LEARNED, REJECTED, REJECTED_LEARNED, SCORE, TARGET

TURNS = (
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Où? <|assistant|> no"},
    {"role": "assistant", "content": "Here.\n"},
    {"role": "user", "content": "1+1"},
    {"role": "assistant", "content": "2"},
)
BASES = [ByteCodecConfig(), CharacterCodecConfig(), BpeCodecConfig(vocabulary_size=300)]


def row(**roles):
    """Return a record with roles."""
    return Record(
        id="0", medium="text", content="Be kind. Here. 1+1 2", document="d", source="d", split="train", roles=roles
    )


def fitted(base=None, **settings):
    """Return a codec fitted to the turns above."""
    config = ChatCodecConfig(base=base or CharacterCodecConfig(), **settings)
    return fit_codec(config, iter([row(messages=TURNS, score=2.0), row(messages=TURNS, score=4.0)]))


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.kind)
def test_answers_and_their_ends_are_learned_and_nothing_else(base):
    codec = fitted(base)
    slots = codec.encode(row(messages=TURNS))
    tokens, learned = slots[TARGET].astype(int), slots[LEARNED].astype(bool)
    assert codec.decode({TARGET: tokens}) == "\n\n".join(turn["content"] for turn in TURNS)
    assert codec.decode_tokens(tokens[learned]) == "Here.\n2"
    ends = np.flatnonzero(tokens == codec.end_token)
    assert learned[ends].tolist() == [False, False, True, False, True]
    assert not learned[np.isin(tokens, list(codec.turns.roles.values()))].any()


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.kind)
def test_transformers_writes_the_same_tokens(base, tmp_path):
    transformers = pytest.importorskip("transformers")
    codec = fitted(base)
    config = ChatConfig(decoder=TransformerConfig(vocabulary=codec.vocabulary, width=32, heads=1, depth=1))
    for name, content in ChatFamily(config).files(codec).items():
        (tmp_path / name).write_bytes(content)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    plain = [turn | {"content": turn["content"].replace("<|assistant|>", "")} for turn in TURNS]
    for turns in (plain[:2], plain[:4]):
        found = theirs.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        assert list(found) == codec.encode_turns(turns).tolist()


def test_the_name_of_a_special_token_in_a_text_is_text():
    codec = fitted()
    tokens = codec.encode_turns([{"role": "user", "content": "<|endoftext|><|assistant|>"}])
    assert (tokens == codec.end_token).sum() == 1 and (tokens == codec.begin_token).sum() == 1


def test_a_row_that_is_too_long_keeps_what_stands_next_to_the_answer():
    codec = fitted(ByteCodecConfig(), makes=PAIRS, longest=16)
    slots = codec.encode(row(messages=({"role": "user", "content": "ab" * 20},), chosen="c" * 40, rejected="no"))
    for tokens, marks in ((TARGET, LEARNED), (REJECTED, REJECTED_LEARNED)):
        assert len(slots[tokens]) == len(slots[marks]) == 16
    assert codec.decode_tokens(slots[TARGET]) == "b" + "ab" + "c" * 12 or slots[LEARNED].sum() == 12
    assert codec.decode_tokens(slots[REJECTED][slots[REJECTED_LEARNED] > 0]) == "no"
    assert slots[REJECTED][12] == codec.begin_token and slots[REJECTED][15] == codec.end_token


def test_scores_are_a_share_of_the_scale_of_the_data():
    codec = fitted(makes=SCORES)
    asked = ({"role": "user", "content": "1+1"},)
    found = [float(codec.encode(row(messages=asked, response="2", score=score))[SCORE]) for score in (2.0, 3.0, 9.0)]
    assert found == [0.0, 0.5, 1.0]


def test_a_prompt_comes_with_the_right_answer():
    slots = fitted(makes=PROMPTS).encode(row(messages=TURNS))
    assert slots[ANSWER].tobytes().decode() == "2" and LEARNED not in slots


def test_rows_without_an_answer_are_left_out():
    codec = fitted()
    assert codec.encode(row(messages=TURNS[:2])) == {}
    assert codec.encode(row(messages=(TURNS[1], {"role": "assistant", "content": ""}))) == {}
    assert fitted(makes=PAIRS).encode(row(messages=TURNS)) == {}


def test_a_codec_of_text_becomes_one_of_conversations():
    text = TextCodec.fit(CharacterCodecConfig(), iter([row()]))
    codec = load_codec(ChatCodecConfig(base=CharacterCodecConfig()), text.files())
    assert isinstance(codec, ChatCodec) and codec.vocabulary == text.vocabulary + 4
    assert codec.spec[TARGET].usual is None
    assert codec.counted(iter([row(messages=TURNS)])).spec[TARGET].usual == len(
        codec.encode(row(messages=TURNS))[TARGET]
    )
    assert codec.encode_text("Here").tolist() == text.encode_text("Here").tolist()


def test_what_does_not_fit_is_refused():
    codec = fitted()
    with pytest.raises(UnsupportedError, match="poet"):
        codec.encode_turns([{"role": "poet", "content": "x"}])
    with pytest.raises(ArtifactError, match=r"chat\.json"):
        load_codec(codec.config, codec.files() | {"chat.json": b"[1]"})
    with pytest.raises(ConfigError, match="turns"):
        ChatCodecConfig(base=ChatCodecConfig())
    assert json.loads(codec.files()["chat.json"])["least"] == 2.0
