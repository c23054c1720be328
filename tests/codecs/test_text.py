"""Text codecs: lossless, the same tokens as the library, end tokens only where a record ends."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.text import PIECE_CHARACTERS, TextCodec
from makar.codecs.text_config import (
    END_TOKEN,
    INFILL_NAMES,
    INFILL_TOKENS,
    BpeCodecConfig,
    ByteCodecConfig,
    CharacterCodecConfig,
    choose_text_codec,
    code_codec,
)
from makar.codecs.tokenizer_codec import END
from makar.data.record import Record
from makar.errors import ArtifactError, DataError, EmptyDataError, UnknownNameError

TEXT = "To be, or not to be:\n\tthat is  the question. Où? 日本 🙂 don't \r\n\n"
CONFIGS = [ByteCodecConfig(), CharacterCodecConfig(), BpeCodecConfig(vocabulary_size=300), code_codec(300)]
EVERY_CODEC = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)


def record(text):
    return Record(id="0", medium="text", content=text, document="d", source="d", split="train")


def fitted(config, *texts):
    return fit_codec(config, iter([record(text) for text in texts or (TEXT * 3,)]))


FITTED = [fitted(config) for config in CONFIGS]


@given(text=st.text())
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_exactly(text):
    for codec in FITTED:
        assert codec.decode_tokens(codec.encode_text(text)) == text
        assert codec.token_byte_lengths()[codec.encode_text(text)].sum() == len(text.encode())


@EVERY_CODEC
def test_table_and_library_give_the_same_tokens(config):
    codec = fitted(config)
    for text in (TEXT, "unseen: ßé中\x00", ""):
        assert codec.encode_text(text).tolist() == codec.tokenizer.encode(text).ids


@EVERY_CODEC
def test_record_ends_with_the_end_token_and_decodes_up_to_it(config):
    codec = fitted(config)
    tokens = codec.encode(record(TEXT))["target"]
    assert tokens[-1] == codec.end_token and (tokens[:-1] != codec.end_token).all()
    assert tokens.dtype == np.uint16
    assert codec.decode({"target": np.concatenate([tokens, tokens])}) == TEXT
    assert codec.encode(record("")) == {}


@EVERY_CODEC
def test_name_of_the_end_token_in_a_text_is_text(config):
    codec = fitted(config)
    tokens = codec.encode_text(f"a{END}b")
    assert codec.end_token not in tokens
    assert codec.decode_tokens(tokens) == f"a{END}b"


@EVERY_CODEC
def test_codec_survives_its_files(config):
    codec = fitted(config)
    again = load_codec(config, codec.files())
    assert again.encode_text(TEXT).tolist() == codec.encode_text(TEXT).tolist()
    assert again.vocabulary == codec.vocabulary == codec.spec["target"].vocabulary
    assert again.end_token == codec.end_token < codec.vocabulary


def test_byte_tokens_are_the_bytes():
    assert fitted(ByteCodecConfig()).encode_text("é").tolist() == list("é".encode())


def test_characters_have_one_token_each_and_do_not_depend_on_the_order_of_records():
    codec = fitted(CharacterCodecConfig(), "ba", "é")
    assert len(codec.encode_text("abéba")) == 5
    assert codec.files() == fitted(CharacterCodecConfig(), "é", "ab").files()


def test_rare_characters_beyond_the_largest_alphabet_are_spelled_as_bytes():
    codec = fitted(CharacterCodecConfig(largest_alphabet=2), "aaabbé!")
    assert [len(codec.encode_text(text)) for text in ("a", "b", "!", "é")] == [1, 1, 1, 2]
    assert codec.decode_tokens(codec.encode_text("é!ab")) == "é!ab"


def test_pairs_shorten_what_repeats_and_respect_the_vocabulary_size():
    codec = fitted(BpeCodecConfig(vocabulary_size=300), "the cat and the hat " * 50)
    assert codec.vocabulary <= 300
    assert len(codec.encode_text("the cat and the hat")) < 10


def test_sample_bytes_bounds_what_pairs_are_counted_on():
    texts = ("abab " * 20, "xyxy " * 20)
    whole = fitted(BpeCodecConfig(vocabulary_size=300), *texts)
    part = fitted(BpeCodecConfig(vocabulary_size=300, sample_bytes=50), *texts)
    assert len(whole.encode_text("xyxy")) < len(part.encode_text("xyxy"))
    assert len(whole.encode_text("abab")) == len(part.encode_text("abab"))


@EVERY_CODEC
def test_long_text_is_cut_without_changing_tokens(config, monkeypatch):
    codec = fitted(config)
    whole = codec.encode_text(TEXT * 40)
    monkeypatch.setattr("makar.codecs.text.PIECE_CHARACTERS", 37)
    assert codec.encode_text(TEXT * 40).tolist() == whole.tolist()
    assert codec.decode_tokens(codec.encode_text("x" * 500)) == "x" * 500
    assert PIECE_CHARACTERS > 37


def test_characters_are_encoded_faster_than_ten_megabytes_a_second():
    codec = fitted(CharacterCodecConfig())
    start = time.process_time()
    codec.encode_text(TEXT * 20_000)
    assert len(TEXT) * 20_000 / (time.process_time() - start) > 10e6


def test_half_a_surrogate_pair_is_refused():
    for codec in FITTED:
        with pytest.raises(DataError, match="not valid Unicode"):
            codec.encode_text("a\ud800")


def test_nothing_to_learn_from_is_an_error():
    for config in CONFIGS[1:]:
        with pytest.raises(EmptyDataError):
            fit_codec(config, iter([]))


def test_broken_files_are_refused():
    with pytest.raises(ArtifactError, match="tokenizer"):
        TextCodec.from_files(ByteCodecConfig(), {})
    with pytest.raises(ArtifactError, match="cannot be read"):
        TextCodec.from_files(ByteCodecConfig(), {"tokenizer.json": b"{}"})
    without_end = json.loads(fitted(ByteCodecConfig()).tokenizer_json())
    without_end["added_tokens"] = []
    del without_end["model"]["vocab"][END]
    with pytest.raises(ArtifactError, match="no token"):
        TextCodec.from_files(ByteCodecConfig(), {"tokenizer.json": json.dumps(without_end).encode()})


def test_vocabulary_grows_with_the_data():
    sizes = [10**5, 10**7, 5 * 10**7, 5 * 10**8, 10**10]
    chosen = [choose_text_codec(size, "text") for size in sizes]
    assert chosen[0].kind == "character"
    assert [config.vocabulary_size for config in chosen[1:]] == [1024, 2048, 4096, 8192]
    assert choose_text_codec(10**5, "code").kind == "bpe"
    with pytest.raises(UnknownNameError):
        chosen[1].changed(vocabulary_sise=3)


def test_code_is_cut_at_the_ends_of_lines():
    code = "def f(x):\n    if x:  # yes\n        return [x]\n\n    return None\n" * 40
    codec, prose = fitted(code_codec(400), code), fitted(BpeCodecConfig(vocabulary_size=400), code)
    lines = code.splitlines(keepends=True)
    # Line by line or at once: the same tokens, so that a hole of whole lines begins and ends between tokens.
    solid = [line for line in lines if line.strip()]
    assert (
        np.concatenate([codec.encode_text(line) for line in solid]).tolist()
        == codec.encode_text("".join(solid)).tolist()
    )
    alone = np.concatenate([prose.encode_text(line) for line in solid])
    assert alone.tolist() != prose.encode_text("".join(solid)).tolist(), "the twin: under the other pattern they differ"


def test_tokens_around_a_hole_are_no_text():
    codec = fitted(code_codec(400), TEXT * 3)
    assert len(set(codec.infill_tokens) | {codec.end_token}) == 4
    assert (codec.end_token, codec.infill_tokens) == (END_TOKEN, INFILL_TOKENS)
    text = "".join(INFILL_NAMES)
    tokens = codec.encode_text(text)
    assert not np.isin(codec.infill_tokens, tokens).any() and codec.decode_tokens(tokens) == text
    assert codec.decode_tokens(np.array([*codec.infill_tokens, *codec.encode_text("a")])) == "a"
    assert not codec.token_byte_lengths()[list(codec.infill_tokens)].any()
    assert fitted(BpeCodecConfig(vocabulary_size=300)).infill_tokens == ()
