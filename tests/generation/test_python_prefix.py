"""What can begin Python: every beginning of real files can, planted mistakes cannot, and what is broken off is made whole."""

import os
import random
from pathlib import Path

import pytest

from makar.generation.python_ending import ending
from makar.generation.python_fragment import python_of
from makar.generation.python_prefix import PythonSource, begins_python, is_python

LIBRARY = Path(os.__file__).parent
FILES = ("asyncio/taskgroups.py", "dataclasses.py", "json/encoder.py", "contextlib.py", "ast.py", "ntpath.py")


def source_of(text):
    """Return a text as the beginning of Python, which it is."""
    source = PythonSource().read(text)
    assert source is not None, text[-200:]
    return source


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_can_be_read_piece_by_piece(name):
    text = (LIBRARY / name).read_text(encoding="utf-8")
    draw, source, place = random.Random(name), PythonSource(), 0
    while place < 3000:
        piece = text[place : place + draw.choice((1, 2, 3, 8, 40, 90))]
        after = source.read(piece)
        assert after is not None, (text[place - 80 : place], piece)
        source, place = after, place + len(piece)
    # What is kept is what matters, not all that was read.
    assert len(source.text) < place / 2


@pytest.mark.parametrize("name", FILES)
def test_what_is_broken_off_anywhere_is_made_whole(name):
    text = (LIBRARY / name).read_text(encoding="utf-8")
    for place in random.Random(name).sample(range(min(len(text), 20_000)), 5):
        said = ending(source_of(text[:place]))
        assert said is not None and is_python(text[:place] + said), (text[place - 80 : place], said)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "# é", "x = a i", "x = a !", "x = 'a\\", "x = '\\x4", "x = '\\u12", "x = '\\N{LATIN", "x = b'\\x", "x = 0x", "x = 1e-",
        "x = 1_", "x = ..", "x = 01", "def f() -", "if (x :", "x = 1 \\", "x = 1 + \\\n", "if x:\n", "if x:\n    ", "if x: # c\n",
        "try:\n  x\ne", "x = 'a' f", "x = (a\n  # c\n", "@", "async", "match x:\n  c", "from ..", "x = a if b e", "a no", "f(*", "x: i",
        "f'{", "f'{a!", "f'{a!r:", "f'{a:>{w", "f'{a=", "f'{{", "f'{{}", "f'{a for", "f'{\"b", "f'''{a\n", "rf'\\d{", "f'a' 'b",
    ],
)  # fmt: skip
def test_what_can_go_on_is_python_so_far(text):
    assert begins_python(text)


@pytest.mark.parametrize(
    "text",
    [
        " x\n", "x = a b", "if x\n", "x = )", "(]", "x = 'a\n", "else:", "x = $", "x = ?", "def f(\n  x y", "class A\n", "x = 1x",
        "x = 0xg",
        "x = 1 + # c", "x = 1 +\n", "1 = x", "f(x) = ", "if x:\ny ", "def f():\n  x\n y", "x = '\\xg", "'\\U0011", "b'é", "x\0", "for x y",
        "try:\n  x\ny =", "print x", "a = = b", "'a' b'c' d", "\\ x", "x..", "1.2.3", "if x:\n    pass\n  els", "lambda x y", "return x y",
        "f'{a b", "f'{a b}", "f'{a!x", "f'}a", "f'{a\\", "f'{}'", "f'{a)'", "f'{a:{b:{c", "f'{lambda:", "Once upon a time",
    ],
)  # fmt: skip
def test_what_no_python_begins_with_is_refused(text):
    assert not begins_python(text)


FORMS = """
class Bear(Animal, wild=True):
    '''It says "no".'''

    @property
    def paws(self) -> int:
        try:
            for paw in range(4):
                if paw: continue
                elif not paw:
                    x = f"{paw!r:>{self.width}} {'a'}"
                else:
                    pass
        except* (KeyError, ValueError) as error:
            raise RuntimeError from error
        finally:
            with (open("a") as a, b): yield [
                x for x in a  # why
                if x]
        match self:
            case {"a": 1, **rest} if rest:
                return 0x1f + 1e-3
            case _:
                x = lambda *a, k=1: (yield)
    async def walk(self): await \\
        self.go()
print(b"\\x00" rb"\\d", end="")
"""


def test_what_was_dropped_does_not_matter():
    draw = random.Random(0)
    wrongs = ("x", " ", ")", ":", "\n", "else:", "    except:", "case 1:", "=", "'", "elif x:", "\n    y", "def ")
    outcomes = set()
    for place in draw.sample(range(len(FORMS)), 40):
        before = FORMS[:place]
        source = source_of(before)
        for after in (FORMS[place:], *draw.sample(wrongs, 3)):
            can = source.read(after) is not None
            assert can == begins_python(before + after), (before[-60:], after)
            outcomes.add(can)
    assert outcomes == {True, False} and source_of(FORMS).is_whole


def test_white_space_where_nothing_can_follow_is_not_meant():
    deep, well = source_of("if x:\n    y\n        "), source_of("if x:\n    y\n  ")
    assert not deep.is_meant and deep.read("# c") is not None and well.is_meant
    assert source_of("if x:\n      ").is_meant and not source_of("x = 1 + \\\n  \\").is_meant


@pytest.mark.parametrize(
    ("prompt", "levels"),
    [
        ("def f(x):\n    ", [""]),
        (" def f(x):\n    return", [""]),
        ("    def f(x):\n        return", ["", "    "]),
        ("        a method's end.\n        '''\n        return 1\n    def g(self):\n        x", ["", "    "]),
        ('of a docstring.\n        """\n', ["", "    ", "        "]),
        ("x = (1,\n2]\nclass A:\n\tdef f(self):\n\t\ty = [", ["", "\t"]),
    ],
)
def test_a_prompt_is_read_where_it_was_cut(prompt, levels):
    source = python_of(prompt)
    assert source is not None and source.indentations == levels


@pytest.mark.parametrize(
    "prompt", ["Once upon a time", "Once upon a time.\nThere was", "def area(radius) x", "if only:\n he 'had known"]
)
def test_a_prompt_without_python_is_none(prompt):
    assert python_of(prompt) is None
