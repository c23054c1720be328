"""Prompts as files: places are checked, versions follow the content, and what is built in can be filled and read again."""

from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from makar.codecs.pretrained_text import PretrainedTextCodec, SpecialTokens
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.errors import DataError, UnknownNameError, UsageError
from makar.families.pretrained.text_config import CAUSAL, SEQ2SEQ, PretrainedTextConfig
from makar.generation.answers import json_in, list_in, number_in, reader, vote
from makar.generation.prompt_file import (
    Filled,
    parse_prompt,
    prompt_paths,
    read_prompt,
    with_own_options,
    written_prompt,
)
from makar.generation.prompts import read_prompts
from makar.tensor_spec import SOURCE, TARGET

TEXT = """+++
summary = "explains"
system = "Be brief."
answer = 'so (\\w+)'
[variables]
topic = "what it is about"
level = { meaning = "for whom", default = "a child" }
[options]
stop = ["\\n"]
[[examples]]
topic = "rain"
answer = "so wet"
+++
Explain {{topic}} to {{ level }}:
"""


def parsed(old="", new=""):
    """Return the prompt above, with a change."""
    return parse_prompt(TEXT.replace(old, new, 1).encode(), name="explain")


def test_places_are_filled_behind_system_and_examples():
    filled = parsed()(topic="snow {{level}}")
    assert filled.text == "Be brief.\n\nExplain rain to a child: so wet\n\nExplain snow {{level}} to a child:"
    assert [turn["role"] for turn in filled.messages] == ["system", "user", "assistant", "user"]
    assert filled.messages[-1]["content"] == "Explain snow {{level}} to a child:"
    assert filled.origin == {
        "name": "explain",
        "version": parsed().version,
        "values": {"topic": "snow {{level}}", "level": "a child"},
        "examples": 1,
    }
    assert filled.options == {"stop": ("\n",)}


def test_the_version_is_that_of_the_content():
    assert parsed().version == parsed().version != parsed("Be brief.", "Be kind.").version


def test_what_is_missing_or_unknown_is_named():
    with pytest.raises(UsageError, match="what it is about"):
        parsed()()
    with pytest.raises(UnknownNameError, match="tpoic"):
        parsed()(tpoic="snow")


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("{{topic}}", "{{subject}}", "subject"),
        ("{{ level }}", "me", "level"),
        ("system =", "sytem =", "sytem"),
        ("+++\nsummary", "summary", "no head"),
        ('summary = "explains"', "summary = explains", "TOML"),
        ("(\\w+)", "(\\w+", "regular expression"),
        ('topic = "rain"\n', "", "example"),
        ('topic = "what it is about"', "topic = 3", "topic"),
        ("Explain {{topic}} to {{ level }}:", "", "stands nowhere"),
        ('stop = ["\\n"]', 'stop = "User:"', "stop is 'User:'"),
        ('stop = ["\\n"]', "stop = [3]", "stop is"),
        ("[[examples]]", "[examples]", "examples are tables"),
        ('[options]\nstop = ["\\n"]', "[options.stop]", "stop is"),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(old, new, words):
    with pytest.raises(DataError, match=words) as raised:
        parsed(old, new)
    assert "explain" in str(raised.value)


@pytest.mark.parametrize("head", ['variables = "topic"', 'options = "fast"', 'examples = ["rain"]'])
def test_a_head_without_the_tables_it_should_have_is_refused(head):
    with pytest.raises(DataError, match="are tables"):
        parse_prompt(f"+++\n{head}\n+++\nExplain.\n".encode(), name="explain")


def test_the_mark_that_some_editors_begin_files_with_is_no_part_of_it():
    assert parse_prompt(b"\xef\xbb\xbf" + TEXT.encode(), name="explain").body == parsed().body


def test_a_prompt_is_written_as_it_is_read():
    for path in prompt_paths().values():
        prompt = read_prompt(path)
        again = parse_prompt(written_prompt(prompt).encode(), name=prompt.name)
        assert again.fill(_values(prompt)).text == prompt.fill(_values(prompt)).text
        assert (again.options, again.answer, again.system) == (prompt.options, prompt.answer, prompt.system)


