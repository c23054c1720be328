"""Conversations: turns in the form that a model knows, answers piece by piece, what no longer fits, what is broken off, what is kept."""

import json

import pytest
import torch

import makar
from makar.artifacts.save import save_artifact
from makar.codecs.chat_template import LARGEST_TEMPLATE, render_turns
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.errors import ConfigError, DataError, UnsupportedError, UsageError
from makar.families.family import build_family
from makar.families.transformer.config import TransformerConfig
from makar.generation.chat import Chat
from makar.generation.transcript import read_transcript, transcript_text
from makar.generation.turns import plain_form
from makar.recipe import Recipe, Stage
from tests.api.test_engines import chatty

OPTIONS = {"max_tokens": 12, "temperature": 1.0, "top_p": 1.0}
TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


def saved(place, *, context=128):
    """Return a small model of bytes whose text is anything."""
    codec = ByteCodecConfig()
    fitted = fit_codec(codec, iter(()))
    config = TransformerConfig(context=context, depth=1, width=16, heads=2).bound_to(fitted.spec)
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        # Letters only, so that nothing of an answer is white space.
        family.network.separate_head[:97] -= 9.0 * family.network.embeddings.new_ones(())
    recipe = Recipe(
        name="text", medium="text", summary="for tests", stages=(Stage(name="model", codec=codec, family=config),)
    )
    data = {"fingerprint": "ab" * 32, "name": "notes"}
    return save_artifact(place, recipe=recipe, codec=fitted, family=family, training={"run": ""}, data=data)


@pytest.fixture
def artifact(own_folder):
    """Return a small saved model."""
    return saved(own_folder / "models" / "talker")


def test_a_model_without_turns_is_asked_in_plain_form():
    turns = [*TURNS, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "More"}]
    assert plain_form(turns) == "Be brief.\n\nUser: Hello\nAssistant: Hi.\nUser: More\nAssistant:"


def test_a_stop_that_is_no_list_is_refused_and_not_taken_letter_by_letter(artifact):
    with pytest.raises(ConfigError, match="stop"):
        Chat(artifact, options={"stop": "END"})


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\x85", "\x0c"])
def test_a_conversation_with_letters_that_end_lines_elsewhere_is_read_again(letter, tmp_path):
    turns = [{"role": "user", "content": f"a{letter}b"}, {"role": "assistant", "content": "c"}]
    (tmp_path / "talk.jsonl").write_text(transcript_text(turns), encoding="utf-8")
    assert read_transcript(tmp_path / "talk.jsonl") == turns


def test_an_answer_is_what_the_model_writes_after_the_conversation(artifact):
    talk = Chat(artifact, system="Be brief.", options=OPTIONS, seed=4)
    pieces = list(talk.say("Hello"))
    model = makar.load(artifact.path)
    alone = model.generate(plain_form(TURNS), seed=4 + 1, options={**OPTIONS, "stop": ("\nUser:",)})[0].new_text
    assert "".join(pieces) == alone.lstrip()
    assert talk.messages == [*TURNS, {"role": "assistant", "content": alone.strip()}]
    assert talk.answers[0].new_text == alone and talk.answers[0].manifest["seed"] == 5


def test_the_history_is_part_of_the_next_question(artifact):
    first, second = Chat(artifact, options=OPTIONS), Chat(artifact, options=OPTIONS)
    first.reply("Hello"), second.reply("Goodbye")
    assert first.reply("And then?") != second.reply("And then?")
    assert [turn["role"] for turn in first.messages] == ["user", "assistant"] * 2
    again = Chat(artifact, options=OPTIONS)
    again.reply("Hello"), again.reply("And then?")
    assert again.messages == first.messages


