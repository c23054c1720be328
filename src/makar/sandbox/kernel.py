"""The few calls of the Linux kernel that a sandbox needs and Python does not have: namespaces, mounts, a filter of system calls.

Source: the manual pages unshare(2), mount(2), mount_setattr(2), pivot_root(2), prctl(2), seccomp(2); the numbers are those of the kernel's
headers (mount_setattr has the same number everywhere). Used in the process that becomes the sandbox, never in Makar's own.
"""

import ctypes
import os
import platform
import signal
import struct

NEW_USER, NEW_MOUNTS, NEW_PROCESSES, NEW_NETWORK, NEW_IPC, NEW_NAMES = (
    0x10000000,
    0x00020000,
    0x20000000,
    0x40000000,
    0x08000000,
    0x04000000,
)
ALL_NEW = NEW_USER | NEW_MOUNTS | NEW_PROCESSES | NEW_NETWORK | NEW_IPC | NEW_NAMES

NO_SETUID, NO_DEVICES, NO_PROGRAMS, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
"""Flags of mount."""

_DETACH = 2
_AT_RECURSIVE, _AT_FDCWD = 0x8000, -100
_ATTRIBUTES_READ_ONLY = 0x1 | 0x2 | 0x4
"""Read-only, no set-user-id programs, no devices."""

_MOUNT_SETATTR = 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_SET_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _SET_SUBREAPER = 1, 38, 22, 36
_FILTER = 2

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_REFUSED = {
    # ptrace, mount, umount2, pivot_root, unshare, setns, bpf, perf_event_open, userfaultfd, keyctl, add_key, request_key,
    # process_vm_readv, process_vm_writev, kexec_load, init_module, finit_module, open_by_handle_at
    "x86_64": (101, 165, 166, 155, 272, 308, 321, 298, 323, 250, 248, 249, 310, 311, 246, 175, 313, 304),
    "aarch64": (117, 40, 39, 41, 97, 268, 280, 241, 282, 219, 217, 218, 270, 271, 104, 105, 273, 265),
}
_REFUSED_EVERYWHERE = (425, 428, 429, 430, 432, 442)
"""io_uring_setup and the newer calls of mounting, which have one number on all machines."""

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_PERMISSION = 1
_UNIX_FAMILY = 1
_FOREIGN_CALLS = 0x40000000
"""From here on x86-64 has a second set of numbers for the same calls (x32)."""


def _call(name: str, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    result = int(library[name](*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Give this process namespaces of its own; a new one of processes begins with its next child."""
    _call("unshare", ctypes.c_int(flags))


def mount(source: str | None, target: str, *, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """Mount; see mount(2)."""
    words = [None if word is None else word.encode() for word in (source, target, kind, data)]
    _call("mount", words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])


def make_read_only(target: str, *, recursive: bool) -> None:
    """Make a mount, and those below it, read-only, without set-user-id programs and devices; other flags stay."""
    attributes = struct.pack("QQQQ", _ATTRIBUTES_READ_ONLY, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    _call(
        "syscall",
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        target.encode(),
        ctypes.c_uint(flags),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )


def _number_of_pivot_root() -> int:
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(f"pivot_root of {platform.machine()} is not known")
    return number


def enter_root(folder: str) -> None:
    """Make a mount the root of this process and let go of the old one.

    Raises:
        OSError: It cannot be done, or the number of the call on this machine is not known here.
    """
    number = _number_of_pivot_root()
    os.chdir(folder)
    # The old root is put over the new one and taken away (pivot_root(2), "pivot_root(".", ".")").
    _call("syscall", ctypes.c_long(number), b".", b".")
    _call("umount2", b".", ctypes.c_int(_DETACH))
    os.chdir("/")


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Let the kernel send a signal when the parent ends; lost when the user changes."""
    _call("prctl", ctypes.c_int(_SET_DEATH_SIGNAL), ctypes.c_ulong(number), *_zeros(3))


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parents ended."""
    _call("prctl", ctypes.c_int(_SET_SUBREAPER), ctypes.c_ulong(1), *_zeros(3))


def refuse_privileges() -> None:
    """Never again gain rights by starting a program; for good."""
    _call("prctl", ctypes.c_int(_SET_NO_NEW_PRIVILEGES), ctypes.c_ulong(1), *_zeros(3))


def refuse_calls(*, sockets: bool) -> bool:
    """Refuse system calls that a computation never needs; for good, also for children.

    Args:
        sockets: Refuse every socket but those between processes of this machine, too.

    Returns:
        Whether it is in force; not on machines whose numbers of calls are not known here.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return False
    refused = _RETURN, 0, 0, _ERROR | _PERMISSION
    allowed = _RETURN, 0, 0, _ALLOW
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _ARCHITECTURES[machine]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    program += [(_AT_LEAST, 0, 1, _FOREIGN_CALLS), refused]
    for number in (*_REFUSED[machine], *_REFUSED_EVERYWHERE):
        program += [(_EQUAL, 0, 1, number), refused]
    if sockets:
        program += [(_EQUAL, 0, 3, _SOCKET[machine]), (_LOAD, 0, 0, 16), (_EQUAL, 1, 0, _UNIX_FAMILY), refused]
    program.append(allowed)
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    description = struct.pack("HxxxxxxP", len(program), ctypes.addressof(instructions))
    try:
        _call("prctl", ctypes.c_int(_SET_SECCOMP), ctypes.c_ulong(_FILTER), description, *_zeros(2))
    except OSError:
        return False
    return True


def _zeros(count: int) -> tuple[ctypes.c_ulong, ...]:
    return (ctypes.c_ulong(0),) * count
