"""Events of a training: dictionaries to whoever watches, and one JSON line each in the run's append-only ``metrics.jsonl``.

Every event has ``event``, ``stage`` and ``seconds`` (consumed so far). ``progress`` comes at most twice a second. After a resume a
step may appear twice in the file: the later line counts, which ``read_curve`` honours. A line that a kill cut short is closed before the
next one begins. What is not a number is ``null`` in the file, because JSON has no NaN.
"""

import dataclasses
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from makar.families.family import Family

PROGRESS_SECONDS = 0.5
UNREADABLE = "unreadable"


def ignore_event(event: dict[str, Any]) -> None:
    """Take an event and do nothing."""
    del event


def never_stop() -> bool:
    """Return that nobody asked to stop."""
    return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watch:
    """What looks on while a training runs.

    Attributes:
        on_event: Called with every event.
        stop: Asked once a step; ``True`` saves and stops.
        sample: Makes a sample for the log from the averaged weights; its result is the event's ``sample``.
        checkpoint_seconds: Shortest time between two checkpoints.
    """

    on_event: Callable[[dict[str, Any]], None] = ignore_event
    stop: Callable[[], bool] = never_stop
    sample: "Callable[[Family], Any] | None" = None
    checkpoint_seconds: float = 10.0


class EventLog:
    """Writes events to a file and hands them on.

    Args:
        path: The ``metrics.jsonl``; ``None`` only hands on (other processes of a distributed run).
        stage: Name of the stage.
        on_event: Called with every event.
        consumed: Returns the consumed seconds.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        stage: str,
        on_event: Callable[[dict[str, Any]], None],
        consumed: Callable[[], float],
    ) -> None:
        self._path = path
        if path is not None:
            _close_torn_line(path)
        self._stage = stage
        self._on_event = on_event
        self._consumed = consumed
        self._last_progress = -math.inf

    def emit(self, event: str, **values: Any) -> None:
        """Send one event; the file leaves out ``sample``, which may be a picture."""
        line = {"event": event, "stage": self._stage, "seconds": round(self._consumed(), 4), **values}
        if self._path is not None:
            kept = {key: _finite(value) for key, value in line.items() if key != "sample"}
            text = json.dumps(kept, ensure_ascii=False, allow_nan=False)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
        self._on_event(line)

    def progress_is_due(self) -> bool:
        """Return whether half a second has passed since the last progress."""
        now = self._consumed()
        if now - self._last_progress < PROGRESS_SECONDS:
            return False
        self._last_progress = now
        return True


def read_curve(path: Path, *, stage: str | None = None) -> list[dict[str, Any]]:
    """Return the progress and validation lines of a run in order of their steps; a later line replaces what a killed process wrote.

    Args:
        path: The ``metrics.jsonl``. A last line that a kill cut short is left out.
        stage: Only this stage; ``None`` takes all.
    """
    curve: list[dict[str, Any]] = []
    if not path.exists():
        return curve
    # A kill can cut a line inside a character; letters such as U+2028 end no line.
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if stage is not None and line.get("stage") != stage:
            continue
        if line.get("event") in ("resumed", "rolled_back"):
            curve = [old for old in curve if old["stage"] != line["stage"] or old["step"] <= line["step"]]
        elif line.get("event") in ("progress", "validation"):
            curve.append(line)
    return curve


def read_lines(path: Path, *, after: int = 0) -> list[dict[str, Any]]:
    """Return every event of a run behind so many lines; a line that is not finished comes later.

    Args:
        path: The ``metrics.jsonl``.
        after: Lines that are known. A broken one is counted too, as an event ``UNREADABLE``, so that the next look begins behind it.
    """
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1][after:]:
        try:
            found.append(json.loads(text))
        except ValueError:
            found.append({"event": UNREADABLE})
    return found


def _close_torn_line(path: Path) -> None:
    """End the last line of a file that has one without its end."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