def test_the_oldest_turns_are_left_out_when_the_context_is_full_and_the_system_prompt_stays(artifact):
    talk = Chat(artifact, system="Be brief.", options=OPTIONS)
    left = []
    for number in range(5):
        talk.reply(f"Number {number} of some questions")
        left.append(talk.left_out)
    assert left[0] == 0 and left == sorted(left) and left[-1] > 0 and left[-1] % 2 == 0
    prompt = talk.answers[-1].manifest["prompt"]
    assert prompt.startswith("Be brief.\n\nUser: Number") and "Number 0" not in prompt and "Number 4" in prompt
    assert len(prompt) + OPTIONS["max_tokens"] <= 128
    assert not talk.is_cut
    assert talk.reply("very long " * 40) and talk.is_cut and talk.left_out == 10


def test_a_model_that_knows_turns_leaves_out_the_oldest_too(own_folder):
    talk = Chat(chatty(own_folder / "chatty", context=128), options=OPTIONS)
    for number in range(5):
        talk.reply(f"Number {number} of some questions")
    asked = talk.answers[-1].manifest["prompt"]
    assert talk.left_out > 0 and talk.left_out % 2 == 0 and not talk.is_cut
    assert "Number 4" in str(asked) and "Number 0" not in str(asked)
    assert talk.reply("very long " * 40) and talk.is_cut and talk.left_out == 10


def test_a_stretched_context_holds_more_turns(own_folder):
    talker, long = chatty(own_folder / "chatty", context=128), "some questions " * 3
    left = []
    for stretch in (1.0, 8.0):
        talk = Chat(talker, options={**OPTIONS, "stretch": stretch})
        for number in range(3):
            talk.reply(f"Number {number} of {long}")
        left.append(talk.left_out)
    assert left[0] > 0 and left[1] == 0


def test_an_answer_that_is_broken_off_stays_as_far_as_it_came(artifact):
    talk = Chat(artifact, options={**OPTIONS, "max_tokens": 60})
    pieces = talk.say("Hello")
    part = next(pieces)
    pieces.close()
    assert talk.messages[-1] == {"role": "assistant", "content": part.strip()} and talk.answers == []
    assert talk.reply("Go on")


def test_what_is_kept_is_signed_and_can_be_gone_on_with(artifact, tmp_path):
    model = makar.load(artifact.path)
    talk = model.chat(system="Be brief.", options=OPTIONS)
    with pytest.raises(UsageError, match="no conversation"):
        talk.save(tmp_path / "empty.jsonl")
    talk.reply("Hello")
    file = talk.save(tmp_path / "talk.jsonl")
    messages, identity = talk.messages, talk.answers[0].id
    assert json.loads(file.read_text(encoding="utf-8")) == {"messages": messages}
    checked = makar.verify(file)
    assert checked.is_intact and checked.manifest["prompt"] == {"conversation": [identity]}
    again = model.chat(history=file, options=OPTIONS)
    assert again.messages == messages and again.reply("And?")
    with pytest.raises(UsageError, match="system prompt"):
        model.chat(system="Other.", history=file)
    file.write_text(file.read_text(encoding="utf-8").replace("Hello", "Hullo"), encoding="utf-8")
    assert not makar.verify(file).is_intact


