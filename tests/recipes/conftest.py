"""What tests of recipes share."""

import pytest


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """Work in a folder of its own, at home where a module's ``trained`` has its models; return that folder."""
    monkeypatch.setenv("MAKAR_HOME", str(trained / "home"))
    monkeypatch.chdir(tmp_path)
    return trained
