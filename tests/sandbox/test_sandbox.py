"""Hostile programs: what the sandbox must hold, and that an honest program runs in it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from makar.errors import DataError, UsageError
from makar.sandbox import run
from makar.sandbox.limits import Limits
from makar.sandbox.run import run_command, run_python

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="namespaces and filters are Linux's")
BOTH = pytest.mark.parametrize("namespaces", [True, False])


def apart():
    """Return whether this machine allows namespaces."""
    return sys.platform == "linux" and not run_python("").not_held


APART = pytest.mark.skipif(not apart(), reason="this machine allows no namespaces")


@BOTH
def test_an_honest_program_runs(namespaces):
    code = "import json, sys, numpy; print(json.dumps({'sum': int(numpy.ones(3).sum())}) + sys.stdin.read())"
    done = run_python(code, stdin=b"!" * 100_000, namespaces=namespaces)
    assert done.is_success and done.output == '{"sum": 3}' + "!" * 100_000 + "\n" and not done.errors
    failed = run_python("import sys; print('no', file=sys.stderr); sys.exit(3)", namespaces=namespaces)
    assert (failed.exit_code, failed.errors, failed.is_success) == (3, "no\n", False)


@BOTH
def test_it_gets_its_files_and_no_variable_of_the_environment(namespaces, monkeypatch):
    monkeypatch.setenv("MAKAR_TEST_SECRET", "secret")
    code = (
        "import os, part.one; print(part.one.X, os.environ.get('MAKAR_TEST_SECRET'), os.environ['HOME'] == os.getcwd())"
    )
    done = run_python(code, files={"part/one.py": b"X = 7"}, namespaces=namespaces)
    assert done.output == "7 None True\n"


@BOTH
def test_an_endless_loop_ends(namespaces):
    done = run_python("while True: pass", limits=Limits(wall_seconds=0.6), namespaces=namespaces)
    assert done.reason == "time" and not done.is_success and done.seconds < 10
    done = run_python("while True: pass", limits=Limits(wall_seconds=60, cpu_seconds=1), namespaces=namespaces)
    assert done.reason == "cpu" and done.exit_code == -signal.SIGXCPU


@BOTH
def test_endless_output_ends(namespaces):
    done = run_python("while True: print('x' * 1000)", limits=Limits(output_bytes=5000), namespaces=namespaces)
    assert done.reason == "output" and len(done.output) == 5000


@BOTH
def test_too_much_memory_is_refused(namespaces):
    done = run_python("x = bytearray(1 << 30)", namespaces=namespaces)
    assert not done.is_success and "MemoryError" in done.errors


@LINUX
@BOTH
def test_memory_of_many_processes_counts_together(namespaces):
    code = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = b"x" * (60 << 20)
        time.sleep(30)
time.sleep(30)
"""
    limits = Limits(memory_bytes=160 << 20, wall_seconds=20)
    assert run_python(code, limits=limits, namespaces=namespaces).reason == "memory"


def living(mark):
    """Return the processes of this machine with a word in their command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in place.read_bytes():
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


@LINUX
@BOTH
def test_what_it_starts_ends_with_it(namespaces):
    mark = f"mark{os.getpid()}{namespaces}"
    # A daemon: twice forked, in a session of its own, deaf to polite signals.
    code = f"""
import os, signal, subprocess, sys
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)", {mark!r}])
    os._exit(0)
sys.stdin.read()
import time
time.sleep(0.3)
"""
    done = run_python(code, namespaces=namespaces)
    assert done.is_success and done.output == "1\n" and done.seconds < 20
    assert not living(mark)
    done = run_python(code + "time.sleep(60)", limits=Limits(wall_seconds=1.5), namespaces=namespaces)
    assert done.reason == "time"
    # What is killed is still listed until the kernel has taken it away.
    for _ in range(500):
        if not living(mark):
            break
        time.sleep(0.02)
    assert not living(mark)


@LINUX
def test_everything_ends_when_makar_is_killed():
    mark = f"mark{os.getpid()}killed"
    code = f"import sys, os; os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(300)', {mark!r}])"
    script = f"from makar.sandbox.run import Limits, run_python; run_python({code!r}, limits=Limits(wall_seconds=200), namespaces=%s)"
    for namespaces in (True, False):
        path = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[2])}
        makar = subprocess.Popen([sys.executable, "-c", script % namespaces], env=path)
        # Makar itself and the program have the mark in their words. Counted once: while a program takes the place of another it has none.
        began = False
        for _ in range(3000):
            began = len(living(mark)) > 1
            if began:
                break
            time.sleep(0.02)
        makar.kill()
        makar.wait()
        assert began
        for _ in range(3000):
            if not living(mark):
                break
            time.sleep(0.02)
        assert not living(mark)


@APART
def test_a_fork_bomb_stays_small():
    code = """
import os
made = 0
for _ in range(200):
    try:
        if os.fork() == 0:
            import time
            time.sleep(30)
    except OSError:
        break
    made += 1
