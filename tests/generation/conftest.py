"""Makes the tiny models of the tests importable by the name that their configurations give."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "artifacts"))

from tiny_models import image_artifact, own_home, text_artifact  # noqa: F401
