"""What computes the answers of a model: the engines that there are, which one a model has, and why, in one line.

Decisions. (1) Every model has one engine that runs it, and its files say which; nothing is tried and nothing is guessed. (2) An engine that
is not among them (vLLM, the server of llama.cpp, OpenVINO's) runs as a server of its own and stands behind this one: ``endpoint``. (3) The
speed that is told is what was measured on this machine when the model made something last; before that it is said not to be known.
"""

import dataclasses
import importlib.metadata
import importlib.util
from typing import Any

from makar.errors import MissingExtraError, UnsupportedError, UsageError

AUTO = "auto"
TORCH, TRANSFORMERS, DIFFUSERS, ENDPOINT = "torch", "transformers", "diffusers", "endpoint"
BEHIND = "start its own server and put it behind: makar serve openai:NAME --base-url URL"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Engine:
    """Something that runs models.

    Attributes:
        name: What it is called on the command line.
        runs: What it runs.
        package: What has to be installed for it.
        extra: The extra of Makar that brings it; ``None`` for what is always there.
        do: What to do with a model that it does not run.
    """

    name: str
    runs: str
    package: str
    extra: str | None
    do: str

    @property
    def version(self) -> str | None:
        """The version of its package; ``None`` where that is not installed."""
        if importlib.util.find_spec(self.package) is None:
            return None
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return "of no known version"


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            name=TORCH,
            runs="what Makar saved",
            package="torch",
            extra=None,
            do="makar import FOLDER brings what others saved in, where it is of a kind that Makar has code for",
        ),
        Engine(
            name=TRANSFORMERS,
            runs="checkpoints of transformers",
            package="transformers",
            extra="transformers",
            do="makar export MODEL FOLDER --to transformers writes a checkpoint; serve that folder",
        ),
        Engine(
            name=DIFFUSERS,
            runs="pipelines of diffusers",
            package="diffusers",
            extra="diffusers",
            do="name the folder of a pipeline",
        ),
        Engine(
            name=ENDPOINT,
            runs="models behind an endpoint",
            package="openai",
            extra="remote",
            do="name it as openai:NAME, with --base-url",
        ),
    )
}
NAMES = (AUTO, *ENGINES)


def check_engine(name: str) -> None:
    """Refuse an engine that is not here.

    Raises:
        UsageError: There is none of that name.
        MissingExtraError: It is not installed.
    """
    if name == AUTO:
        return
    if name not in ENGINES:
        raise UsageError(f"the engine {name[:40]!a}", expected=", ".join(NAMES), do=BEHIND)
    engine = ENGINES[name]
    if engine.version is None:
        raise MissingExtraError(engine.package, extra=engine.extra or "")


def check_runs(wanted: str, own: str, model: str) -> None:
    """Refuse an engine that does not run a model.

    Args:
        wanted: The engine that was asked for, or ``AUTO``.
        own: The engine of the model.
        model: Its name.

    Raises:
        UnsupportedError: It is another one.
    """
    if wanted in (AUTO, own):
        return
    raise UnsupportedError(
        f"{model} on the engine {wanted}, which runs {ENGINES[wanted].runs}",
        expected=f"{own}, the one engine here that runs it, or auto",
        do=ENGINES[wanted].do,
    )


def reason(own: str, facts: dict[str, Any], *, pace: float | None, address: str | None) -> str:
    """Return in one line which engine a model has and why, and how fast it was here.

    Args:
        own: The engine of the model.
        facts: What its process said of it.
        pace: Seconds for each token or step, as measured here before; ``None`` where it made nothing yet.
        address: Of the endpoint, where the model is behind one; ``None`` for OpenAI's own.
    """
    engine = ENGINES[own]
    if own == ENDPOINT:
        return f"engine {own}: it is asked at {address or 'the address of OpenAI'} and nothing is computed here"
    is_text = facts["medium"] in ("text", "code") and not facts.get("reads")
    shares = "requests share a running batch" if facts.get("together") else "requests are answered in turn"
    if pace:
        speed = f"about {_plain(1 / pace)} tokens a second" if is_text else f"about {_plain(pace)} seconds a step"
        speed += " when it was used here last"
    else:
        speed = "how fast is known after the first"
    return (
        f"engine {own}: the one here that runs {engine.runs} ({engine.package} {engine.version}); "
        f"{_count(facts['parameters'])} weights; {shares}; {speed}"
    )


def _plain(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _count(number: int) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
