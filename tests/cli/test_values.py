"""Values of options: controls of a model are read as JSON or text, and nothing is set in silence."""

import pytest

from makar.cli.values import controls_of
from makar.errors import UsageError


def test_controls_are_numbers_where_they_are_and_text_otherwise() -> None:
    found = controls_of(["truncation_psi=0.7", "mix_seed=8", "label=a=b", "solver=heun", "stop=null"])
    assert found == {"truncation_psi": 0.7, "mix_seed": 8, "label": "a=b", "solver": "heun", "stop": None}
    assert controls_of([]) == {}


@pytest.mark.parametrize("assignments", [["truncation_psi"], ["=3"], ["a=1", "a=2"]])
def test_what_sets_nothing_or_twice_is_refused(assignments: list[str]) -> None:
    with pytest.raises(UsageError):
        controls_of(assignments)


def test_what_another_option_sets_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        controls_of(["steps=3"], taken={"steps": 4})