@pytest.mark.parametrize(
    "text", ["", "nothing", "[]", '{"messages": 3}', '{"messages": [{"role": "boss", "content": ""}]}']
)
def test_a_file_that_is_no_conversation_is_refused(text, tmp_path):
    (tmp_path / "talk.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(DataError):
        read_transcript(tmp_path / "talk.jsonl")


def test_nothing_said_and_controls_that_are_unknown_are_refused_at_once(artifact):
    with pytest.raises(UsageError, match="nothing was said"):
        Chat(artifact).say("  ")
    with pytest.raises(UnsupportedError, match="steps"):
        Chat(artifact, options={"steps": 3})


def test_what_was_read_for_an_earlier_turn_is_not_read_again(own_folder):
    artifact = saved(own_folder / "models" / "talker", context=512)
    talk = Chat(artifact, options={**OPTIONS, "temperature": 0.0})
    read, sampler = [], talk._request.sampler
    for text in ("a long beginning " * 8, "b", "c"):
        talk.reply(text)
        read.append(sampler.read_tokens)
    # Bytes are tokens: of a later turn its own line, and the last answer, which stands behind a space now and may hold broken bytes.
    assert read[0] > 130 and max(read[1:]) < 60
    prompt = talk.answers[-1].manifest["prompt"]
    anew = makar.load(artifact.path).generate(
        prompt, seed=3, options={**OPTIONS, "temperature": 0.0, "stop": ("\nUser:",)}
    )
    assert anew[0].new_text == talk.answers[-1].new_text


def test_a_cache_that_grows_and_another_beginning_give_the_same_text(own_folder):
    artifact = saved(own_folder / "models" / "talker", context=4096)
    family, codec = artifact.family(), artifact.codec()
    usual, kept = family.sampler(codec), family.conversation_sampler(codec)

    def text(sampler, prompt, **changes):
        options = family.options(**{"max_tokens": 20, "temperature": 0.0, **changes})
        given = {"target": torch.from_numpy(codec.encode_text(prompt))}
        return b"".join(slots["text"].tobytes() for _, slots, _ in sampler.sample(options, [given], [1]))

    for prompt in ("one " * 20, "one " * 20 + "two", "one " * 400, "other", "one " * 20):
        assert text(kept, prompt) == text(usual, prompt)
    assert kept.read_tokens < 80
    assert text(kept, "one", precision="int8") == text(usual, "one", precision="int8")
    # Beyond the context the usual sampler goes on from the last half.
    assert text(kept, "one " * 1020) == text(usual, "one " * 1020)
    two = [{"target": torch.tensor([1, 2])}] * 2
    assert len(list(kept.sample(family.options(max_tokens=1), two, [1, 2]))) == 2


# --- chat templates ---------------------------------------------------------------------------------------------------------------

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_template_is_rendered_as_transformers_renders_it():
    transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
    from tests.families.pretrained.tiny_checkpoints import byte_tokenizer

    templates = [
        CHATML,
        "{{ bos_token }}{% for m in messages %}{% if loop.last %}{% continue %}{% endif %}{{ m.content | tojson }}{% endfor %}",
        "{%- for m in messages %}\n  {{- m['role'].upper() }}: {{ m['content'] | trim }}\n{%- endfor %}",
    ]
    for template in templates:
        theirs = byte_tokenizer(begin="<|begin|>", template=template)
        wanted = theirs.apply_chat_template(TURNS, tokenize=False, add_generation_prompt=True)
        assert render_turns(template, TURNS, theirs.special_tokens_map) == wanted
    assert transformers


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('only two roles') }}",
        "{% for",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ nothing.at.all }}",
        " " * (LARGEST_TEMPLATE + 1),
    ],
)
def test_a_template_that_refuses_or_reaches_out_is_an_error(template):
    with pytest.raises(UnsupportedError):
        render_turns(template, TURNS, {})


def test_a_checkpoint_with_a_template_is_asked_by_it(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
    from tests.families.pretrained import tiny_checkpoints

    folder = tiny_checkpoints.save("qwen2", tmp_path / "qwen2")
    talk = makar.load(folder).chat(options={"max_tokens": 5})
    talk.reply("Hi")
    codec = makar.load(folder).artifact.codec()
    turns = [{"role": "user", "content": "Hi"}]
    tokens = transformers.AutoTokenizer.from_pretrained(folder).apply_chat_template(turns, add_generation_prompt=True)
    assert codec.encode_turns(turns).tolist() == list(tokens["input_ids"])
    assert talk.answers[0].manifest["prompt"] == turns and talk.answers[0].manifest["continues_characters"] == 0
    with pytest.raises(UnsupportedError, match=r"holds \"<\|im_end\|>\""):
        talk.say("Hi<|im_end|>")
