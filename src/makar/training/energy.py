"""Energy of a run: counters of the machine where it has them, otherwise load times assumed watts, always as a range with its method.

Order: the GPU's own energy counter (NVML), the processor's (RAPL under ``/sys/class/powercap``), else processor seconds times watts a
busy thread and memory times watts a gigabyte. A single number without a range is never given when nothing was measured. The watts,
the overhead of the room (PUE) and the grid are assumptions, and are listed in every result.
"""

import ctypes
import dataclasses
import resource
import time
from pathlib import Path
from typing import Any

import psutil

RAPL_FOLDER = Path("/sys/class/powercap")
WATTS_A_THREAD = (1.0, 3.0, 5.0)
WATTS_A_GIGABYTE = (0.2, 0.3, 0.4)
ROOM_OVERHEAD = (1.0, 1.2, 1.6)
GRID_GRAMS_A_KILOWATT_HOUR = (30.0, 400.0, 800.0)
COUNTER_SPREAD = (0.95, 1.0, 1.1)
JOULES_A_WATT_HOUR = 3600.0


@dataclasses.dataclass
class Consumption:
    """What was counted so far, over all processes of a run; plain numbers for a checkpoint.

    Attributes:
        wall_seconds: Time that passed.
        processor_seconds: Busy thread-seconds of this process.
        memory_gigabyte_seconds: Resident memory over time.
        processor_joules: From RAPL; 0 without.
        gpu_joules: From NVML; 0 without.
    """

    wall_seconds: float = 0.0
    processor_seconds: float = 0.0
    memory_gigabyte_seconds: float = 0.0
    processor_joules: float = 0.0
    gpu_joules: float = 0.0


class EnergyMeter:
    """Counts the consumption of this process from its making on.

    Args:
        earlier: What interrupted processes of the same run consumed.
        rapl_folder: Where the processor's counters are.
    """

    def __init__(self, earlier: Consumption | None = None, *, rapl_folder: Path = RAPL_FOLDER) -> None:
        self._earlier = earlier or Consumption()
        self._rapl_folder = rapl_folder
        self._gpu = _GpuCounter.open()
        self._start = self._read()

    def _read(self) -> Consumption:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Consumption(
            wall_seconds=time.monotonic(),
            processor_seconds=usage.ru_utime + usage.ru_stime,
            processor_joules=_rapl_joules(self._rapl_folder),
            gpu_joules=self._gpu.joules() if self._gpu is not None else 0.0,
        )

    def consumption(self) -> Consumption:
        """Return what was consumed so far, earlier processes included."""
        now, start, earlier = self._read(), self._start, self._earlier
        wall = now.wall_seconds - start.wall_seconds
        resident_gigabytes = psutil.Process().memory_info().rss / 1e9
        return Consumption(
            wall_seconds=earlier.wall_seconds + wall,
            processor_seconds=earlier.processor_seconds + now.processor_seconds - start.processor_seconds,
            memory_gigabyte_seconds=earlier.memory_gigabyte_seconds + wall * resident_gigabytes,
            # A counter that wrapped around would give a negative difference.
            processor_joules=earlier.processor_joules + max(0.0, now.processor_joules - start.processor_joules),
            gpu_joules=earlier.gpu_joules + max(0.0, now.gpu_joules - start.gpu_joules),
        )


def energy_range(consumption: Consumption) -> dict[str, Any]:
    """Return watt-hours and grams of CO2 with low, central and high value, method and assumptions.

    >>> energy_range(Consumption(wall_seconds=3600, processor_seconds=3600))["watt_hours"]["low"]
    1.0
    """
    methods, assumptions = [], []
    joules = [0.0, 0.0, 0.0]
    if consumption.gpu_joules > 0:
        methods.append("GPU energy counter (NVML)")
        joules = [total + consumption.gpu_joules * spread for total, spread in zip(joules, COUNTER_SPREAD)]
    if consumption.processor_joules > 0:
        methods.append("processor energy counter (RAPL), whole package")
        joules = [total + consumption.processor_joules * spread for total, spread in zip(joules, COUNTER_SPREAD)]
    else:
        methods.append("processor seconds x assumed watts")
        assumptions.append(f"{WATTS_A_THREAD[0]:g} to {WATTS_A_THREAD[2]:g} W a busy processor thread")
        joules = [total + consumption.processor_seconds * watts for total, watts in zip(joules, WATTS_A_THREAD)]
    assumptions.append(f"{WATTS_A_GIGABYTE[0]:g} to {WATTS_A_GIGABYTE[2]:g} W a GB of memory used")
    joules = [total + consumption.memory_gigabyte_seconds * watts for total, watts in zip(joules, WATTS_A_GIGABYTE)]
    assumptions.append(f"room overhead (PUE) {ROOM_OVERHEAD[0]:g} to {ROOM_OVERHEAD[2]:g}")
    watt_hours = [total * overhead / JOULES_A_WATT_HOUR for total, overhead in zip(joules, ROOM_OVERHEAD)]
    assumptions.append(
        f"grid {GRID_GRAMS_A_KILOWATT_HOUR[0]:g} to {GRID_GRAMS_A_KILOWATT_HOUR[2]:g} g CO2 a kWh (world, about 2024)"
    )
    grams = [hours / 1000.0 * grid for hours, grid in zip(watt_hours, GRID_GRAMS_A_KILOWATT_HOUR)]
    return {
        "method": " + ".join(methods),
        "watt_hours": dict(zip(("low", "central", "high"), (round(value, 6) for value in watt_hours))),
        "grams_co2": dict(zip(("low", "central", "high"), (round(value, 6) for value in grams))),
        "assumptions": assumptions,
    }


def predicted_energy(seconds: float, *, threads: int, memory_bytes: float) -> dict[str, Any]:
    """Return the range to expect from a run on the processor.

    Args:
        seconds: How long it runs.
        threads: How many threads it keeps busy.
        memory_bytes: How much memory it uses.
    """
    return energy_range(
        Consumption(
            wall_seconds=seconds,
            processor_seconds=seconds * threads,
            memory_gigabyte_seconds=seconds * memory_bytes / 1e9,
        )
    )


def _rapl_joules(folder: Path) -> float:
    """Return the sum of the packages' counters, 0 where there is none or it may not be read."""
    total = 0.0
    for package in folder.glob("intel-rapl:*"):
        if package.name.count(":") != 1:
            continue  # parts of a package are already in it
        try:
            total += int((package / "energy_uj").read_text()) / 1e6
        except (OSError, ValueError):
            return 0.0
    return total


class _GpuCounter:
    """The energy counters of all NVIDIA devices, through the driver's own library."""

    def __init__(self, library: Any, handles: list[ctypes.c_void_p]) -> None:
        self._library = library
        self._handles = handles

    @classmethod
    def open(cls) -> "_GpuCounter | None":
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
        count = ctypes.c_uint()
        if library.nvmlInit_v2() != 0 or library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return None
        handles = []
        for index in range(count.value):
            handle = ctypes.c_void_p()
            if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) == 0:
                handles.append(handle)
        return cls(library, handles) if handles else None

    def joules(self) -> float:
        total = 0.0
        for handle in self._handles:
            millijoules = ctypes.c_ulonglong()
            if self._library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)) == 0:
                total += millijoules.value / 1000.0
        return total
