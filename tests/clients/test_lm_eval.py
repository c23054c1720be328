"""lm-eval over HTTP measures what it measures in process."""

import pytest

from tests.clients.environment import MEASURE, needs, said
from tests.serving.server import Server, talker

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.timeout(1500), needs(MEASURE)]


def test_figures_over_http_are_those_in_process(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    talker(tmp_path / "models" / "talker")
    running = Server(tmp_path)
    try:
        found = said("lm_eval_scores.py", running.address, tmp_path / "models" / "talker", folder=MEASURE, seconds=1200)
    finally:
        running.stop()
    assert set(found["http"]) == {"ends", "texts"}
    for task, figures in found["process"].items():
        assert figures and found["http"][task] == pytest.approx(figures, rel=1e-4), task
