"""Live progress on stderr: one line that is redrawn on a terminal, a plain line about every five seconds in a pipe.

A display is a context manager and is called with every event of a training, an evaluation or the reading of data. Milestones (what
was chosen, a roll-back, a warning) stay on the screen; progress is replaced by the next.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from makar.cli.output import console, duration_text, text_of

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.2
BAR_WIDTH = 24

_FIGURES: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("loss", "loss", lambda value: f"{value:.4f}"),
    ("inner_loss", "held-out", lambda value: f"{value:.4f}"),
    ("items_per_second", "items/s", lambda value: f"{value:,.0f}"),
    ("peak_fraction", "of peak", lambda value: f"{value:.0%}"),
    ("seconds_left", "left", duration_text),
)
"""Key of a progress event, its label and how it is written."""

_MILESTONES = {
    "smaller_batches",
    "warning",
    "rolled_back",
    "unhealthy",
    "gave_up",
    "hurried",
    "resumed",
    "note",
    "plan",
    "saved",
}

_SILENT = {"checkpoint", "sample", "started", "finished"}


class Display:
    """Shows events. Use it as a context manager; nothing is left half-drawn when an error passes through."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty() and console().is_terminal and not console().is_dumb_terminal
        self._console = console()
        self._status: Any = None
        self._last = 0.0
        self._held_out: float | None = None

    def __enter__(self) -> "Display":
        if self._live:
            self._status = self._console.status("", spinner="dots", refresh_per_second=8)
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event of a training or an evaluation."""
        name = event.get("event", "")
        if name == "validation":
            self._held_out = event.get("inner_loss")
            return
        if name == "progress":
            if self._is_due():
                self._draw(self._line(event))
            return
        if name in ("reading", "storing", "novelty", "evaluation"):
            if self._is_due():
                self._draw(_counted(event))
            return
        text = event.get("message")
        if name in _MILESTONES or text:
            self.say(text or f"{name.replace('_', ' ')}: {text_of(_details(event))}")
        elif name and name not in _SILENT:
            self._draw(f"{name.replace('_', ' ')} {text_of(_details(event))}".strip(), due=self._is_due())

    def reading(self, stage: str, done: int, total: int | None) -> None:
        """Show how far the reading of the data is."""
        self({"event": "reading", "stage": stage, "done": done, "total": total})

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, markup=False)

    def _draw(self, text: str, *, due: bool = True) -> None:
        if not due:
            return
        if self._status is not None:
            self._status.update(_escaped(text))
        else:
            self._console.print(text, markup=False)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._last < (LIVE_SECONDS if self._live else PLAIN_SECONDS):
            return False
        self._last = now
        return True

    def _line(self, event: dict[str, Any]) -> str:
        parts = [str(event.get("stage", ""))]
        share = event.get("progress")
        if isinstance(share, float | int):
            filled = round(BAR_WIDTH * min(1.0, max(0.0, share)))
            bar = "#" * filled + "-" * (BAR_WIDTH - filled)
            parts.append(f"[{bar}] {share:.0%}" if self._live else f"{share:.0%}")
        if "step" in event:
            parts.append(f"step {event['step']:,}")
        values = {"inner_loss": self._held_out} | event
        parts += [f"{label} {write(values[key])}" for key, label, write in _FIGURES if values.get(key) is not None]
        return "  ".join(part for part in parts if part)


def _counted(event: dict[str, Any]) -> str:
    if event["event"] == "storing":
        return f"encoding {event['split']}: {event['records']:,}"
    if event["event"] == "evaluation":
        return f"evaluating: {event['measuring']}" + (
            f" {event['done']:,} of {event['total']:,}" if event["total"] else ""
        )
    if event["event"] == "novelty":
        return f"indexing: {event['done']:,} of {event['total']:,}"
    total = "" if event["total"] is None else f" of {event['total']:,}"
    return f"{event['stage']}: {event['done']:,}{total}"


def _details(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("event", "stage", "seconds", "sample")}


def _escaped(text: str) -> str:
    # A square bracket begins markup for Rich.
    return text.replace("[", "\\[")
