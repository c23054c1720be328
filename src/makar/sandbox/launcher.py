"""The process between Makar and a program that nobody trusts: it builds the sandbox around the program, watches it, and ends all of it.

    Makar -> launcher -> (new namespaces) -> keeper, process 1 of the sandbox -> program

The keeper is the first process of a namespace of processes: when it ends, for whatever reason, the kernel ends everything in there. The
kernel kills the launcher when Makar ends and the keeper when the launcher ends, so nothing outlives Makar. Where namespaces are not
allowed the launcher itself is the keeper: it adopts what the program leaves behind and kills it; sockets are then refused by a filter of
system calls. The program gets no environment but the one that it is given, no open files but its three, and no way to more rights.

Source: namespaces(7), user_namespaces(7), pid_namespaces(7), setrlimit(2).
"""

import dataclasses
import json
import os
import platform
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from makar.sandbox import kernel, root

INSIDE_ID, NOBODY = 1000, 65534
LOOK_SECONDS = 0.02
MEMORY_LOOKS = 3
"""Memory is summed up every so many looks."""

NETWORK, FILES, SHARED_FILES, SIGNALS, PROCESSES = (
    "it can reach the network",
    "it can read what the user can read, and write where the user can write",
    "it can read what everyone on this machine can read, and write where everyone can write",
    "it can send signals to other programs of the user",
    "the number of its processes is not limited",
)
"""What does not hold without namespaces, in words for the user."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What to run; see ``makar.sandbox.run``."""

    command: list[str]
    environment: dict[str, str]
    folder: str
    root: str
    readable: list[str]
    limits: dict[str, Any]
    parent: int
    report: int
    namespaces: bool


def main() -> None:
    """Run the job of the first argument and report how it ended."""
    job = Job(**json.loads(sys.argv[1]))
    is_linux = sys.platform == "linux"
    if is_linux:
        kernel.die_with_parent(signal.SIGTERM)
    if os.getppid() != job.parent:
        return
    if is_linux and job.namespaces and _run_in_namespaces(job):
        return
    if is_linux:
        kernel.adopt_orphans()
    signal.signal(signal.SIGTERM, _end_all)
    keep(job, apart=False)


def _end_all(number: int, frame: Any) -> None:
    del number, frame
    _kill_descendants()
    os._exit(1)


def _run_in_namespaces(job: Job) -> bool:
    """Run the job in namespaces of its own; return whether that was possible."""
    ready, tell = os.pipe()
    wait, go = os.pipe()
    maker = os.fork()
    if maker == 0:
        os.close(ready)
        os.close(go)
        try:
            _become_maker(job, tell=tell, wait=wait)
        finally:
            # Where something failed the other side sees that nothing more is told.
            os._exit(1)
    os.close(tell)
    os.close(wait)
    if os.read(ready, 1) == b"+":
        try:
            _map_user(maker)
            os.write(go, b"+")
        except OSError:
            os.write(go, b"-")
    is_ready = os.read(ready, 1) == b"."
    os.close(go)
    os.close(ready)
    os.waitpid(maker, 0)
    return is_ready


def _become_maker(job: Job, *, tell: int, wait: int) -> None:
    """Enter the namespaces and start the keeper in them; runs in a process of its own.

    Until the new root is there, this user may not be able to read Python's own files: nothing may be imported here.
    """
    kernel.die_with_parent()
    if os.geteuid() == 0:
        os.setgroups([])
    kernel.unshare(kernel.ALL_NEW)
    os.write(tell, b"+")
    if os.read(wait, 1) != b"+":
        return
    given = os.open(job.folder, os.O_PATH)
    places = root.opened(job.readable)
    os.setresgid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
    os.setresuid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
    kernel.die_with_parent()
    keeper = os.fork()
    if keeper:
        os.close(tell)
        os.close(job.report)
        os.waitpid(keeper, 0)
        return
    kernel.die_with_parent()
    root.enter(job.root, places, given=given, file_bytes=job.limits["file_bytes"])
    for descriptor in (*places.values(), given, wait):
        os.close(descriptor)
    os.write(tell, b".")
    os.close(tell)
    keep(job, apart=True)


