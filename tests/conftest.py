"""For every test: shapes of tensors are checked as the package runs, and Makar's folder is one that the test may write.

The import hook of jaxtyping gives every annotated function of the modules that state shapes to beartype, so that
``Float[Tensor, "batch width"]`` in a signature is a check and not a comment. It has to be installed before their first import.
"""

import os
import socket
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"

UNREADABLE = ("Self", "(Protocol)")

os.environ.setdefault("OMP_NUM_THREADS", "1")


def modules_with_shapes():
    """Return the modules that state shapes, but for those with types that the hook cannot read: Self, plain protocols."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "from jaxtyping import" in text and not any(word in text for word in UNREADABLE):
            found.append(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return found


install_import_hook(modules_with_shapes(), "beartype.beartype")


@pytest.fixture(autouse=True)
def own_folder(tmp_path_factory, monkeypatch):
    """Give every test a folder of its own for models, runs, stores and keys."""
    folder = tmp_path_factory.mktemp("makar-home")
    monkeypatch.setenv("MAKAR_HOME", str(folder))
    monkeypatch.delenv("MAKAR_DEBUG", raising=False)
    return folder


def has_loopback():
    """Return whether this process can talk to itself over 127.0.0.1; inside ``unshare -rn`` it cannot."""
    with socket.socket() as listening, socket.socket() as calling:
        try:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            calling.connect(listening.getsockname())
        except OSError:
            return False
    return True


def pytest_runtest_setup(item):
    """Skip what needs 127.0.0.1 or a browser where that is not there."""
    if item.get_closest_marker("loopback") and not has_loopback():
        pytest.skip("there is no 127.0.0.1 here")
    if item.get_closest_marker("browser"):
        from tests.serving.browser import chromium

        if chromium() is None:
            pytest.skip("there is no Chromium here, or no playwright and axe-playwright-python to drive it")
