"""Makar: a generative model of your own data, in any medium, trained on your machine in your minutes, with proof.

The verbs are the same as in the shell. Nothing is imported before it is asked for (PEP 562), so ``import makar`` costs milliseconds.

    import makar
    run = makar.train("my-photos/", minutes=10)
    model = run.model                       # or makar.load("name or path")
    asset = model.generate(seed=7)[0]       # .content .manifest .novelty
    asset.save("one.png")                   # signed
"""

import importlib
from typing import TYPE_CHECKING, Any

from makar.version import VERSION as __version__

if TYPE_CHECKING:
    from makar.api.consent import agreed_voice as agreed_voice
    from makar.api.data import inspect as inspect
    from makar.api.data import plan as plan
    from makar.api.films import edit_film as edit_film
    from makar.api.gallery import keep as keep
    from makar.api.importing import import_model as import_model
    from makar.api.model import Model as Model
    from makar.api.model import load as load
    from makar.api.model import verify as verify
    from makar.api.prompts import prompt as prompt
    from makar.api.speaking import speak as speak
    from makar.api.training import Run as Run
    from makar.api.training import resume as resume
    from makar.api.training import train as train
    from makar.errors import MakarError as MakarError

_PLACES = {
    "inspect": "makar.api.data",
    "plan": "makar.api.data",
    "train": "makar.api.training",
    "resume": "makar.api.training",
    "Run": "makar.api.training",
    "load": "makar.api.model",
    "Model": "makar.api.model",
    "import_model": "makar.api.importing",
    "edit_film": "makar.api.films",
    "speak": "makar.api.speaking",
    "keep": "makar.api.gallery",
    "agreed_voice": "makar.api.consent",
    "verify": "makar.api.model",
    "prompt": "makar.api.prompts",
    "MakarError": "makar.errors",
}

__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'makar' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
