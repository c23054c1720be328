"""What a program that nobody trusts may use: time, memory, processes, files and output. No torch."""

import dataclasses
from typing import ClassVar

from makar.config import Config, setting

MEGABYTE = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits(Config):
    """Limits of one run; what goes beyond is killed, not slowed down."""

    kind: ClassVar[str] = ""

    wall_seconds: float = setting(10.0, meaning="from start to end", unit="seconds", minimum=0.05, maximum=86400.0)
    cpu_seconds: int = setting(10, meaning="processor time of one process", unit="seconds", minimum=1)
    memory_bytes: int = setting(
        512 * MEGABYTE,
        meaning="address space of one process, and what all together may occupy",
        unit="bytes",
        minimum=64 * MEGABYTE,
    )
    file_bytes: int = setting(
        64 * MEGABYTE, meaning="all files together; where there are no namespaces, one file", unit="bytes", minimum=4096
    )
    output_bytes: int = setting(
        MEGABYTE, meaning="what is printed and what goes to stderr together", unit="bytes", minimum=1
    )
    processes: int = setting(16, meaning="processes and threads at a time", minimum=1, maximum=4096)
    open_files: int = setting(256, meaning="open files of one process", minimum=16)
