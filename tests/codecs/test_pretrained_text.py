"""The tokenizer of a checkpoint as a codec: what it puts around a text, special tokens that are text, bytes that are counted."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from makar.codecs.byte_runs import byte_tokens, decode_runs
from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.pretrained_text import PretrainedTextCodec, SpecialTokens
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.data.record import Record
from makar.errors import ArtifactError, ConfigError, DataError
from makar.tensor_spec import TARGET


def byte_codec(*, around="$A", vocabulary=0):
    """Return a tokenizer of single bytes with three special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<begin>", "<end>", "<other>"])
    names = [(name, tokenizer.token_to_id(name)) for name in ("<begin>", "<end>")]
    tokenizer.post_processor = processors.TemplateProcessing(single=around, special_tokens=names)
    special = SpecialTokens(begin=256, ends=(257, 258), texts={"eos_token": "<end>"})
    return PretrainedTextCodec(PretrainedTextCodecConfig(vocabulary=vocabulary), tokenizer, special)


def piece_codec():
    """Return a tokenizer that drops the space of a first word and spells what it does not know in bytes."""
    letters = ["<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a"]
    tokenizer = Tokenizer(
        models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[("▁", "a")], byte_fallback=True)
    )
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(parts)
    return PretrainedTextCodec(PretrainedTextCodecConfig(), tokenizer, SpecialTokens(begin=0, ends=(1,)))


def record(text):
    """Return a record of text."""
    return Record(id="0" * 16, medium="text", content=text, document="d", source="s", split="train")


def test_a_text_to_continue_begins_and_a_text_to_read_is_whole():
    codec = byte_codec(around="<begin> $A <end>")
    letters = byte_codec().encode_text("fox").tolist()
    assert codec.encode_text("fox").tolist() == [256, *letters]
    assert codec.encode_source("fox").tolist() == [256, *letters, 257]
    assert codec.encode(record("fox"))[TARGET].tolist() == [256, *letters, 257]
    assert codec.decode(codec.encode(record("fox"))) == "fox"


def test_a_text_that_begins_with_an_end_token_is_not_empty():
    # OPT begins every text with the token that also ends it.
    codec = byte_codec(around="<end> $A")
    assert codec.encode_text("fox")[0] == 257 and codec.decode(codec.encode(record("fox"))) == "fox"


def test_names_of_special_tokens_are_text_except_in_a_template():
    codec = byte_codec()
    text = "<begin>fox<other>"
    assert codec.decode({TARGET: codec.encode_text(text)}) == text and 256 not in codec.encode_text(text)
    assert codec.encode_template(text).tolist()[0] == 256 and codec.encode_template(text).tolist()[-1] == 258
    assert codec.encode_text(text).tolist() == byte_codec().encode_text(text).tolist()
    assert codec.special_names()[0] in ("<begin>", "<other>")


def test_vocabulary_is_that_of_the_network_where_it_has_more_rows():
    assert byte_codec().vocabulary == 259 and byte_codec(vocabulary=264).spec[TARGET].vocabulary == 264
    assert len(byte_codec(vocabulary=264).token_byte_lengths()) == 264


@pytest.mark.parametrize("codec", [byte_codec(), piece_codec()], ids=["bytes", "pieces"])
def test_bytes_of_tokens_sum_to_those_of_the_text(codec):
    lengths = codec.token_byte_lengths()
    for text in ("a ab b", "Ärger 東京", "x"):
        extra = 1 if codec.tokenizer.token_to_id("▁") is not None else 0
        assert lengths[codec.encode_text(text)].sum() == len(text.encode()) + extra
    assert lengths[list(codec.special.ends)].sum() == 0


def test_new_text_is_that_of_its_parts_broken_bytes_included():
    codec = piece_codec()
    byte = {value: token for token, value in byte_tokens(codec.tokenizer.token_to_id).items()}
    word = codec.tokenizer.token_to_id("▁a")
    tokens = [word, byte[0x47], byte[0xE0], byte[0x48], word, byte[0xC3], byte[0xA9]]
    assert codec.decode_tokens(np.array(tokens)) == " aG\ufffdH aé"
    for cut in (1, 2, 3, 4, 5):
        parts = [codec.decode_tokens(np.array(part)) for part in (tokens[:cut], tokens[cut:])]
        assert "".join(parts) == " aG\ufffdH aé"


def test_rows_of_bytes_are_read_as_one():
    assert decode_runs([1, 2, 9, 3], {1: 0xC3, 2: 0xA9, 3: 0xFF}, lambda tokens: f"<{len(tokens)}>") == "é<1>\ufffd"


def test_it_is_not_learned_and_damaged_files_are_refused():
    with pytest.raises(ConfigError, match="not learned"):
        fit_codec(PretrainedTextCodecConfig(), iter([record("fox")]))
    files = byte_codec().files()
    again = load_codec(PretrainedTextCodecConfig(), files)
    assert again.special == byte_codec().special and again.files() == files
    tokens = json.loads(files["tokens.json"])
    for wrong in ({"ends": []}, {"ends": ["x"]}, {"surprise": 1}, {"begin": -1}):
        with pytest.raises(ArtifactError):
            load_codec(PretrainedTextCodecConfig(), {**files, "tokens.json": json.dumps(tokens | wrong).encode()})


def test_half_a_character_is_refused():
    with pytest.raises(DataError, match="Unicode"):
        byte_codec().encode_text("\ud800")
