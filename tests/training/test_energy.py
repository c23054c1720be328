"""Energy is a range with a method, from counters where there are some."""

import time

import pytest

from makar.training import energy
from makar.training.energy import Consumption, EnergyMeter, energy_range, predicted_energy


def test_one_busy_thread_for_an_hour():
    found = energy_range(Consumption(wall_seconds=3600, processor_seconds=3600))
    assert found["watt_hours"] == {"low": 1.0, "central": 3.6, "high": 8.0}
    assert found["grams_co2"]["low"] == 0.03 and found["grams_co2"]["high"] == 6.4
    assert "assumed" in found["method"] and len(found["assumptions"]) == 4


def test_counters_replace_the_assumed_watts_of_the_processor():
    found = energy_range(Consumption(processor_seconds=3600, processor_joules=7200, gpu_joules=3600))
    assert "RAPL" in found["method"] and "NVML" in found["method"]
    assert found["watt_hours"]["central"] == pytest.approx(3 * 1.2)
    assert found["watt_hours"]["low"] < found["watt_hours"]["central"] < found["watt_hours"]["high"]


def test_the_meter_reads_the_packages_and_not_their_parts(tmp_path):
    for name, microjoules in (("intel-rapl:0", 5_000_000), ("intel-rapl:0:0", 1_000_000), ("intel-rapl:1", 1_000_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(str(microjoules))
    meter = EnergyMeter(Consumption(processor_joules=10.0), rapl_folder=tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("9000000")
    assert meter.consumption().processor_joules == pytest.approx(14.0)


def package(folder, microjoules, *, name="intel-rapl:0", span=None):
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "energy_uj").write_text(str(microjoules))
    if span is not None:
        (folder / name / "max_energy_range_uj").write_text(str(span))


def test_a_counter_that_wraps_round_goes_on_counting(tmp_path):
    package(tmp_path, 9_000_000, span=9_999_999)
    meter = EnergyMeter(rapl_folder=tmp_path)
    package(tmp_path, 1_000_000)
    assert meter.consumption().processor_joules == pytest.approx(2.0)
    # More than one round in all: each reading adds its own difference.
    for microjoules in (6_000_000, 500_000):
        package(tmp_path, microjoules)
        now = meter.consumption().processor_joules
    assert now == pytest.approx(2.0 + 5.0 + 4.5)


def test_a_counter_of_unknown_range_never_gives_energy_back(tmp_path):
    package(tmp_path, 5_000_000)
    meter = EnergyMeter(rapl_folder=tmp_path)
    package(tmp_path, 1_000_000)
    assert meter.consumption().processor_joules == pytest.approx(1.0)


def test_wraps_between_two_questions_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "RAPL_SECONDS", 0.01)
    package(tmp_path, 9_000_000, span=9_999_999)
    meter = EnergyMeter(rapl_folder=tmp_path)
    for microjoules in (4_000_000, 9_500_000, 4_500_000):
        package(tmp_path, microjoules)
        time.sleep(0.2)
    assert meter.consumption().processor_joules == pytest.approx(5.0 + 5.5 + 5.0)


def test_devices_of_others_are_not_counted():
    # No device is in use in this process, however many the machine has.
    assert energy.devices_in_use() == [] and energy._GpuCounter.open([]) is None


class Driver:
    """Stands for the driver's library: two devices, of which one is in use."""

    def __init__(self):
        self.joules = {b"GPU-mine": 5000, b"GPU-other": 900_000}

    def nvmlInit_v2(self):
        return 0

    def nvmlDeviceGetHandleByUUID(self, device, handle):
        handle._obj.value = list(self.joules).index(device) + 1 if device in self.joules else None
        return 0 if device in self.joules else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, millijoules):
        millijoules._obj.value = list(self.joules.values())[handle.value - 1]
        return 0


def test_only_the_devices_in_use_are_counted(monkeypatch):
    monkeypatch.setattr(energy.ctypes, "CDLL", lambda name: Driver())
    assert energy._GpuCounter.open(["GPU-mine"]).joules() == 5.0
    assert energy._GpuCounter.open(["GPU-unknown"]) is None


def test_the_meter_counts_this_process(tmp_path):
    meter = EnergyMeter(Consumption(wall_seconds=100.0, processor_seconds=50.0), rapl_folder=tmp_path)
    sum(range(2_000_000))
    now = meter.consumption()
    assert now.wall_seconds > 100.0 and now.processor_seconds > 50.0 and now.memory_gigabyte_seconds > 0


def test_a_longer_run_is_expected_to_use_more():
    short, long = (predicted_energy(seconds, threads=1, memory_bytes=1e9) for seconds in (60, 600))
    assert long["watt_hours"]["low"] == pytest.approx(10 * short["watt_hours"]["low"], rel=1e-3)
