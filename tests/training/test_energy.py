"""Energy is a range with a method, from counters where there are some."""

import pytest

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


def test_a_counter_that_wraps_round_never_gives_energy_back(tmp_path):
    (tmp_path / "intel-rapl:0").mkdir()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("5000000")
    meter = EnergyMeter(rapl_folder=tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("1000")
    assert meter.consumption().processor_joules == 0.0


def test_the_meter_counts_this_process(tmp_path):
    meter = EnergyMeter(Consumption(wall_seconds=100.0, processor_seconds=50.0), rapl_folder=tmp_path)
    sum(range(2_000_000))
    now = meter.consumption()
    assert now.wall_seconds > 100.0 and now.processor_seconds > 50.0 and now.memory_gigabyte_seconds > 0


def test_a_longer_run_is_expected_to_use_more():
    short, long = (predicted_energy(seconds, threads=1, memory_bytes=1e9) for seconds in (60, 600))
    assert long["watt_hours"]["low"] == pytest.approx(10 * short["watt_hours"]["low"], rel=1e-3)
