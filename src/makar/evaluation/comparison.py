"""What the plan predicted beside what happened, in the same units: ranges are hit or missed, needs are enough or not.

The loss of text is predicted in nats a byte, because the plan does not know the codec yet, and measured in nats a token; the mean bytes
of a token of the inner set, which the training noted, bring the second to the first.
"""

import dataclasses
import math
from typing import Any, TypeGuard

HIT, MISS = "hit", "miss"
NATS_A_BYTE, NATS_A_TOKEN, SQUARED_ERROR = "nats a byte", "nats a token", "mean squared error"
UNITS = {"memory_bytes": "bytes", "disk_bytes": "bytes", "seconds": "s", "items_per_second": "/s"}
NEEDS = ("memory_bytes", "disk_bytes")
"""Figures that are predicted as what will do: more than enough is a hit."""

PLAIN = ("steps", "items", "seconds", "items_per_second", "peak_fraction", "parameters")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """One figure of the plan beside the real one.

    Attributes:
        what: Its name.
        low: Lower end of what was predicted; the same as ``central`` where no range was given.
        central: What was most likely.
        high: Upper end.
        real: What happened.
        unit: Unit of all four.
        verdict: ``"hit"`` or ``"miss"`` where a range or a need was predicted, otherwise how far off in per cent.
    """

    what: str
    low: float
    central: float
    high: float
    real: float
    unit: str
    verdict: str

    @property
    def predicted_text(self) -> str:
        """What was predicted, for people."""
        if self.low == self.high:
            return _text(self.central, self.unit)
        low, central = (_text(value, "") for value in (self.low, self.central))
        return f"{low} to {_text(self.high, self.unit)}, about {central}"

    @property
    def real_text(self) -> str:
        """What happened, for people."""
        return _text(self.real, self.unit)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        predicted = {"low": self.low, "central": self.central, "high": self.high}
        return {
            "what": self.what,
            "predicted": predicted,
            "real": self.real,
            "unit": self.unit,
            "verdict": self.verdict,
        }


def compare(training: dict[str, Any]) -> tuple[Comparison, ...]:
    """Return every figure of the plan that is known to have come out, the loss first.

    Args:
        training: The training facts of a model: ``predicted`` from the plan, and what happened.
    """
    predicted = training.get("predicted") or {}
    rows = [_loss(predicted.get("inner_loss"), training), _energy(predicted.get("energy"), training)]
    # The plan speaks of the last stage, which is the one that is judged.
    real = {**training, **(training.get("last_stage") or {})}
    real["memory_bytes"] = training.get("peak_memory_bytes")
    for name in (*NEEDS, *PLAIN):
        expected, found = predicted.get(name), real.get(name)
        if _is_number(expected) and _is_number(found):
            rows.append(_plain(name, float(expected), float(found)))
    return tuple(row for row in rows if row is not None)


def _loss(expected: Any, training: dict[str, Any]) -> Comparison | None:
    real = training.get("inner_loss")
    if not _is_range(expected) or not _is_number(real):
        return None
    unit = str(expected.get("unit", ""))
    real_unit = training.get("unit")
    if unit == NATS_A_BYTE and real_unit == NATS_A_TOKEN:
        bytes_a_token = training.get("bytes_per_token")
        if not _is_number(bytes_a_token) or not bytes_a_token > 0:
            return None
        real = real / bytes_a_token
    elif real_unit != unit:
        return (
            None  # a family whose loss is something else than what was predicted, or a model that did not note its unit
        )
    return _range("loss on data it did not learn from", expected, float(real), unit)


def _energy(expected: Any, training: dict[str, Any]) -> Comparison | None:
    watt_hours = expected.get("watt_hours") if isinstance(expected, dict) else None
    real = training.get("energy_kwh")
    if not _is_range(watt_hours) or not isinstance(real, dict) or not _is_number(real.get("central")):
        return None
    return _range("energy", watt_hours, 1000.0 * float(real["central"]), "Wh")


def _range(what: str, expected: dict[str, Any], real: float, unit: str) -> Comparison:
    low, central, high = (float(expected[name]) for name in ("low", "central", "high"))
    verdict = HIT if low <= real <= high else MISS
    return Comparison(what=what, low=low, central=central, high=high, real=real, unit=unit, verdict=verdict)


def _plain(name: str, expected: float, real: float) -> Comparison:
    if name in NEEDS:
        verdict = HIT if real <= expected else MISS
    else:
        verdict = f"{100 * (real / expected - 1):+.0f} %" if expected else ""
    what = name.removesuffix("_bytes").replace("_", " ")
    unit = UNITS.get(name, "")
    return Comparison(what=what, low=expected, central=expected, high=expected, real=real, unit=unit, verdict=verdict)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_range(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and all(_is_number(value.get(name)) for name in ("low", "central", "high"))


def _text(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 1e6:,.0f} MB" if value < 1e9 else f"{value / 1e9:,.2f} GB"
    figures = f"{value:,.0f}" if value == int(value) or abs(value) >= 1e4 else f"{value:,.4g}"
    return f"{figures} {unit}".strip()
