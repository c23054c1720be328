"""Runs in the environment of the clients: the command ``llm`` asks, streams, keeps a conversation and a schema."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PLACE = f"""- model_id: talker
  model_name: talker
  api_base: "{sys.argv[1]}/v1"
  supports_schema: true
"""


def run(folder, *words):
    """Return what the command says."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "llm"), *words],
        env={**os.environ, "LLM_USER_PATH": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def calls():
    """Yield the name of every call, after it was made."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "extra-openai-models.yaml").write_text(PLACE, encoding="utf-8")
        asked = ("-m", "talker", "-o", "max_tokens", "8", "-o", "seed", "1")
        assert "talker" in run(folder, "models")
        yield "models"
        streamed = run(folder, "prompt", "Hello", *asked)
        assert streamed
        yield "prompt, streamed"
        assert run(folder, "prompt", "Hello", "--no-stream", *asked) == streamed
        yield "prompt"
        assert run(folder, "prompt", "-c", "And then?", *asked)
        yield "go on"
        made = run(folder, "prompt", "How many?", "--schema", "count int", "-m", "talker", "-o", "max_tokens", "120")
        assert isinstance(json.loads(made)["count"], int)
        yield "schema"


print(json.dumps({"calls": list(calls())}))
