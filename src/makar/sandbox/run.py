"""Runs a program that nobody trusts, in a folder of its own that vanishes with it, and says how it ended and what could not be held.

On Linux with user namespaces (most desktops and servers) the program has no network, sees programs and libraries read-only and nothing of
the user's, writes in memory only, is one of a few processes that can see and signal no others, and has limits on time, memory, files and
output. Elsewhere the limits hold and sockets are refused (Linux), and ``Outcome.not_held`` lists in words what does not. Nothing here is a
defence against an error in the kernel itself: who must fear that runs Makar in a virtual machine.

The program inherits no variable of the environment. Whatever way Makar ends, the program and all that it started end too.
"""

import dataclasses
import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from makar.errors import DataError, MakarError, UsageError
from makar.sandbox.limits import Limits

LARGEST_GIVEN_BYTES = 64 << 20
LEFT_OUT = (".git", "__pycache__", ".venv", ".tox", ".mypy_cache", ".ruff_cache", ".pytest_cache")
"""Names of what no program in the sandbox needs of a folder."""

_LAUNCH = "import sys; sys.path.insert(0, sys.argv.pop(1)); from makar.sandbox.launcher import main; main()"
_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a program ended.

    Attributes:
        exit_code: Its exit code; negative is the number of the signal that ended it.
        reason: Why it was ended: ``"time"``, ``"cpu"``, ``"memory"``, ``"output"``; empty when it ended by itself.
        output: What it printed, cut at the limit.
        errors: What it wrote to stderr, cut at the limit.
        seconds: From start to end.
        not_held: What the sandbox could not hold on this machine, in words; empty where namespaces are allowed.
    """

    exit_code: int
    reason: str
    output: str
    errors: str
    seconds: float
    not_held: tuple[str, ...]

    @property
    def is_success(self) -> bool:
        """Whether it ended by itself and said that all is well."""
        return self.exit_code == 0 and not self.reason


def run_python(
    code: str,
    *,
    files: Mapping[str, bytes] | None = None,
    limits: Limits | None = None,
    stdin: bytes = b"",
    namespaces: bool = True,
) -> Outcome:
    """Run Python code with this Python in a sandbox.

    Args:
        code: The program.
        files: Further files in its folder, by relative path.
        limits: What it may use.
        stdin: What it can read.
        namespaces: Use namespaces where they are allowed; off only to see what holds without.
    """
    given = {**(files or {}), "main.py": code.encode("utf-8", "surrogatepass")}
    return run_command(
        [sys.executable, "-B", "main.py"], files=given, limits=limits, stdin=stdin, namespaces=namespaces
    )


def run_to_end(code: str, *, limits: Limits | None = None) -> tuple[bool, Outcome]:
    """Run Python code, for example a program with its tests, and say whether it came to its very end.

    A program that leaves before with exit code 0 and words of its own has not: the last line prints a word that nobody can guess.

    Args:
        code: The program.
        limits: What it may use.
    """
    word = secrets.token_hex(16)
    outcome = run_python(f"{code}\nprint({word!r})\n", limits=limits)
    return outcome.is_success and outcome.output.endswith(word + "\n"), outcome


def run_command(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    files: Mapping[str, bytes] | None = None,
    limits: Limits | None = None,
    stdin: bytes = b"",
    namespaces: bool = True,
) -> Outcome:
    """Run a command in a sandbox.

    Args:
        command: A program by name or path and its arguments; no shell takes part.
        folder: A folder of which the program gets a copy, as its own folder.
        files: Files that are put into that copy, by relative path.
        limits: What it may use.
        stdin: What it can read.
        namespaces: Use namespaces where they are allowed; off only to see what holds without.

    Raises:
        UsageError: There is no such program, or a path leads out of the folder.
        DataError: The folder is too large.
    """
    limits = limits or Limits()
    program = _program(command)
    with tempfile.TemporaryDirectory(prefix="makar-sandbox-", ignore_cleanup_errors=True) as place:
        given = Path(place) / "given"
        _give(given, folder, files or {})
        (Path(place) / "root").mkdir()
        Path(place).chmod(0o755)
        job = {
            "command": [program, *command[1:]],
            "environment": _environment(),
            "folder": str(given),
            "root": str(Path(place) / "root"),
            "readable": sorted({sys.prefix, sys.base_prefix, str(Path(program).parent)}),
            "limits": limits.to_dictionary(),
            "parent": os.getpid(),
            "namespaces": namespaces,
        }
        return _run(job, limits, stdin)


def _program(command: Sequence[str]) -> str:
    if not command:
        raise UsageError("an empty command", expected="a program and its arguments")
    if command[0] in ("python", "python3"):
        return sys.executable
    beside = Path(sys.executable).parent
    found = shutil.which(command[0], path=f"{beside}:{_PATH}")
    if found is None:
        raise UsageError(f'there is no program "{command[0]}"', expected="a program of this machine, with its path")
    return str(Path(found).absolute())


def _environment() -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{_PATH}",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _give(given: Path, folder: Path | None, files: Mapping[str, bytes]) -> None:
    """Put what the program gets into a folder, readable for everyone: the sandbox's user is another one."""
    if folder is None:
        given.mkdir()
    else:
        size = _given_bytes(folder)
        if size > LARGEST_GIVEN_BYTES:
            raise DataError(
                f"{folder} holds {size >> 20} MB",
                expected=f"at most {LARGEST_GIVEN_BYTES >> 20} MB to be copied into the sandbox",
                do="work in a smaller folder",
            )
        shutil.copytree(folder, given, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name, content in files.items():
        place = given / name
        if not place.resolve().is_relative_to(given.resolve()):
            raise UsageError(f'the file "{name}"', expected="a path inside the folder of the program")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for path in (given, *given.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def _given_bytes(folder: Path) -> int:
    """Return the bytes of what is copied."""
    total = 0
    for above, names, files in os.walk(folder):
        names[:] = [name for name in names if name not in LEFT_OUT]
        total += sum((Path(above) / name).lstat().st_size for name in files if name not in LEFT_OUT)
    return total


def _run(job: dict[str, Any], limits: Limits, stdin: bytes) -> Outcome:
    start = time.monotonic()
    read, write = os.pipe()
    package = str(Path(__file__).parents[2])
    words = [sys.executable, "-I", "-S", "-B", "-c", _LAUNCH, package, json.dumps(job | {"report": write})]
    launcher = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(write,),
        env={},
        start_new_session=True,
    )
    os.close(write)
    try:
        parts, reason = _read(launcher, read, limits, stdin, deadline=start + limits.wall_seconds)
    finally:
        _end(launcher)
        os.close(read)
    seconds = time.monotonic() - start
    output, errors = (parts[name].decode("utf-8", "replace") for name in ("output", "errors"))
    if not parts["report"] and not reason:
        raise MakarError(
            f"the sandbox ended without a word: {errors.strip() or launcher.returncode}",
            expected="a report of how the program ended",
            do="try again; if it happens again, the machine is out of memory or processes",
        )
    report: dict[str, Any] = (
        json.loads(parts["report"]) if parts["report"] else {"code": -int(signal.SIGKILL), "reason": "", "not_held": ()}
    )
    return Outcome(
        exit_code=int(report["code"]),
        reason=reason or str(report["reason"]),
        output=output,
        errors=errors,
        seconds=seconds,
        not_held=tuple(report["not_held"]),
    )


def _read(
    launcher: "subprocess.Popen[bytes]", report: int, limits: Limits, stdin: bytes, *, deadline: float
) -> tuple[dict[str, bytearray], str]:
    """Read what comes until the program has ended, its time is over, or it has said too much."""
    assert launcher.stdin is not None and launcher.stdout is not None and launcher.stderr is not None
    parts = {name: bytearray() for name in ("output", "errors", "report")}
    left = limits.output_bytes
    given = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        selector.register(launcher.stdout, selectors.EVENT_READ, "output")
        selector.register(launcher.stderr, selectors.EVENT_READ, "errors")
        selector.register(report, selectors.EVENT_READ, "report")
        os.set_blocking(launcher.stdin.fileno(), False)
        selector.register(launcher.stdin, selectors.EVENT_WRITE, "stdin")
        while selector.get_map():
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                return parts, "time"
            for key, _ in selector.select(seconds):
                if key.data == "stdin":
                    given = _write(key.fd, given)
                    if not len(given):
                        selector.unregister(launcher.stdin)
                        launcher.stdin.close()
                    continue
                piece = os.read(key.fd, 65536)
                if not piece:
                    selector.unregister(key.fileobj)
                    continue
                if key.data == "report":
                    parts["report"] += piece
                    continue
                parts[key.data] += piece[:left]
                left -= len(piece)
                if left < 0:
                    return parts, "output"
    return parts, ""


def _write(descriptor: int, given: memoryview) -> memoryview:
    if not len(given):
        return given
    try:
        return given[os.write(descriptor, given[:4096]) :]
    except BlockingIOError:
        return given
    except BrokenPipeError:
        return given[:0]


def _end(launcher: "subprocess.Popen[bytes]") -> None:
    """End the launcher, which ends the rest, and wait for it."""
    if launcher.poll() is None:
        launcher.terminate()
        try:
            launcher.wait(5)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()
    for stream in (launcher.stdin, launcher.stdout, launcher.stderr):
        assert stream is not None
        stream.close()