print(made)
"""
    done = run_python(code, limits=Limits(processes=8))
    assert done.is_success and int(done.output) == 7
    started = time.monotonic()
    bomb = run_python(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", limits=Limits(wall_seconds=1)
    )
    assert bomb.reason in ("time", "memory") and time.monotonic() - started < 20


@LINUX
@BOTH
@pytest.mark.loopback
def test_there_is_no_network(namespaces):
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = listening.getsockname()
        code = f"import socket; socket.create_connection({address!r}, timeout=2)"
        subprocess.run([sys.executable, "-c", code], check=True)
        done = run_python(code, namespaces=namespaces)
    assert done.exit_code == 1 and ("PermissionError" in done.errors or "OSError" in done.errors)


@APART
def test_nothing_outside_can_be_read_or_written(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    tries = [f"open({str(secret)!r})", "open('/etc/shadow')", f"open({str(Path.home() / '.profile')!r})"]
    tries += [f"open({str(tmp_path / 'new')!r}, 'w')", "open('/usr/lib/x', 'w')", "open('/x', 'w')", "open('/dev/sda')"]
    tries += ["open('/proc/1/environ').read()", "open('/proc/1/mem', 'r+b')", "__import__('os').chroot('.')"]
    tries += [f"__import__('os').symlink('/', 'up'); open('up' + {str(secret)!r})"]
    code = "".join(f"\ntry:\n    {one}\n    print({one!r})\nexcept (OSError, AttributeError): pass" for one in tries)
    done = run_python(code + "\nopen('here', 'w').write('x'); print('end')")
    assert done.output == "end\n", done.output
    assert not (tmp_path / "new").exists()


@APART
def test_files_together_have_a_limit():
    code = "for n in range(9):\n    open(str(n), 'wb').write(bytes(1 << 20))"
    done = run_python(code, limits=Limits(file_bytes=4 << 20))
    assert not done.is_success and "No space left" in done.errors


@BOTH
def test_one_file_has_a_limit(namespaces):
    code = "open('x', 'wb').write(bytes(1 << 22))"
    assert not run_python(code, limits=Limits(file_bytes=1 << 20), namespaces=namespaces).is_success


@APART
def test_it_cannot_signal_anything_outside():
    code = f"""
import os
for number in ({os.getpid()}, 1, os.getppid(), -1):
    try:
        os.kill(number, 9)
        print("sent", number)
    except OSError as error:
        print(type(error).__name__)
import time
time.sleep(0.1)
print("alive")
"""
    done = run_python(code)
    # Process 1 is the keeper: the kernel drops the signal. No other process exists in there; -1 reaches nobody.
    assert done.is_success and done.output.endswith("alive\n") and "ProcessLookupError" in done.output


@APART
def test_it_gains_no_rights():
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), libc.mount(b"x", b"/tmp", b"tmpfs", 0, None), libc.ptrace(0, 0, 0, 0))
print([line for line in open("/proc/self/status") if line.startswith(("CapEff", "NoNewPrivs", "Seccomp:"))])
"""
    done = run_python(code)
    assert done.output.startswith("-1 -1 -1\n")
    assert (
        "CapEff:\\t0000000000000000" in done.output
        and "NoNewPrivs:\\t1" in done.output
        and "Seccomp:\\t2" in done.output
    )


def test_what_is_not_held_is_said():
    assert any("read" in one for one in run_python("", namespaces=False).not_held)


def test_a_command_gets_a_copy_of_a_folder(tmp_path):
    (tmp_path / "a.py").write_text("X = 1", encoding="utf-8")
    (tmp_path / "away").symlink_to("/etc/hostname")
    command = ["python", "-c", "import a; print(a.X); open('a.py', 'w').write('X = 2')"]
    assert run_command(command, folder=tmp_path).output == "1\n"
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "X = 1"
    assert run_command(command, folder=tmp_path, files={"a.py": b"X = 5"}).output == "5\n"


def test_what_is_not_copied_makes_no_folder_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "LARGEST_GIVEN_BYTES", 10)
    (tmp_path / ".venv" / "lib").mkdir(parents=True)
    (tmp_path / ".venv" / "lib" / "large").write_bytes(bytes(100))
    (tmp_path / "a.py").write_text("X = 1", encoding="utf-8")
    command = ["python", "-c", "import os; print(sorted(os.listdir()))"]
    assert run_command(command, folder=tmp_path).output == "['a.py']\n"


def test_wrong_requests_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no program"):
        run_command(["no-such-program"])
    with pytest.raises(UsageError, match="empty"):
        run_command([])
    with pytest.raises(UsageError, match=r"x\.py"):
        run_python("", files={"../x.py": b""})
    monkeypatch.setattr(run, "LARGEST_GIVEN_BYTES", 10)
    (tmp_path / "large").write_bytes(bytes(100))
    with pytest.raises(DataError, match="smaller folder"):
        run_command(["python", "-c", ""], folder=tmp_path)