@pytest.mark.parametrize(
    "name",
    [
        "tutor",
        "support",
        "story",
        "article",
        "essay",
        "email",
        "poem",
        "summary",
        "translate",
        "review",
        "reason",
        "classify",
        "ask",
    ],
)
def test_built_in_prompts_say_what_they_are_for_and_carry_their_values(name):
    prompt = read_prompt(name)
    values = _values(prompt)
    filled = prompt.fill(values)
    assert prompt.summary and all(value in filled.text for value in values.values())
    assert not filled.text.endswith((" ", "\n"))


def _values(prompt):
    return {one.name: f"the {one.name} of it" for one in prompt.variables}


def test_prompts_of_the_user_come_first_and_unknown_names_are_proposed(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "tutor.prompt").write_text(TEXT, encoding="utf-8")
    assert read_prompt("tutor").summary == "explains"
    with pytest.raises(UnknownNameError, match="tutor"):
        read_prompt("tutr")


def test_controls_of_a_request_stand_above_those_of_the_prompt():
    filled = read_prompt("review")(code="x = 1")
    assert with_own_options(filled, {"max_tokens": 5})["max_tokens"] == 5
    assert "json_schema" in with_own_options(filled, {})
    assert "json_schema" not in with_own_options(filled, {"choice": "a,b"})
    assert with_own_options("text", {"top_k": 3}) == {"top_k": 3}
    with pytest.raises(UsageError):
        with_own_options([filled, read_prompt("poem")(subject="rain")], {})
    assert isinstance(filled, Filled)


@pytest.mark.parametrize("task, slot", [(CAUSAL, TARGET), (SEQ2SEQ, SOURCE)])
def test_a_checkpoint_without_a_chat_template_is_asked_in_plain_text(task, slot):
    letters = {letter: at for at, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    own = Tokenizer(models.BPE(vocab={**letters, "<end>": len(letters)}, merges=[]))
    own.pre_tokenizer, own.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    config = PretrainedTextConfig(base="0" * 64, task=task, vocabulary=len(letters) + 1, context=64)
    codec = PretrainedTextCodec(PretrainedTextCodecConfig(), own, SpecialTokens(ends=(len(letters),)))
    filled = read_prompt("tutor")(topic="rain")
    (read,) = read_prompts(filled, codec, SimpleNamespace(config=config))
    assert codec.decode({TARGET: read.slots[slot].numpy()}) == filled.text
    assert read.is_answered and read.origin == filled.origin


def test_answers_are_read_and_the_majority_wins():
    assert reader(r"answer is (\d+)")("The answer is 3. No, the answer is 4.") == "4"
    assert reader(r"\d+")("none") == "" and reader(None)(" a ") == "a"
    assert parsed().answer_in("so it is, so blue") == "blue"
    with pytest.raises(UsageError):
        reader("(")
    found = vote(["is 3", "is 4", "?", "is 4", "?", "?"], answer=reader(r"\d"))
    assert (found.answer, found.share, found.winner) == ("4", 1 / 3, 1)
    assert found.counts == {"": 3, "4": 2, "3": 1}
    scored = vote(["is 3", "is 4", "is 4"], answer=reader(r"\d"), scorer=lambda text: 5.0 if "3" in text else 1.0)
    assert scored.answer == "3"


def test_json_lists_and_numbers_are_found_in_text():
    assert json_in('Well: [1, {"a": 2}] so') == [1, {"a": 2}]
    with pytest.raises(DataError):
        json_in("nothing [here")
    assert list_in("Two:\n- red\n* blue") == ["red", "blue"] and list_in("a\n\nb") == ["a", "b"]
    assert [number_in(text) for text in ("it is $1,200.", "3.50 or -2", "none", "10")] == ["1200", "-2", "", "10"]
