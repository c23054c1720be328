"""A real server in a process of its own, for the tests, and tiny models that are made in milliseconds."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch

from makar.artifacts.save import save_artifact
from makar.codecs.backbone_config import BackboneCodecConfig
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.families.backbone.config import BackboneConfig
from makar.families.family import build_family
from makar.families.transformer.config import TransformerConfig
from makar.recipe import Recipe, Stage
from tests.contract.samples import records

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_SECONDS = 120


def talker(place, *, context=512, seed=0, settings=None, codec=None, medium="text", ends=True):
    """Save a model of bytes whose text is any letters, or of what another codec writes, which has learned nothing.

    One that does not end finds the end of a text as likely as half of its letters: never among the likeliest few.
    """
    fitted = fit_codec(codec or ByteCodecConfig(), iter(records(medium) if codec else ()))
    config = TransformerConfig(context=context, depth=1, width=16, heads=2, **(settings or {})).bound_to(fitted.spec)
    family = build_family(config)
    generator = torch.Generator().manual_seed(seed)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        if not ends:
            family.network.separate_head[fitted.end_token] = 0
    stage = Stage(name="model", codec=fitted.config, family=config)
    recipe = Recipe(name=medium, medium=medium, summary="for tests", stages=(stage,))
    data = {"fingerprint": "ab" * 32, "name": "notes"}
    return save_artifact(place, recipe=recipe, codec=fitted, family=family, training={"run": ""}, data=data)


def folder(place, *, seed=0):
    """Save a model of tiny structures of two classes that has learned nothing."""
    codec = BackboneCodecConfig(use_labels=True, longest=24)
    fitted = fit_codec(codec, iter(records("structure")))
    config = BackboneConfig(width=16, blocks=1, head_width=8).bound_to(fitted.spec)
    family = build_family(config)
    generator = torch.Generator().manual_seed(seed)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            # Its last layer begins at zero, with which all models would make the same.
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    stage = Stage(name="model", codec=codec, family=config)
    recipe = Recipe(name="protein-structure-class", medium="structure", summary="for tests", stages=(stage,))
    data = {"fingerprint": "cd" * 32, "name": "folds"}
    return save_artifact(place, recipe=recipe, codec=fitted, family=family, training={"run": ""}, data=data)


CODE = "import sys; from makar.cli.app import run; sys.exit(run(sys.argv[1:]))"


class Server:
    """A running server: its home, its address, its process, what it said on stderr, and its stdout."""

    def __init__(self, home, *words, environment=None):
        path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
        values = {**os.environ, "MAKAR_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        values.pop("MAKAR_SERVE_KEY", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, "serve", *map(str, words), "--port", "0"],
            env=values | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=home,
        )
        self.home = Path(home)
        self.said, self.output, self.address, self._answers = [], "", "", threading.Event()
        self._listeners = [
            threading.Thread(target=self._listen, args=(pipe,), daemon=True)
            for pipe in (self.process.stderr, self.process.stdout)
        ]
        for listener in self._listeners:
            listener.start()
        end = time.monotonic() + STARTS_WITHIN_SECONDS
        while not self._answers.wait(0.1) and self.process.poll() is None and time.monotonic() < end:
            pass
        if not self.address:
            self.stop()
            raise AssertionError("the server did not start: " + "".join(self.said))

    def _listen(self, pipe):
        for line in pipe:
            # A line for the log may name another address, that of an engine behind.
            pattern = r"(http://[0-9.:]+)"
            if pipe is self.process.stderr:
                self.said.append(line)
                pattern = "studio on " + pattern
            else:
                self.output += line
            if found := re.search(pattern, line):
                self.address = found[1]
                self._answers.set()

    def stop(self):
        """End it gracefully and return the exit code."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        code = self.process.wait()
        for listener in self._listeners:
            listener.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def request(address, path, body=None, *, method=None, headers=None, timeout=60):
    """Return (status, headers, bytes) of a plain request; a dictionary is sent as JSON, bytes as they are."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    sent = dict(headers or {})
    if isinstance(body, dict | list):
        body = json.dumps(body).encode()
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def posted(address, path, texts, files):
    """Return (status, values) of a form; ``files`` are bytes by name, or a list of them."""
    mark, lines = b"--a-line-that-is-in-no-file", []
    several = [(name, one) for name, value in files.items() for one in (value if isinstance(value, list) else [value])]
    for name, value in [*texts.items(), *several]:
        shown = '; filename="given"' if isinstance(value, bytes) else ""
        content = value if isinstance(value, bytes) else value.encode()
        head = f'Content-Disposition: form-data; name="{name}"{shown}'.encode()
        lines += [mark, head, b"", content]
    kind = {"Content-Type": f"multipart/form-data; boundary={mark[2:].decode()}"}
    status, _, content = request(address, path, b"\r\n".join([*lines, mark + b"--", b""]), headers=kind)
    return status, json.loads(content)


def until(condition, *, seconds=30):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
