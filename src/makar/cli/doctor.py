"""Examines this machine: versions, cores, memory, disk, speed of matrix products, GPUs, optional packages, home folder and key.

Speed is measured, not looked up, because in a virtual machine the name of the processor says little: a square matrix product per
number format, best of a few repeats. Absent packages come with the command that installs them.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from makar.home import home
from makar.provenance.keys import KEY_NAME, keys_folder

EXTRAS = {
    "transformers": ("transformers",),
    "diffusers": ("diffusers", "transformers", "peft", "accelerate"),
    "design": ("vtracer",),
    "molecules": ("rdkit",),
    "structure": ("gemmi",),
    "audio": ("soundfile", "soxr"),
    "postgres": ("psycopg",),
    "video": ("av",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "gguf": ("gguf",),
    "llamacpp": ("llama_cpp", "gguf"),
    "openvino": ("openvino",),
    "remote": ("openai",),
    "structured": ("llguidance",),
    "ann": ("faiss",),
}
"""Import names that each extra of the package brings."""

MATRIX_WIDTH = 1024
REPEATS = 4
LONGEST_SECONDS = 0.5
"""A product that takes longer is measured once: a number format without instructions of its own takes a hundred times as long."""


def examine() -> dict[str, Any]:
    """Return everything about this machine that matters, as plain values; takes a few seconds."""
    found: dict[str, Any] = {
        "makar": importlib.metadata.version("makar") if _installed("makar") else "not installed (run from its folder)",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "memory": memory(),
        "disk": disk(),
        "speed": speed(),
        "graphics": graphics(),
        "extras": extras(),
        "home": home_state(),
    }
    found["advice"] = advice(found)
    return found


def processor() -> dict[str, Any]:
    """Return the number of cores, and how many this process may use."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return {
        "name": _processor_name(),
        "cores": psutil.cpu_count(logical=False),
        "threads": os.cpu_count(),
        "usable": allowed,
    }


def memory() -> dict[str, float]:
    """Return gigabytes of memory, total and available; a container's limit counts."""
    import psutil

    state = psutil.virtual_memory()
    total = float(state.total)
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file():
        text = limit.read_text(encoding="ascii").strip()
        total = min(total, float(text)) if text.isdigit() else total
    return {"total_gigabytes": total / 1e9, "available_gigabytes": min(total, float(state.available)) / 1e9}


def disk() -> dict[str, Any]:
    """Return where Makar's folder is and how many gigabytes are free there."""
    place = home()
    while not place.exists():
        place = place.parent
    return {"folder": str(home()), "free_gigabytes": shutil.disk_usage(place).free / 1e9}


def speed() -> dict[str, Any]:
    """Measure matrix products in float32 and bfloat16 with one thread and with all, in billions of operations a second."""
    import torch

    before = torch.get_num_threads()
    generator = torch.Generator().manual_seed(0)
    results: dict[str, Any] = {"torch": torch.__version__}
    usable = int(processor()["usable"] or 1)
    try:
        for threads in sorted({1, usable}):
            torch.set_num_threads(threads)
            for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
                matrix = torch.randn(MATRIX_WIDTH, MATRIX_WIDTH, generator=generator).to(kind)
                fastest = float("inf")
                for _ in range(1 + REPEATS):
                    start = time.perf_counter()
                    matrix @ matrix
                    fastest = min(fastest, time.perf_counter() - start)
                    if fastest > LONGEST_SECONDS:
                        break
                results[f"{name}_{threads}_threads_gigaflops"] = 2 * MATRIX_WIDTH**3 / fastest / 1e9
    finally:
        torch.set_num_threads(before)
    return results


def graphics() -> list[dict[str, Any]] | str:
    """Return the CUDA devices with their memory, or a sentence that there is none."""
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device; everything runs on the processor"
    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(
            {
                "name": properties.name,
                "gigabytes": properties.total_memory / 1e9,
                "bfloat16": torch.cuda.is_bf16_supported(),
            }
        )
    return found


def extras() -> dict[str, str]:
    """Return, for every extra, its versions or the command that installs it."""
    result = {}
    for extra, packages in EXTRAS.items():
        if all(importlib.util.find_spec(package) for package in packages):
            result[extra] = ", ".join(_named(package) for package in packages)
        else:
            result[extra] = f"absent: pip install 'makar[{extra}]'"
    return result


def home_state() -> dict[str, Any]:
    """Return Makar's folder, whether it can be written, whether a signing key is there, and how many models and runs it holds."""
    folder = home()
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    key = keys_folder() / KEY_NAME
    return {
        "folder": str(folder),
        "writable": os.access(nearest, os.W_OK),
        "key": str(key) if key.is_file() else "made at the first signature",
        "models": _count(folder / "models"),
        "runs": _count(folder / "runs"),
    }


def advice(found: dict[str, Any]) -> list[str]:
    """Return what would make things better on this machine, one sentence each."""
    lines = []
    if found["memory"]["available_gigabytes"] < 2:
        lines.append("less than 2 GB of memory is free: close other programs before training")
    if found["disk"]["free_gigabytes"] < 2:
        lines.append("less than 2 GB of disk is free: set MAKAR_HOME to a larger disk")
    if not found["home"]["writable"]:
        lines.append(f"{found['home']['folder']} cannot be written: set MAKAR_HOME to a folder you own")
    for name, state in found["extras"].items():
        if state.startswith("absent"):
            lines.append(f"for {name}: {state.partition(': ')[2]}")
    return lines


def _installed(name: str) -> bool:
    return any(True for _ in importlib.metadata.Distribution.discover(name=name))


def _named(package: str) -> str:
    """Return the distributions that bring an importable package, with their versions; one can have several (onnxruntime-gpu)."""
    distributions = importlib.metadata.packages_distributions().get(package, [])
    found = [f"{name} {importlib.metadata.version(name)}" for name in sorted(set(distributions))]
    return " and ".join(found) or f"{package}, of unknown version"


def _processor_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _count(folder: Path) -> int:
    return sum(1 for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else 0
