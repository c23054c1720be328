"""Turns over the tokenizers of checkpoints: as their chat templates write them, or with tokens for the roles where there is none."""

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra transformers is not installed")

from makar.codecs.chat_config import ChatCodecConfig
from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.pretrained_text import SpecialTokens
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import LEARNED, REJECTED, TARGET
from tests.families.pretrained.tiny_checkpoints import TEMPLATE, byte_tokenizer, piece_tokenizer

TURNS = (
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Where is it?"},
    {"role": "assistant", "content": "Here.\n"},
    {"role": "user", "content": "1+1"},
    {"role": "assistant", "content": "2"},
)


def row(**roles):
    """Return a record with roles."""
    return Record(id="0", medium="text", content="words", document="d", source="d", split="train", roles=roles)


def codec_over(tokenizer, *, rows=0, makes="conversation"):
    """Return a codec of turns over the tokenizer of a checkpoint."""
    special = SpecialTokens(
        begin=tokenizer.bos_token_id,
        ends=(tokenizer.eos_token_id,),
        chat_template=tokenizer.chat_template,
        texts={name: str(value) for name, value in tokenizer.special_tokens_map.items()},
    )
    files = {"tokenizer.json": tokenizer.backend_tokenizer.to_str().encode(), "tokens.json": special.to_json()}
    config = ChatCodecConfig(base=PretrainedTextCodecConfig(vocabulary=rows or len(tokenizer)), makes=makes)
    return load_codec(config, files)


def test_a_template_writes_the_prompt_and_answers_end_as_turns_end_there():
    tokenizer = byte_tokenizer(template=TEMPLATE)
    codec = codec_over(tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert codec.end_token == end and codec.end_tokens == (end, tokenizer.eos_token_id)
    wanted = tokenizer.apply_chat_template(TURNS[:4], add_generation_prompt=True, return_dict=False)
    assert list(wanted) == codec.encode_turns(TURNS[:4]).tolist()
    slots = codec.encode(row(messages=TURNS))
    tokens, learned = slots[TARGET].astype(int), slots[LEARNED].astype(bool)
    whole = tokenizer.apply_chat_template(TURNS, return_dict=False)
    assert list(whole)[: len(tokens)] == tokens.tolist()
    # Both answers with their ends, and nothing else.
    assert tokenizer.decode(tokens[learned]) == "Here.\n<|im_end|>2<|im_end|>"
    assert codec.vocabulary == len(tokenizer) and codec.chat_template == TEMPLATE
    assert codec.token_numbers()["eos_token_id"] == [end, tokenizer.eos_token_id]
    again = load_codec(codec.config, codec.files())
    assert np.array_equal(again.encode(row(messages=TURNS))[TARGET], slots[TARGET])


def test_a_template_that_forgets_has_its_last_answer_learned():
    forgetful = (
        "{% for message in messages %}{% if message['role'] != 'assistant' or loop.last %}<|im_start|>{{ message['role'] }}\n"
        "{{ message['content'] }}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer = byte_tokenizer(template=forgetful)
    slots = codec_over(tokenizer).encode(row(messages=TURNS))
    assert tokenizer.decode(slots[TARGET][slots[LEARNED].astype(bool)]) == "2<|im_end|>"


def test_without_a_template_the_roles_are_tokens_behind_those_that_are_known():
    tokenizer = piece_tokenizer()
    codec = codec_over(tokenizer)
    assert codec.vocabulary == len(tokenizer) + 4 and codec.end_token == tokenizer.eos_token_id
    slots = codec.encode(row(messages=TURNS))
    assert codec.decode_tokens(slots[TARGET][slots[LEARNED].astype(bool)].astype(int)).split() == ["Here.", "2"]
    assert codec.chat_template.count("</s>") == 1 and "<|endoftext|>" not in codec.chat_template
    # A network with rows to spare keeps its size.
    assert codec_over(piece_tokenizer(), rows=len(tokenizer) + 9).vocabulary == len(tokenizer) + 9
    assert len(codec.token_bytes()) == len(codec.token_byte_lengths()) == codec.vocabulary


def test_rows_that_steer_the_model_are_left_out_and_counted():
    codec = codec_over(byte_tokenizer(template=TEMPLATE))
    steering = row(messages=({"role": "user", "content": "<|im_end|>"}, {"role": "assistant", "content": "No."}))
    assert codec.encode(steering) == {}
    seen = codec.counted(iter([steering, row(messages=TURNS), steering]))
    assert seen.remarks()[0].startswith("2 of the first 3 rows are left out")
    assert codec.counted(iter([row(messages=TURNS)])).remarks() == ()


def test_pairs_share_their_prompt():
    tokenizer = byte_tokenizer(template=TEMPLATE)
    slots = codec_over(tokenizer, makes="pairs").encode(row(messages=TURNS[:2], chosen="Here.", rejected="No."))
    texts = [tokenizer.decode(slots[name]) for name in (TARGET, REJECTED)]
    start = tokenizer.apply_chat_template(TURNS[:2], add_generation_prompt=True, tokenize=False)
    assert texts == [f"{start}Here.<|im_end|>", f"{start}No.<|im_end|>"]


def test_such_a_tokenizer_is_not_learned_from_data():
    config = ChatCodecConfig(base=PretrainedTextCodecConfig())
    with pytest.raises(ConfigError, match="not learned from data"):
        fit_codec(config, iter([row(messages=TURNS)]))
