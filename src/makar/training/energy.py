"""Energy of a run: counters of the machine where it has them, otherwise load times assumed watts, always as a range with its method.

Order: the GPU's own energy counter (NVML, only the devices that this process uses), the processor's (RAPL under
``/sys/class/powercap``, which wraps around within minutes to hours, so that a thread reads it), else processor seconds times watts a busy
thread and memory times watts a gigabyte. A single number without a range is never given when nothing was measured. The watts, the
overhead of the room (PUE) and the grid are assumptions, and are listed in every result.
"""

import ctypes
import dataclasses
import resource
import sys
import threading
import time
import weakref
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
RAPL_SECONDS = 60.0
"""How often the processor's counters are read; at 500 W the usual range of 262 kJ lasts for more than eight minutes."""


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
        self._processor = _ProcessorCounter(rapl_folder)
        self._processor.keep_reading()
        self._gpu = _GpuCounter.open(devices_in_use())
        self._start = self._read()

    def _read(self) -> Consumption:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Consumption(
            wall_seconds=time.monotonic(),
            processor_seconds=usage.ru_utime + usage.ru_stime,
            processor_joules=self._processor.joules(),
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
            processor_joules=earlier.processor_joules + now.processor_joules - start.processor_joules,
            # The driver counts from its loading on; one that is loaded anew begins at nothing.
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


def devices_in_use() -> list[str]:
    """Return the identities (UUID) of the CUDA devices that this process uses; empty while it uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return []
    # Weights and batches live on the current device; the others of the machine may work for somebody else.
    return [f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"]


class _ProcessorCounter:
    """The energy counters of all processor packages, summed over their wraps.

    Args:
        folder: Where the packages are.
    """

    def __init__(self, folder: Path) -> None:
        # Parts of a package (``intel-rapl:0:0``) are already in it.
        packages = sorted(package for package in folder.glob("intel-rapl:*") if package.name.count(":") == 1)
        self._ranges = {package: _microjoules(package / "max_energy_range_uj") for package in packages}
        self._last = {package: _microjoules(package / "energy_uj") for package in packages}
        self._total = 0.0
        self._lock = threading.Lock()

    def joules(self) -> float:
        """Return joules since the making of the counter; 0 where there is no counter or it may not be read."""
        with self._lock:
            for package, before in self._last.items():
                now = _microjoules(package / "energy_uj")
                if now is None or before is None:
                    continue
                span = self._ranges[package]
                difference = now - before
                if difference < 0:
                    # Without a known range what was counted before the wrap is lost, and what came after it is not.
                    difference = difference + span + 1 if span else now
                self._last[package] = now
                self._total += difference / 1e6
            return self._total

    def keep_reading(self) -> None:
        """Read every minute as long as the counter lives, so that no wrap passes unseen."""
        if not any(value is not None for value in self._last.values()):
            return
        counter = weakref.ref(self)
        threading.Thread(target=_read_on, args=(counter,), name="energy", daemon=True).start()


def _read_on(counter: "weakref.ref[_ProcessorCounter]") -> None:
    while True:
        time.sleep(RAPL_SECONDS)
        living = counter()
        if living is None:
            return
        living.joules()
        del living


def _microjoules(path: Path) -> int | None:
    """Return a counter, ``None`` where there is none or it may not be read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


class _GpuCounter:
    """The energy counters of some NVIDIA devices, through the driver's own library."""

    def __init__(self, library: Any, handles: list[ctypes.c_void_p]) -> None:
        self._library = library
        self._handles = handles

    @classmethod
    def open(cls, devices: list[str]) -> "_GpuCounter | None":
        """Return the counters of devices, given by their UUID; ``None`` where there are none or the driver has no such counter."""
        if not devices:
            return None
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
        if library.nvmlInit_v2() != 0:
            return None
        handles = []
        for device in devices:
            handle = ctypes.c_void_p()
            if library.nvmlDeviceGetHandleByUUID(device.encode(), ctypes.byref(handle)) == 0:
                handles.append(handle)
        return cls(library, handles) if handles else None

    def joules(self) -> float:
        """Return joules since the driver was loaded."""
        total = 0.0
        for handle in self._handles:
            millijoules = ctypes.c_ulonglong()
            if self._library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)) == 0:
                total += millijoules.value / 1000.0
        return total
