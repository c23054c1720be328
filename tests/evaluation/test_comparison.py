"""What was predicted stands beside what happened, in one unit, with hit or miss."""

import pytest

from makar.evaluation.comparison import compare

PREDICTED = {
    "inner_loss": {"low": 1.0, "central": 1.2, "high": 1.4, "unit": "nats a byte"},
    "energy": {"watt_hours": {"low": 1.0, "central": 2.0, "high": 4.0}, "method": "guess"},
    "memory_bytes": 500_000_000,
    "disk_bytes": 9,
    "steps": 100,
    "item_name": "token",
    "measured": True,
}
REAL = {
    "inner_loss": 3.25,
    "unit": "nats a token",
    "bytes_per_token": 2.5,
    "energy_kwh": {"low": 0.003, "central": 0.005, "high": 0.008},
    "peak_memory_bytes": 400_000_000,
    "steps": 999,
    "last_stage": {"steps": 80},
}


def rows(predicted=PREDICTED, **changes):
    return {row.what: row for row in compare({**REAL, **changes, "predicted": predicted})}


def test_the_loss_of_tokens_is_compared_in_nats_a_byte():
    loss = rows()["loss on data it did not learn from"]
    assert (loss.low, loss.central, loss.high, loss.unit) == (1.0, 1.2, 1.4, "nats a byte")
    assert loss.real == pytest.approx(1.3) and loss.verdict == "hit"
    assert rows(inner_loss=4.0)[loss.what].verdict == "miss"
    assert rows(inner_loss=2.0)[loss.what].verdict == "miss"


def test_a_loss_whose_unit_cannot_be_brought_over_is_not_compared():
    assert "loss on data it did not learn from" not in rows(bytes_per_token=None)


def test_other_losses_are_compared_as_they_are():
    expected = {"low": 0.1, "central": 0.2, "high": 0.3, "unit": "mean squared error"}
    loss = rows({"inner_loss": expected}, inner_loss=0.25, unit="mean squared error")[
        "loss on data it did not learn from"
    ]
    assert loss.real == 0.25 and loss.verdict == "hit" and loss.unit == "mean squared error"


@pytest.mark.parametrize("unit", [None, "nats", "energy distance"])
def test_a_loss_of_another_kind_is_not_compared(unit):
    expected = {"low": 0.1, "central": 0.2, "high": 0.3, "unit": "mean squared error"}
    assert "loss on data it did not learn from" not in rows({"inner_loss": expected}, inner_loss=0.25, unit=unit)
    assert "loss on data it did not learn from" not in rows(unit=unit)


def test_energy_and_memory_are_compared():
    found = rows()
    assert found["energy"].real == pytest.approx(5.0) and found["energy"].verdict == "miss"
    assert found["memory"].verdict == "hit" and found["memory"].real_text == "400 MB"
    assert rows(peak_memory_bytes=600_000_000)["memory"].verdict == "miss"
    assert "disk" not in found


def test_plain_figures_say_how_far_off_they_are_and_come_from_the_last_stage():
    steps = rows()["steps"]
    assert (steps.predicted_text, steps.real_text, steps.verdict) == ("100", "80", "-20 %")


def test_a_range_is_written_with_its_middle():
    assert rows()["energy"].predicted_text == "1 to 4 Wh, about 2"


def test_what_is_not_known_is_left_out():
    assert compare({}) == () and compare({"predicted": PREDICTED}) == ()
