"""What the benchmark scripts share: the machine in words, result files, timed commands, and losses measured on exported models."""

import datetime
import gzip
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def data_folder() -> Path:
    """Return the folder of real data, or end with a reason."""
    folder = os.environ.get("MAKAR_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("set MAKAR_DATA to the folder of real data sets: this benchmark measures on them")
    return Path(folder)


def quick_format() -> str:
    """Return the number format in which this processor multiplies fastest; bfloat16 without instructions for it is eighty times slower."""
    from makar.training.machine import likely_precision

    return likely_precision("cpu")


def machine() -> dict[str, Any]:
    """Describe the machine, the software and how busy it is, so that a figure can be judged later."""
    import torch

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "cpu": cpu or platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load_average_at_start": os.getloadavg()[0],
    }


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write a dated result beside the scripts and print where; paths of this machine are left out."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.date.today().isoformat()}-{name}.json"
    path.write_text(json.dumps(_without_paths(result), indent=1) + "\n", encoding="utf-8")
    print(f"written: benchmarks/results/{path.name}")
    return path


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        # Places of this machine are nobody's business.
        kept = {
            key: item for key, item in value.items() if not isinstance(item, Path) and not str(item).startswith("/")
        }
        return {key: _without_paths(item) for key, item in kept.items()}
    return [_without_paths(item) for item in value] if isinstance(value, list) else value


def timed(
    command: list[str], *, environment: dict[str, str] | None = None, folder: Path | None = None
) -> tuple[float, str]:
    """Run a command to its end and return (wall-clock seconds, stdout); a failure ends the benchmark with its output."""
    start = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **(environment or {})}, cwd=folder
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return seconds, done.stdout


def shakespeare(folder: Path) -> tuple[Path, str, str]:
    """Lay out tiny_shakespeare with its usual split as a data folder; return (folder, training text, validation text)."""
    with gzip.open(data_folder() / "tiny_shakespeare" / "input.txt.gz", "rt", encoding="utf-8", newline="") as file:
        text = file.read()
    cut = int(len(text) * 0.9)
    for part, piece in (("train", text[:cut]), ("validation", text[cut:])):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / "input.txt").write_text(piece, encoding="utf-8", newline="")
    return folder, text[:cut], text[cut:]


def exported_nats(model_folder: Path, text: str, *, context: int, batch: int = 64) -> float:
    """Return nats a token of a saved model on a text, opened and run by transformers in float32.

    The text is cut into windows of ``context`` tokens side by side; every token but the first is predicted once, from at most
    ``context`` tokens before it. This is the same measure as a mean over windows at random places, without its noise.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    tokens = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"])
    if tokenizer.decode(tokens) != text:
        sys.exit("the exported tokenizer does not give the text back: the figure would be meaningless")
    whole = (len(tokens) - 1) // context
    starts = [index * context for index in range(whole)]
    total, count = 0.0, 0
    with torch.inference_mode():
        for first in range(0, len(starts), batch):
            windows = torch.stack([tokens[start : start + context + 1] for start in starts[first : first + batch]])
            total, count = _add(model, windows, total, count)
        rest = tokens[whole * context :]
        if len(rest) > 1:
            total, count = _add(model, rest[None], total, count)
    return total / count


def _add(model: Any, windows: Any, total: float, count: int) -> tuple[float, int]:
    import torch

    logits = model(input_ids=windows[:, :-1], use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten(), reduction="sum")
    return total + loss.item(), count + windows[:, 1:].numel()


def mean_interval(values: list[float]) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % interval (Student's t)."""
    if len(values) < 2:
        return values[0], math.nan
    student = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}.get(len(values), 2.0)
    return statistics.mean(values), student * statistics.stdev(values) / math.sqrt(len(values))