def _map_user(maker: int) -> None:
    """Let the sandbox's one user be this user outside; root is nobody, so that limits hold for it."""
    user, group = (NOBODY, NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    place = Path(f"/proc/{maker}")
    (place / "setgroups").write_text("deny", encoding="utf-8")
    (place / "uid_map").write_text(f"{INSIDE_ID} {user} 1", encoding="utf-8")
    (place / "gid_map").write_text(f"{INSIDE_ID} {group} 1", encoding="utf-8")


def keep(job: Job, *, apart: bool) -> None:
    """Start the program, watch it, report how it ended and what could not be held, and end everything that it started.

    Args:
        job: What to run.
        apart: Whether this process is the first of a namespace.
    """
    is_linux = sys.platform == "linux"
    is_filtered = False
    if is_linux:
        kernel.refuse_privileges()
        is_filtered = kernel.refuse_calls(sockets=not apart)
    as_nobody = not apart and _can_be_nobody(job)
    not_held = [] if apart else [SHARED_FILES] if as_nobody else [FILES, SIGNALS]
    if not apart and not is_filtered:
        not_held.append(NETWORK)
    if not is_linux or (not apart and os.geteuid() == 0 and not as_nobody):
        not_held.append(PROCESSES)
    if as_nobody:
        for place in (Path(job.folder), *Path(job.folder).rglob("*")):
            os.chown(place, NOBODY, NOBODY, follow_symlinks=False)
    program = os.fork()
    if program == 0:
        try:
            _become_program(job, apart=apart, as_nobody=as_nobody)
        except OSError as error:
            os.write(2, f"{job.command[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    code, reason = _watched(program, job.limits["memory_bytes"])
    report = {"code": code, "reason": reason, "not_held": not_held}
    os.write(job.report, json.dumps(report).encode())
    if not apart:
        _kill_descendants()
    # Process 1 of a namespace takes all others with it.
    os._exit(0)


def _can_be_nobody(job: Job) -> bool:
    """Return whether root can start the program as the user nobody: what it needs must be open to everyone."""
    if os.geteuid() != 0:
        return False
    needed = [Path(path) for path in (job.command[0], job.folder, *job.readable)]
    above = {parent for path in needed for parent in (*path.parents, *path.resolve().parents)}
    return all(parent.stat().st_mode & 0o001 for parent in above)


def _become_program(job: Job, *, apart: bool, as_nobody: bool) -> None:
    limits = job.limits
    os.setsid()
    if as_nobody:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if not apart:
        os.chdir(job.folder)
    if sys.platform == "linux":
        kernel.die_with_parent()
        # Two more run in the namespace: the keeper and its maker.
        _limit("RLIMIT_NPROC", limits["processes"] + 2 + _threads_that_count(apart=apart))
    for name, most in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_CPU", limits["cpu_seconds"]),
        ("RLIMIT_FSIZE", limits["file_bytes"]),
        ("RLIMIT_NOFILE", limits["open_files"]),
        ("RLIMIT_AS", limits["memory_bytes"]),
    ):
        _limit(name, most)
    os.closerange(3, 4096)
    where = str(Path.cwd())
    os.execve(job.command[0], job.command, {**job.environment, "HOME": where, "TMPDIR": where})


def _limit(name: str, most: int) -> None:
    kind = int(vars(resource)[name])
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    # One second between the signal that says why and the one that cannot be caught.
    soft, hard = (most, most + 1) if name == "RLIMIT_CPU" and hard == resource.RLIM_INFINITY else (most, most)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (OSError, ValueError):
        # macOS knows the limit of the address space and refuses to set it.
        if sys.platform == "linux":
            raise


def _threads_that_count(*, apart: bool) -> int:
    """Return how many threads of the same user the kernel counts beside those of the sandbox."""
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2] if part.isdecimal())
    if apart and release >= (5, 14):
        return 0
    own = os.geteuid()
    count = 0
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                if place.stat().st_uid == own:
                    count += len(list((place / "task").iterdir()))
            except OSError:
                continue
    return count


def _watched(program: int, memory_bytes: int) -> tuple[int, str]:
    """Wait for the program and return (exit code, negative for a signal; why it was killed, or nothing)."""
    looks = 0
    reason = ""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == program:
            code = os.waitstatus_to_exitcode(status)
            return code, "cpu" if code == -signal.SIGXCPU else reason
        if ended == 0:
            looks += 1
            if looks % MEMORY_LOOKS == 0 and _memory() > memory_bytes:
                reason = "memory"
                os.kill(program, signal.SIGKILL)
            time.sleep(LOOK_SECONDS if looks > 5 else LOOK_SECONDS / 10)


def _descendants() -> list[int]:
    """Return the processes below this one, as far as the kernel shows them."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(place.parent.name))
    found = list(children.get(os.getpid(), []))
    for one in found:
        found += children.get(one, [])
    return found


def _memory() -> int:
    """Return the bytes that the processes below this one occupy, what they share counted once."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for process in _descendants():
        try:
            resident, shared = Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1:3]
        except (OSError, ValueError):
            continue
        total += (int(resident) - int(shared)) * page
    return total


def _kill_descendants() -> None:
    """Kill until nothing is left; each round also takes what was started in between."""
    for _ in range(1000):
        left = _descendants()
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                return
        time.sleep(0.001)
