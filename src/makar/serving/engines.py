"""What computes the answers of a model: the engines that there are, which one a model has, and why, in one line.

Decisions. (1) Every model has an engine of its own, and its files say which; texts of our own models can be computed by OpenVINO, and those
of the mainstream layout by llama.cpp too, in the same process behind the same contract. (2) An engine that is not among them (vLLM) runs
as a server of its own and stands behind this one: ``endpoint``. (3) The speed that is told is what was measured on this machine when the
model made something last; before that it is said not to be known. (4) ``auto`` takes the fastest engine of those whose pace is known
here, and where there is nothing to compare the model's own: nothing is tried in secret and no speed is guessed.
"""

import dataclasses
import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from makar.errors import MissingExtraError, UnsupportedError, UsageError

AUTO = "auto"
TORCH, TRANSFORMERS, DIFFUSERS, ENDPOINT = "torch", "transformers", "diffusers", "endpoint"
LLAMA_CPP, OPENVINO = "llama.cpp", "openvino"
BESIDE = (LLAMA_CPP, OPENVINO)
"""What computes texts of models that are torch's own."""
BEHIND = "start its own server and put it behind: makar serve openai:NAME --base-url URL"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Engine:
    """Something that runs models.

    Attributes:
        name: What it is called on the command line.
        runs: What it runs.
        package: What has to be installed for it, as it is imported.
        distribution: The name under which that is installed.
        extra: The extra of Makar that brings it; ``None`` for what is always there.
        do: What to do with a model that it does not run.
    """

    name: str
    runs: str
    package: str
    distribution: str
    extra: str | None
    do: str

    @property
    def version(self) -> str | None:
        """The version of its package; ``None`` where that is not installed."""
        if importlib.util.find_spec(self.package) is None:
            return None
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return "of no known version"


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            name=TORCH,
            runs="what Makar saved",
            package="torch",
            distribution="torch",
            extra=None,
            do="makar import FOLDER brings what others saved in, where it is of a kind that Makar has code for",
        ),
        Engine(
            name=TRANSFORMERS,
            runs="checkpoints of transformers",
            package="transformers",
            distribution="transformers",
            extra="transformers",
            do="makar export MODEL FOLDER --to transformers writes a checkpoint; serve that folder",
        ),
        Engine(
            name=DIFFUSERS,
            runs="pipelines of diffusers",
            package="diffusers",
            distribution="diffusers",
            extra="diffusers",
            do="name the folder of a pipeline",
        ),
        Engine(
            name=LLAMA_CPP,
            runs="text of layout mainstream that Makar saved",
            package="llama_cpp",
            distribution="llama-cpp-python",
            extra="llamacpp",
            do="makar import FOLDER brings a checkpoint of that layout; --engine auto takes what runs each model",
        ),
        Engine(
            name=OPENVINO,
            runs="text that Makar saved",
            package="openvino",
            distribution="openvino",
            extra="openvino",
            do="makar import FOLDER brings in a checkpoint of Qwen, Llama or Mistral; --engine auto takes what runs each model",
        ),
        Engine(
            name=ENDPOINT,
            runs="models behind an endpoint",
            package="openai",
            distribution="openai",
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What runs a model.

    Attributes:
        engine: The engine.
        why: What spoke for it beside that it runs such models; empty where nothing else does.
    """

    engine: str
    why: str = ""


def check_runs(wanted: str, engines: Sequence[str], model: str) -> None:
    """Refuse an engine that does not run a model.

    Args:
        wanted: The engine that was asked for, or ``AUTO``.
        engines: Those that run the model.
        model: Its name.

    Raises:
        UnsupportedError: It is another one.
    """
    if wanted in (AUTO, *engines):
        return
    raise UnsupportedError(
        f"{model} on the engine {wanted}, which runs {ENGINES[wanted].runs}",
        expected=f"{' or '.join(engines)}, which {'runs' if len(engines) == 1 else 'run'} it, or auto",
        do=ENGINES[wanted].do,
    )


def named(engine: str, engines: Sequence[str]) -> str | None:
    """Return how manifests name the engine of a model: ``None`` for its own, which they do not name."""
    return None if engine == engines[0] else engine


def choose(wanted: str, engines: Sequence[str], paces: Mapping[str, float | None]) -> Choice:
    """Choose the engine of a model.

    Args:
        wanted: The engine that was asked for, or ``AUTO``.
        engines: Those that run the model where they are installed, its own first.
        paces: By engine: seconds for each token, as measured here; ``None`` where it made nothing here yet.
    """
    if wanted != AUTO:
        return Choice(engine=wanted, why="as --engine says" if len(engines) > 1 else "")
    own, *others = engines
    here = [name for name in others if ENGINES[name].version is not None]
    if not here:
        absent = " and ".join(others)
        are = "are" if len(others) > 1 else "is"
        return Choice(engine=own, why=f"{absent} would run it too and {are} not installed" if absent else "")
    rates = {name: 1 / pace for name in (own, *here) if (pace := paces.get(name))}
    unknown = [name for name in (own, *here) if name not in rates]
    are, each = ("are", "each") if len(unknown) > 1 else ("is", "it")
    named_so = " and ".join(f"--engine {name}" for name in unknown)
    compared = f"{named_so} {are} compared once makar serve has kept a text of {each}"
    if len(rates) < 2 or own not in rates:
        return Choice(engine=own, why=f"{' and '.join(here)} {'run' if len(here) > 1 else 'runs'} it too; {compared}")
    fastest = max(rates, key=lambda name: rates[name])
    beside = ", ".join(f"{_plain(rate)} of {name}" for name, rate in rates.items() if name != fastest)
    return Choice(engine=fastest, why=f"the fastest here, beside {beside}{f'; {compared}' if unknown else ''}")


def reason(choice: Choice, facts: dict[str, Any], *, pace: float | None, address: str | None) -> str:
    """Return in one line which engine a model has and why, and how fast it was here.

    Args:
        choice: The engine of the model.
        facts: What its process said of it.
        pace: Seconds for each token or step, as measured here before; ``None`` where it made nothing yet.
        address: Of the endpoint, where the model is behind one; ``None`` for OpenAI's own.
    """
    engine = ENGINES[choice.engine]
    if choice.engine == ENDPOINT:
        return f"engine {ENDPOINT}: it is asked at {address or 'the address of OpenAI'} and nothing is computed here"
    is_text = facts["medium"] in ("text", "code") and not facts.get("reads")
    shares = "requests share a running batch" if facts.get("together") else "requests are answered in turn"
    if pace:
        speed = f"about {_plain(1 / pace)} tokens a second" if is_text else f"about {_plain(pace)} seconds a step"
        speed += " when it was used here last"
    else:
        speed = "how fast is known after the first"
    why = f"; {' '.join(choice.why.split())}" if choice.why else ""
    return (
        f"engine {engine.name}: it runs {engine.runs} ({engine.distribution} {engine.version}){why}; "
        f"{_count(facts['parameters'])} weights; {shares}; {speed}"
    )


def _plain(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _count(number: int) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
