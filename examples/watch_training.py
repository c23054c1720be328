"""Follow a training from a program: every event is a dictionary. Run: python examples/watch_training.py"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import makar


def show(event: dict[str, Any]) -> None:
    """Print what is worth knowing."""
    if event["event"] == "validation":
        print(f"step {event['step']:>6}  held-out loss {event['inner_loss']:.4f}")
    elif "message" in event:
        print(event["message"])


def main(steps: int) -> None:
    """Train on digits and print the curve."""
    with tempfile.TemporaryDirectory() as folder:
        run = makar.train("builtin:digits", steps=steps, output=Path(folder) / "digits", on_event=show)
        print(run.model, "best step", run.results[-1].best_step)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
