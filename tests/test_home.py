"""Makar's folder on this machine is its owner's alone."""

import os

from makar.home import home, stores_folder


def test_a_new_home_is_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "a" / "home"))
    before = os.umask(0)
    try:
        stores_folder().mkdir()
    finally:
        os.umask(before)
    assert home().stat().st_mode & 0o777 == 0o700


def test_a_home_that_was_there_keeps_its_permissions(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    tmp_path.chmod(0o750)
    assert home() == tmp_path
    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_a_home_that_cannot_be_made_is_named_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "file" / "home"))
    assert home() == tmp_path / "file" / "home"
