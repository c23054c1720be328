"""The doctor says what this machine has: the real key, packages by whatever distribution brings them, and nothing it made up."""

import sys
import tomllib

from makar.cli import doctor
from makar.home import home
from makar.provenance.keys import KEY_NAME, keys_folder, signing_key
from tests.cli.small_models import see
from tests.structure import tree


def test_doctor_says_what_this_machine_has():
    values = see("doctor", "--json").values
    assert values["python"].startswith("3.") and values["memory"]["total_gigabytes"] > 0
    assert values["processor"]["usable"] >= 1 and values["disk"]["folder"] == str(home())
    assert values["speed"]["float32_1_threads_gigaflops"] > 0 and values["speed"]["bfloat16_1_threads_gigaflops"] > 0
    assert set(values["extras"]) == set(doctor.EXTRAS)
    shown = see("doctor")
    for word in ("cores", "free gigabytes", "key", "float32", "extras"):
        assert word in shown.output
    assert "measuring" in shown.messages


def test_every_extra_is_looked_for():
    said = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(doctor.EXTRAS) == set(said["project"]["optional-dependencies"]) - {"dev"}


def test_the_key_is_found_where_it_is_and_nothing_else_is_taken_for_it():
    trap = home() / "data" / "keyboard.txt"
    trap.parent.mkdir(parents=True)
    trap.write_text("qwerty", encoding="utf-8")
    assert doctor.home_state()["key"] == "made at the first signature"
    signing_key()
    assert doctor.home_state()["key"] == str(keys_folder() / KEY_NAME)


def test_a_package_that_another_distribution_brings_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "sunruntime").mkdir()
    (tmp_path / "sunruntime" / "__init__.py").touch()
    about = tmp_path / "sunruntime_gpu-1.25.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sunruntime-gpu\nVersion: 1.25\n", encoding="utf-8")
    (about / "top_level.txt").write_text("sunruntime\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(doctor, "EXTRAS", {"sun": ("sunruntime",), "moon": ("moonruntime",)})
    assert doctor.extras() == {"sun": "sunruntime-gpu 1.25", "moon": "absent: pip install 'makar[moon]'"}


def test_advice_names_what_is_missing():
    found = {
        "memory": {"available_gigabytes": 1.0},
        "disk": {"free_gigabytes": 100.0},
        "home": {"writable": False, "folder": "there"},
        "extras": {"onnx": "absent: pip install 'makar[onnx]'"},
    }
    lines = doctor.advice(found)
    assert len(lines) == 3 and "memory" in lines[0] and "there" in lines[1] and "pip install" in lines[2]
