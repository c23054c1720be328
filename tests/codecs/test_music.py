"""Music by tokens: every word is one, training hears every key, what is told comes first, a part can run ahead."""

import dataclasses

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.music import MOVES, WORDS
from makar.codecs.music_config import MusicCodecConfig
from makar.data.score import score_of, voices_of
from makar.errors import DataError, EmptyDataError, UnsupportedError
from tests.contract import samples


@pytest.fixture(scope="module")
def codec():
    return fit_codec(MusicCodecConfig(untold=0.0, leading_share=0.0), iter(samples.records("music")))


def names(codec, tokens):
    return [codec.tokenizer.id_to_token(int(token)) for token in tokens]


def pieces_in(codec, tokens):
    """Return what is between the ends."""
    ends = np.flatnonzero(tokens == codec.end_token)
    return [part[:-1] for part in np.split(tokens, ends + 1)[:-1]]


def test_every_word_is_one_token_and_comes_back(codec):
    text = " ".join(WORDS)
    tokens = codec.encode_text(text)
    assert names(codec, tokens) == list(WORDS) and codec.decode({"target": tokens}) == text


def test_a_training_piece_is_heard_in_every_key_that_fits_and_told_so(codec):
    record = samples.records("music")[0]
    heard = pieces_in(codec, codec.encode(record)["target"])
    assert len(heard) == len(MOVES)
    keys = {names(codec, piece)[1] for piece in heard}
    assert len(keys) == 12 and all(key.startswith("<|key:") for key in keys)
    lowest = [min(note.pitch for note in score_of(codec.decode({"target": piece})).notes) for piece in heard]
    assert sorted(np.array(lowest) - lowest[0]) == sorted(MOVES)


def test_a_held_out_piece_is_heard_once_as_it_is(codec):
    record = dataclasses.replace(samples.records("music")[0], split="held_out")
    (piece,) = pieces_in(codec, codec.encode(record)["target"])
    assert codec.decode({"target": piece}) == record.content


def test_fewer_keys_are_fewer_pieces():
    codec = fit_codec(MusicCodecConfig(keys=3), iter(samples.records("music")))
    assert len(pieces_in(codec, codec.encode(samples.records("music")[0])["target"])) == 3


def test_style_key_instruments_metre_and_tempo_can_be_told(codec):
    told = names(
        codec, codec.encode_prompt("key=a_minor style=odd instruments=24,0 metre=3/4 tempo=121".replace("_", ""))
    )
    assert told == ["<|style:odd|>", "<|key:Am|>", "<|plays:0|>", "<|plays:24|>", "m3/4", "q120"]
    assert names(codec, codec.encode_prompt("tempo=60")) == ["m4/4", "q56"]
    assert names(codec, codec.encode_prompt("key=C m4/4 q96 bar p0")) == ["<|key:C|>", "m4/4", "q96", "bar", "p0"]


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("key=H", 'the key "H"'),
        ("style=polka", "one of|odd"),
        ("instruments=piano", 'the instruments "piano"'),
        ("metre=7/13", 'the metre "7/13"'),
        ("tempo=9999", 'the tempo "9999"'),
        ("volume=3", '"volume="'),
        ("tempo=96 m4/4 q80", "metre or tempo"),
    ],
)
def test_what_was_not_learned_cannot_be_told(codec, prompt, words):
    with pytest.raises(UnsupportedError, match=words):
        codec.encode_prompt(prompt)


def test_words_that_are_no_notation_are_refused(codec):
    with pytest.raises(DataError, match="'hello' is no notation"):
        codec.encode_prompt("hello")
    with pytest.raises(DataError, match="'S60' is no notation"):
        codec.encode_text("m4/4 q96 grid S60")
    with pytest.raises(DataError, match="without notes"):
        codec.encode(dataclasses.replace(samples.records("music")[0], content="m4/4 q96 bar"))
    with pytest.raises(EmptyDataError):
        fit_codec(MusicCodecConfig(), iter(()))


def test_a_part_runs_ahead_by_the_lead_in_words_of_its_own():
    codec = fit_codec(
        MusicCodecConfig(leading_share=1.0, lead_steps=4, keys=2, untold=0.0), iter(samples.records("music"))
    )
    grid = next(record for record in samples.records("music") if "grid" in record.content)
    plain, moved = pieces_in(codec, codec.encode(grid)["target"])
    assert codec.decode({"target": plain}) == grid.content
    words = names(codec, moved)
    (mark,) = [word for word in words if word.startswith("<|leads:")]
    letter = mark[8].upper()
    own = [word for word in words if word[0] == letter]
    score = score_of(grid.content).moved(MOVES[1])
    row = voices_of(score)["SATB".index(letter)]
    assert own == [f"{letter}{pitch}" for pitch in row]
    head = words[words.index("grid") + 1 :][:4]
    assert all(word[0] == letter for word in head)
    assert sum(word[0] in "satb" and word != "bar" for word in words) == 3 * score.steps
    assert set(codec.never_drawn) >= {codec.tokenizer.token_to_id(word) for word in own}


@pytest.mark.parametrize("leads", [0.0, 1.0])
def test_what_is_told_is_told_again_in_every_bar(leads):
    settings = MusicCodecConfig(leading_share=leads, lead_steps=4, keys=2, untold=0.0, remind_bars=1)
    codec = fit_codec(settings, iter(samples.records("music")))
    plain = fit_codec(settings.changed(remind_bars=0), iter(samples.records("music")))
    for record in samples.records("music")[:4]:
        for piece, bare in zip(*(pieces_in(one, one.encode(record)["target"]) for one in (codec, plain)), strict=True):
            words = names(codec, piece)
            mark, bar = (":", 4) if "grid" in words else ("bar", 1)
            places = [place for place, word in enumerate(words) if word == mark]
            told = [word for word in words[: words.index(mark)] if word.startswith(("<|style:", "<|key:", "<|plays:"))]
            assert told and len(places) > bar, "a piece of one bar shows nothing"
            for number, place in enumerate(places):
                before = words[place - len(told) : place]
                assert (before == told) == ((number % bar == 0 and number > 0) or words[: len(told)] == before)
            assert codec.decode({"target": piece}) == plain.decode({"target": bare})


def test_a_prompt_goes_on_with_what_it_tells_between_its_bars():
    codec = fit_codec(MusicCodecConfig(remind_bars=2), iter(samples.records("music")))
    words = names(codec, codec.encode_prompt("key=D m4/4 q96 bar p0 bar p0 bar p0 bar p0 bar p0"))
    told = [place for place, word in enumerate(words) if word == "<|key:D|>"]
    assert told == [0, 7, 12] and words[8] == words[13] == "bar"
