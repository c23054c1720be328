"""Text that keeps to the syntax of Python: whatever a model has learned it parses, and what cannot be kept is refused."""

import numpy as np
import pytest
import torch

import makar
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig, code_codec
from makar.data.record import Record
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.families.transformer.options import TextOptions
from makar.families.transformer.sampling import choose, strategies
from makar.generation.python_prefix import begins_python, is_python
from makar.generation.syntax import read_syntax
from makar.generation.syntax_constraint import SyntaxConstraint
from makar.serving.work import facts_of
from tests.generation.small_coder import FILE, coder
from tests.serving.server import talker

PROMPT = "def f(x):\n    return "


@pytest.fixture(scope="module")
def codec():
    """Return pairs of letters of a little code."""
    text = FILE + 'try:\n    x = [f"{a!r}"]\nexcept KeyError as error:\n    raise\nfinally:\n    pass\n'
    record = Record(id="0", medium="code", content=text, document="d", source="d.py", split="train")
    return fit_codec(code_codec(340), iter([record] * 4))


def drawn(codec, constraint, *, prompt, seed, limit, temperature=0.5, biased=None):
    """Return the text of a model that has learned nothing, drawn under a constraint, and whether it ended by itself."""
    chain = strategies(TextOptions(temperature=temperature), () if constraint is None else (constraint,))
    generator = torch.Generator().manual_seed(seed)
    history = codec.encode_text(prompt).tolist()
    start = len(history)
    for _ in range(limit):
        logits = torch.randn(codec.vocabulary + 2, generator=generator) * 8
        if biased is not None:
            logits[biased] += 40
        token = choose(logits, history, chain=chain, generator=generator)
        if token in codec.end_tokens:
            return codec.decode_tokens(np.array(history[start:])), True
        history.append(token)
    return codec.decode_tokens(np.array(history[start:])), False


def constraint_of(codec, *, limit, temperature=0.5):
    """Return the constraint of a model."""
    return SyntaxConstraint("python", codec, end_tokens=codec.end_tokens, limit=limit, temperature=temperature)


def test_what_a_model_writes_parses_whatever_it_has_learned(codec):
    constraint = constraint_of(codec, limit=40)
    texts = [drawn(codec, constraint, prompt=PROMPT, seed=seed, limit=40)[0] for seed in range(20)]
    assert len(set(texts)) == 20 and [text for text in texts if not is_python(PROMPT + text)] == []
    free = [drawn(codec, None, prompt=PROMPT, seed=seed, limit=40)[0] for seed in range(20)]
    assert not any(begins_python(PROMPT + text) for text in free)


def test_letters_of_several_bytes_are_put_together_byte_by_byte():
    codec = fit_codec(ByteCodecConfig(), iter(()))
    constraint = constraint_of(codec, limit=90)
    biased = [*range(0xC3, 0xC8), *range(0x80, 0xC0)]
    text, _ = drawn(codec, constraint, prompt="é = '", seed=1, limit=90, biased=biased)
    assert is_python("é = '" + text) and "\ufffd" not in text and any(letter > "\x7f" for letter in text)


def test_a_text_ends_only_where_it_is_whole(codec):
    (end,) = codec.end_tokens
    text, is_over = drawn(codec, constraint_of(codec, limit=30), prompt="x = [1, (2", seed=0, limit=30, biased=end)
    assert is_over and is_python("x = [1, (2" + text)


def test_brackets_are_closed_in_time(codec):
    (bracket,) = codec.encode_text("(")
    text, _ = drawn(codec, constraint_of(codec, limit=60), prompt="x = ", seed=0, limit=60, biased=bracket)
    assert text.count("(") > 15 and is_python("x = " + text)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a model of code that has learned next to nothing."""
    artifact = coder(tmp_path_factory.mktemp("coder") / "model", steps=1)
    return makar.load(str(artifact.path))


OPTIONS = {"max_tokens": 30, "temperature": 1.2, "syntax": "python"}


def test_a_model_goes_on_with_a_prompt_as_python(model):
    free, held = (model.generate(PROMPT, seed=3, options=OPTIONS | {"syntax": name})[0] for name in ("any", "python"))
    assert not begins_python(free.content) and is_python(held.content) and held.content.startswith(PROMPT)
    assert held.manifest["syntax"] == {"language": "python", "is_kept": True, "is_whole": True}
    assert "syntax" not in free.manifest
    streamed = [piece for piece in model.stream(PROMPT, seed=3, options=OPTIONS) if isinstance(piece, str)]
    assert "".join(streamed) == held.new_text
    # Without a prompt, and steered, it is Python too.
    assert is_python(model.generate(seed=1, options=OPTIONS | {"presence_penalty": 0.5})[0].content)


def test_what_cannot_be_kept_is_refused(model, codec, tmp_path):
    with pytest.raises(UsageError, match=r"the prompt 'def f\(x\) y' cannot begin python"):
        model.generate("def f(x) y", options=OPTIONS)
    with pytest.raises(UnknownNameError, match='"fortran"'):
        read_syntax({"syntax": "fortran"}, None)
    with pytest.raises(UnsupportedError, match="a choice at once"):
        model.generate("x", options=OPTIONS | {"choice": "a,b"})
    path = tmp_path / "new.py"
    path.write_text("def f(x):\n<FILL_ME>\n", encoding="utf-8")
    with pytest.raises(UnsupportedError):
        model.edit(path, how={"infill": True}, options={"syntax": "python"})
    with pytest.raises(UnsupportedError, match="follows no single text"):
        constraint_of(codec, limit=5)(torch.zeros(codec.vocabulary), torch.zeros(1, dtype=torch.int64))
    assert any(control["name"] == "syntax" for control in facts_of(model, {})["options"])
    talks = makar.load(str(talker(tmp_path / "talker").path))
    assert not any(control["name"] == "syntax" for control in facts_of(talks, {})["options"])
