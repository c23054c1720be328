"""The joint: what fits is accepted, and every way of not fitting is named."""

import dataclasses

import pytest

from makar.tensor_spec import Slot, TensorSpec, mismatches

IMAGE = Slot(kind="values", axes=("channels", "height", "width"), sizes=(3, 32, 32))
TEXT = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=256)
CLASS = Slot(kind="tokens", axes=(), sizes=(), vocabulary=10)


def test_equal_specifications_fit() -> None:
    assert (
        mismatches(TensorSpec({"target": IMAGE, "class": CLASS}), TensorSpec({"target": IMAGE, "class": CLASS})) == []
    )


def test_open_size_and_open_vocabulary_accept_anything() -> None:
    accepted = dataclasses.replace(IMAGE, sizes=(None, None, None))
    assert mismatches(TensorSpec({"target": IMAGE}), TensorSpec({"target": accepted})) == []
    assert (
        mismatches(TensorSpec({"target": TEXT}), TensorSpec({"target": dataclasses.replace(TEXT, vocabulary=None)}))
        == []
    )


def test_optional_slot_may_be_absent_and_required_slot_may_not() -> None:
    optional = dataclasses.replace(CLASS, optional=True)
    assert mismatches(TensorSpec({"target": IMAGE}), TensorSpec({"target": IMAGE, "class": optional})) == []
    assert mismatches(TensorSpec({"target": IMAGE}), TensorSpec({"target": IMAGE, "class": CLASS}))


def test_slot_that_the_family_cannot_use_is_named() -> None:
    reasons = mismatches(TensorSpec({"target": IMAGE, "mask": CLASS}), TensorSpec({"target": IMAGE}))
    assert len(reasons) == 1 and '"mask"' in reasons[0]


@pytest.mark.parametrize(
    "change",
    [{"kind": "tokens"}, {"axes": ("length",), "sizes": (None,)}, {"sizes": (1, 32, 32)}, {"minimum": 0.0}],
)
def test_every_difference_is_a_mismatch(change: dict) -> None:
    assert mismatches(TensorSpec({"target": IMAGE}), TensorSpec({"target": dataclasses.replace(IMAGE, **change)}))


def test_other_vocabulary_is_a_mismatch() -> None:
    assert mismatches(TensorSpec({"target": TEXT}), TensorSpec({"target": dataclasses.replace(TEXT, vocabulary=255)}))
