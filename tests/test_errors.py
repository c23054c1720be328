"""Errors explain themselves, and the tree at the top of the file is the tree in the code."""

import inspect

from makar import errors
from makar.errors import MakarError, MissingExtraError, UnknownNameError


def test_nearest_name_is_proposed_and_far_names_are_not() -> None:
    assert UnknownNameError("recipe", "txet", ["text", "image"]).do == 'did you mean "text"?'
    assert UnknownNameError("recipe", "zzzz", ["text", "image"]).do == ""


def test_message_has_what_came_what_was_expected_and_what_to_do() -> None:
    assert str(MakarError("a", expected="b", do="c")) == "a\nexpected: b\ndo: c"
    assert MakarError("a").as_dictionary() == {"error": "MakarError", "came": "a", "expected": "", "do": ""}


def test_missing_extra_gives_the_install_command() -> None:
    assert "pip install 'makar[onnx]'" in str(MissingExtraError("onnxruntime", extra="onnx"))


def test_every_error_is_in_the_drawn_tree_and_has_an_exit_code() -> None:
    drawn = errors.__doc__ or ""
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, MakarError)]
    assert len(classes) > 10
    for error in classes:
        assert error.__name__ in drawn
        assert error.exit_code in (1, 2, 130)
