"""The file system that a program in the sandbox sees: programs and libraries to read, one folder in memory to write, nothing else.

Folders are opened before the user changes and mounted through what was opened, so that a Python below a folder that only its owner may
enter still works.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from makar.sandbox.kernel import (
    BIND,
    NO_DEVICES,
    NO_PROGRAMS,
    NO_SETUID,
    PRIVATE,
    RECURSIVE,
    enter_root,
    make_read_only,
    mount,
)

WORK = "/tmp/work"
_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives", "/etc/mime.types")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ACCOUNT = "sandbox:x:1000:1000::/tmp/work:/bin/sh\n"


def opened(readable: Iterable[str]) -> dict[str, int]:
    """Open what the program may read, each once, outer folders before inner ones.

    Args:
        readable: Folders beyond those of the system.

    Returns:
        Descriptors that only name a place, by path.
    """
    wanted = [path for path in (*_FOLDERS, *_FILES, *_DEVICES) if Path(path).exists() and not Path(path).is_symlink()]
    inner = [str(Path(path)) for path in readable]
    wanted += sorted({path for path in inner if not any(Path(path).is_relative_to(folder) for folder in wanted)})
    return {path: os.open(path, os.O_PATH) for path in wanted}


def enter(root: str, places: dict[str, int], *, given: int, file_bytes: int) -> None:
    """Build the file system in a mount namespace of this process's own and make it the root.

    Args:
        root: An empty folder to build it on.
        places: From ``opened``.
        given: Descriptor of the folder with the files of the program.
        file_bytes: What all files that are written may take together.

    Raises:
        OSError: The kernel does not allow it.
    """
    mount(None, "/", flags=PRIVATE | RECURSIVE)
    mount("none", root, kind="tmpfs", flags=NO_SETUID | NO_DEVICES, data="size=1m,mode=755")
    for path, descriptor in places.items():
        target = Path(root + path)
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112, a path of the kernel's own
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mount(f"/proc/self/fd/{descriptor}", str(target), flags=BIND | RECURSIVE)
        if path not in _DEVICES:
            make_read_only(str(target), recursive=True)
    for path in _FOLDERS:
        if Path(path).is_symlink():
            Path(root + path).symlink_to(os.readlink(path))  # noqa: PTH115, as it stands
    (Path(root) / "etc").mkdir(exist_ok=True)
    (Path(root) / "etc" / "passwd").write_text(_ACCOUNT, encoding="utf-8")
    _mount_processes(root)
    _mount_work(root, given, file_bytes)
    make_read_only(root, recursive=False)
    enter_root(root)
    os.chdir(WORK)


def _mount_processes(root: str) -> None:
    target = Path(root) / "proc"
    target.mkdir()
    try:
        mount("proc", str(target), kind="proc", flags=NO_SETUID | NO_DEVICES | NO_PROGRAMS)
        # Fewer doors into the kernel: no namespaces within this one.
        (target / "sys" / "user" / "max_user_namespaces").write_text("0", encoding="utf-8")
    except OSError:
        # Where the outer one is partly covered, as in containers, the kernel gives no new one; programs do without.
        return


def _mount_work(root: str, given: int, file_bytes: int) -> None:
    memory = Path(root) / "tmp"
    memory.mkdir()
    mount("none", str(memory), kind="tmpfs", flags=NO_SETUID | NO_DEVICES, data=f"size={file_bytes},mode=1777")
    (memory / "shared").mkdir(mode=0o1777)
    (Path(root) / "dev" / "shm").symlink_to("/tmp/shared")
    shutil.copytree(f"/proc/self/fd/{given}", root + WORK, symlinks=True)
